"""Models that think first: templates with a switch, templates that open a thought, and none."""

import re
from pathlib import Path

import pytest

from engine.models.base import PrefixRequest, ProposalRequest, Sampling
from engine.models.loading import ModelSpec
from engine.models.pool import ModelPool
from engine.models.prompting import Prompter
from engine.models.reading import open_reader
from engine.models.transformers_policy import TransformersPolicy
from engine.tasks.step_format import NATURAL, NUMBERED, StepFormat
from engine.tasks.thoughts import is_open, split_thought
from tests.engine.models.conftest import make_tokenizer, write_model

TURNS = (
    "{% for m in messages %}<|turn|>{{ m['role'] }}\n{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>assistant\n"
)
TEMPLATES = {
    "switch": TURNS + "{% if not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}",
    "other switch": TURNS + "{% if thinking %}<think>\n{% else %}</think>{% endif %}{% endif %}",
    "opens": TURNS + "<think>\n{% endif %}",
    "none": TURNS + "{% endif %}",
}


def tokenizer(kind: str, knows: bool = True):  # type: ignore[no-untyped-def]
    found = make_tokenizer()
    found.chat_template = TEMPLATES[kind]
    if knows:
        found.add_tokens(["<think>", "</think>"])
    return found


def form(thinking: str, **more: object) -> StepFormat:
    return StepFormat(**{**NATURAL.model_dump(), "thinking": thinking, **more})


def prompt(prompter: Prompter, *steps: str) -> str:
    return str(prompter.tokenizer.decode(prompter.proposal("Why?", steps)))


@pytest.mark.parametrize("kind", TEMPLATES)
@pytest.mark.parametrize("base", [NATURAL, NUMBERED])
def test_a_model_that_is_not_to_think_replies_after_a_closed_thought(
    kind: str, base: StepFormat
) -> None:
    text = prompt(Prompter(tokenizer(kind), base))
    assert text.endswith(("</think>\n\n", "</think>"))
    assert not is_open(text)


def test_a_model_without_marks_of_thoughts_is_asked_as_it_is() -> None:
    text = prompt(Prompter(tokenizer("none", knows=False), NATURAL))
    assert text.endswith("<|turn|>assistant\n")


@pytest.mark.parametrize(("kind", "opens"), [("switch", ""), ("opens", "<think>\n"), ("none", "")])
def test_a_model_that_is_to_think_begins_where_its_template_has_it(kind: str, opens: str) -> None:
    prompter = Prompter(tokenizer(kind), form("keep"))
    assert prompter.opens == opens
    assert prompt(prompter).endswith(f"<|turn|>assistant\n{opens}")


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_kept_thought_is_read_as_the_model_wrote_it(kind: str) -> None:
    prompter = Prompter(tokenizer(kind), form("keep"))
    first = "<think>\nLet me see.\n</think>\n\nOne.\n\n"
    ids = prompter.proposal("Why?", (first, "Two."))
    assert prompter.tokenizer.decode(ids).endswith(f"assistant\n{first}Two.")
    marks = prompter.tokenizer.convert_tokens_to_ids(["<think>", "</think>"])
    assert [one for one in ids if one in marks] == marks, "control tokens, not spelled out"
    hostile = prompter.proposal("Why <think>?", (first,))
    assert [one for one in hostile if one in marks] == marks


def test_a_step_without_a_thought_stands_after_a_closed_one() -> None:
    prompter = Prompter(tokenizer("opens"), form("keep"))
    assert prompt(prompter, "One.\n\n").endswith("assistant\n<think>\n</think>\n\nOne.\n\n")


@pytest.mark.parametrize("kind", TEMPLATES)
@pytest.mark.parametrize("thinking", ["off", "keep", "steps"])
def test_questions_about_a_solution_close_the_thought_first(kind: str, thinking: str) -> None:
    prompter = Prompter(tokenizer(kind), form(thinking))
    for steps in (("<think>\nsecret\n\n",), ("<think>\nsecret\n</think>\n\nOne.",)):
        if thinking == "off":
            continue
        text = prompter.tokenizer.decode(prompter.verdict("Why?", steps))
        assert "secret" not in text
        assert not is_open(text)


@pytest.mark.parametrize("thinking", ["keep", "steps"])
def test_no_value_is_read_inside_a_thought(thinking: str) -> None:
    prompter = Prompter(tokenizer("switch"), form(thinking))
    kept = prompter.tokenizer.decode(
        prompter.value("Why?", ("<think>\nsecret\n</think>\n\nOne.\n\n",))
    )
    assert kept.endswith("\n\nOne.\n\n")
    assert "secret" not in kept
    inside = prompter.tokenizer.decode(prompter.value("Why?", ("<think>\nfirst\n\n", "second\n\n")))
    assert "first" in inside
    assert not is_open(inside)


@pytest.fixture(scope="module")
def thinker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model whose template opens a thought, and which closes it now and then."""
    directory = write_model(
        tmp_path_factory.mktemp("models") / "thinker", chat=True, vocab_size=322
    )
    tokenizer("opens").save_pretrained(directory)
    return directory


def opened(directory: Path, step_format: StepFormat) -> TransformersPolicy:
    pool = ModelPool()
    handle = pool.open(ModelSpec(path=str(directory), quant="none", device="cpu"))
    return TransformersPolicy(open_reader(handle, pool.store), step_format, told=False)


def test_a_thought_is_sampled_before_the_first_step_up_to_its_limit(thinker: Path) -> None:
    policy = opened(thinker, form("keep", max_think_tokens=8, max_step_tokens=6))
    asked = [ProposalRequest("Why?", (), 0, slot, 0, Sampling()) for slot in range(6)]
    for found in policy.propose(asked):
        if not found.step:
            continue
        thought, step = split_thought(found.step)
        assert re.fullmatch(r"<think>\n.*</think>\s*", thought, re.DOTALL)
        assert step.strip()
        assert len(found.tokens) <= 8 + 6
        assert len(found.tokens) == len(found.logprobs)
        again = policy.propose([ProposalRequest("Why?", (found.step,), 0, 0, 0, Sampling())])
        assert "<think>" not in again[0].step, "a thought is sampled once"
    together = [one.step for one in policy.propose(asked)]
    alone = [policy.propose([one])[0].step for one in asked]
    assert together == alone, "whatever the batch"


def test_nothing_is_judged_inside_a_thought(thinker: Path) -> None:
    policy = opened(thinker, form("steps"))
    open_thought = PrefixRequest("Why?", ("<think>\nThe answer is 5.\n\n",))
    closed = PrefixRequest("Why?", ("<think>\nfive\n</think>\n\nThe answer is 7.",))
    found = policy.judge([open_thought, closed], "verdict")
    assert [(one.verdict, one.source) for one in found] == [("continue", "text"), ("end", "text")]
    answers = [one.answer for one in policy.summarise([open_thought, closed])]
    assert answers == [None, "7"]
