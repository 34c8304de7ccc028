"""From examples to an adapter on disk, by a recipe."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from engine.errors import TrainingError
from engine.models.transformers_policy import TransformersPolicy
from engine.models.transformers_prm import TransformersPRM
from engine.training import objectives
from engine.training.batches import Encoder, Group
from engine.training.examples import Example, Pair, Solution, Valued
from engine.training.learner import Learnt, Objective, Tell, learn
from engine.training.recipes import PolicyPart, PrmPart
from engine.training.student import LoraSettings, learning, require_new

_PRM_LOSSES: dict[str, Objective] = {
    "squared_error": objectives.regress,
    "cross_entropy": objectives.classify,
    "ranking": objectives.rank,
}


def teach_policy(
    policy: TransformersPolicy,
    examples: Sequence[Example],
    part: PolicyPart,
    lora: LoraSettings,
    folder: Path,
    out: Path,
    seed: int,
    tell: Tell = lambda _: True,
) -> Learnt:
    """Train an adapter of the policy; goes on from the policy's own adapter if it has one.

    Args:
        policy: as it searches now; it does not change.
        examples: solutions to imitate, or pairs for the loss `preference`.
        part: of the recipe.
        lora: shape of a new adapter.
        folder: for checkpoints; training goes on from those of the same run.
        out: directory of the adapter; written when training is finished.
        seed: of the adapter and of the order of the examples.
        tell: told of progress.

    Raises:
        TrainingError: no example fits into the model's context, or there is none; they are not of
            the kind that the loss needs; there is something at `out`; or training cannot go on.
    """
    _require(examples, Pair if part.loss == "preference" else Solution, part.loss)
    require_new(out)
    form, ends = policy.format, policy.end_tokens
    end = _end(policy) if ends and (form.critic == "eos" or form.ends_turn) else None
    encoder = Encoder(policy.prompter, end, policy.handle.base.context)
    groups, left_out = _encoded(encoder, examples)
    objective: Objective = objectives.imitate
    if part.loss == "nearby":
        objective = objectives.ImitateNearby(part.strength)
    elif part.loss == "preference":
        objective = objectives.Prefer(part.strength)
    parent = policy.handle.directory if policy.handle.adapter else None
    with learning(policy.handle.base, lora, parent, None, seed) as student:
        schedule = part.schedule.for_width(student.width)
        learnt = learn(student, groups, objective, schedule, folder, seed, tell)
        if learnt.finished:
            student.save(out, policy.handle.directory)
    return msgspec.structs.replace(learnt, left_out=left_out)


def teach_prm(
    prm: TransformersPRM,
    examples: Sequence[Example],
    part: PrmPart,
    lora: LoraSettings,
    folder: Path,
    out: Path,
    seed: int,
    tell: Tell = lambda _: True,
) -> Learnt:
    """Train an adapter and the head of the process reward model; else as `teach_policy`.

    `examples` are values to give, or pairs for the loss `ranking`.
    """
    _require(examples, Pair if part.loss == "ranking" else Valued, part.loss)
    require_new(out)
    groups, left_out = _encoded(Encoder(prm.prompter, None, prm.handle.base.context), examples)
    parent = prm.handle.directory if prm.handle.adapter else None
    with learning(prm.handle.base, lora, parent, prm.head, seed) as student:
        schedule = part.schedule.for_width(student.width)
        learnt = learn(student, groups, _PRM_LOSSES[part.loss], schedule, folder, seed, tell)
        if learnt.finished:
            student.save(out, prm.handle.directory)
    return msgspec.structs.replace(learnt, left_out=left_out)


def _require(examples: Sequence[Example], kind: type[Example], loss: str) -> None:
    other = next((one for one in examples if not isinstance(one, kind)), None)
    if other is not None:
        raise TrainingError(
            f"The loss {loss!r} learns from examples of the kind {kind.__name__}, not "
            f"{type(other).__name__}: gather them by the same part of the recipe."
        )


def _encoded(encoder: Encoder, examples: Sequence[Example]) -> tuple[list[Group], int]:
    groups, left_out = encoder.encode(examples)
    if not groups and left_out:
        raise TrainingError(
            f"All {left_out} examples are longer than the model's context of {encoder.context} "
            "tokens: there is nothing to train on."
        )
    return groups, left_out


def _end(policy: TransformersPolicy) -> int:
    """The token that a finished solution ends with: of several the tokenizer's own, which in a chat
    ends the turn and not the text.
    """
    own = getattr(policy.handle.base.tokenizer, "eos_token_id", None)
    return own if own in policy.end_tokens else policy.end_tokens[0]
