"""From examples to an adapter on disk, by a recipe."""

from collections.abc import Sequence
from pathlib import Path

from engine.errors import TrainingError
from engine.models.transformers_policy import TransformersPolicy
from engine.models.transformers_prm import TransformersPRM
from engine.training import objectives
from engine.training.batches import Encoder, Text
from engine.training.examples import Solution, Valued
from engine.training.learner import Learnt, Objective, Tell, learn
from engine.training.recipes import PolicyPart, PrmPart
from engine.training.student import LoraSettings, learning

_PRM_LOSSES: dict[str, Objective] = {
    "squared_error": objectives.regress,
    "cross_entropy": objectives.classify,
}


def teach_policy(
    policy: TransformersPolicy,
    examples: Sequence[Solution],
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
        examples: to learn from.
        part: of the recipe.
        lora: shape of a new adapter.
        folder: for checkpoints.
        out: directory of the adapter; written when training is finished.
        seed: of the adapter and of the order of the examples.
        tell: told of progress.

    Raises:
        TrainingError: no example fits into the model's context, or there is none.
    """
    ends = policy.end_tokens if policy.format.critic == "eos" else ()
    encoder = Encoder(policy.prompter, ends[0] if ends else None, policy.handle.base.context)
    texts = [text for text in map(encoder.solution, examples) if text is not None]
    objective: Objective = objectives.imitate
    if part.loss == "nearby":
        objective = objectives.ImitateNearby(part.strength)
    parent = policy.handle.directory if policy.handle.adapter else None
    with learning(policy.handle.base, lora, parent, None, seed) as student:
        learnt = learn(student, texts, objective, part.schedule, folder, seed, tell)
        if learnt.finished:
            student.save(out, policy.handle.directory)
    return learnt


def teach_prm(
    prm: TransformersPRM,
    examples: Sequence[Valued],
    part: PrmPart,
    lora: LoraSettings,
    folder: Path,
    out: Path,
    seed: int,
    tell: Tell = lambda _: True,
) -> Learnt:
    """Train an adapter and the head of the process reward model; else as `teach_policy`."""
    if part.loss not in _PRM_LOSSES:
        raise TrainingError(f"Values cannot be learnt with the loss {part.loss!r}.")
    encoder = Encoder(prm.prompter, None, prm.handle.base.context)
    texts: list[Text] = [text for example in examples for text in encoder.valued(example)]
    parent = prm.handle.directory if prm.handle.adapter else None
    with learning(prm.handle.base, lora, parent, prm.head, seed) as student:
        learnt = learn(student, texts, _PRM_LOSSES[part.loss], part.schedule, folder, seed, tell)
        if learnt.finished:
            student.save(out, prm.handle.directory)
    return learnt
