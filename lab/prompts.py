"""Exactly what policy and process reward model are given: text and token ids, without weights."""

from collections.abc import Sequence
from typing import Any

import msgspec

from engine.models.loading import load_tokenizer, locate
from engine.models.prm_formats import find_format
from engine.models.prompting import Prompter
from engine.tasks.thoughts import as_solution
from lab.models import format_of, specs
from lab.results import ModelSettings


class Given(msgspec.Struct, frozen=True):
    """A text that a model is given; control tokens are written by their names.

    purpose: what it is read for. text, tokens: the same text, as words and as ids.
    """

    purpose: str
    text: str
    tokens: list[int]


class Prompts(msgspec.Struct, frozen=True):
    """What both models are given after some steps.

    step_format, source: kind of the policy's step format, and where it comes from. prm_format: how
    the process reward model is read. steps: those that the texts hold.
    """

    step_format: str
    source: str
    prm_format: str
    steps: list[str]
    policy: list[Given]
    prm: list[Given]


def prompts(settings: ModelSettings, question: str, steps: Sequence[str], date: str) -> Prompts:
    """What the models of the settings are given; nothing but tokenizers and small files is read.

    Args:
        settings: which models.
        question: of the problem.
        steps: of the partial solution, as a search keeps them.
        date: day of the session, for chat templates that write it.

    Raises:
        ModelError: a model is not there, or its format cannot be told.
    """
    spec = specs(settings)[0]
    form, source = format_of(settings)
    place = locate(spec)
    tokenizer: Any = load_tokenizer(place.directory, spec.trust_remote_code)
    prompter = Prompter(tokenizer, form)
    policy = [_given("the next step", tokenizer, prompter.proposal(question, steps, date=date))]
    if steps and form.critic == "eos":
        policy.append(_given("the end", tokenizer, prompter.end(question, steps, date)))
    elif steps:
        policy.append(_given("the end", tokenizer, prompter.verdict(question, steps, date)))
    prm_format, prm = _prm(settings, question, steps, date)
    return Prompts(form.kind, source, prm_format, list(steps), policy, prm)


def _prm(
    settings: ModelSettings, question: str, steps: Sequence[str], date: str
) -> tuple[str, list[Given]]:
    from engine.models.transformers_prm import value_texts

    spec = specs(settings)[1]
    place = locate(spec)
    directories = (place.adapter or place.directory, place.directory)
    form = find_format(spec.path, directories, spec.prm_format)
    step_format = format_of(ModelSettings(policy=str(place.adapter or place.directory)))[0]
    tokenizer: Any = load_tokenizer(place.directory, spec.trust_remote_code)
    texts = value_texts(tokenizer, step_format, form, place.name)
    if not steps:  # worth 0 by definition: nothing is read
        return form.format, []
    ids = texts.value(question, as_solution(steps), date)
    return form.format, [_given("the value, at the last token", tokenizer, ids)]


def _given(purpose: str, tokenizer: Any, ids: Sequence[int]) -> Given:
    text = tokenizer.decode(
        list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
    )
    return Given(purpose, str(text), list(ids))
