"""Training runs: `transformers.Trainer` around a student, with progress, stopping and going on.

The trainer brings the loop, the optimiser, schedules, checkpoints and smaller batches when memory
runs out; ours are the batches, the losses and what is written to disk.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from engine.errors import TrainingError
from engine.training.batches import Text, collate
from engine.training.student import Student

if TYPE_CHECKING:
    from torch import Tensor

Objective = Callable[[Student, "dict[str, Tensor]"], "Tensor"]
"""The loss of a batch made by `engine.training.batches.collate`."""


class Schedule(BaseModel):
    """How long and how fast is learnt."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: float = Field(default=2.0, gt=0, le=100, description="Times each example is seen.")
    most_steps: int = Field(
        default=400, ge=1, description="Most updates, whatever the epochs come to."
    )
    batch: int = Field(default=16, ge=1, le=1024, description="Examples of an update.")
    rate: float = Field(default=5e-4, gt=0, le=0.1, description="Peak learning rate of AdamW.")
    warmup: float = Field(
        default=0.05, ge=0, le=1, description="Share of the updates that it rises over."
    )
    decay: float = Field(default=0.0, ge=0, le=1, description="Weight decay.")
    clip: float = Field(default=1.0, gt=0, description="Largest norm of a gradient.")
    checkpoint: int = Field(default=25, ge=1, description="Updates between two checkpoints.")


class Progress(msgspec.Struct, frozen=True):
    """How far training is: updates done and in all, and the loss of the last ones."""

    step: int
    steps: int
    loss: float | None


class Learnt(msgspec.Struct, frozen=True):
    """What a run came to.

    Attributes:
        finished: whether it was not stopped.
        losses: (update, mean loss since the one before) as logged.
        examples: how many texts there were.
        steps: updates.
    """

    finished: bool
    losses: list[tuple[int, float]]
    examples: int
    steps: int


Tell = Callable[[Progress], bool]
"""Told of progress after each update; training stops, with a checkpoint, when it answers False."""


def learn(
    student: Student,
    texts: Sequence[Any],
    objective: Objective,
    schedule: Schedule,
    folder: Path,
    seed: int,
    tell: Tell = lambda _: True,
    collator: Callable[[Sequence[Any]], "dict[str, Tensor]"] = collate,
) -> Learnt:
    """Train a student; goes on from the last checkpoint in the folder.

    Args:
        student: changes.
        texts: what `collator` makes batches of.
        objective: of a batch.
        schedule: how.
        folder: for checkpoints.
        seed: of the order of the texts.
        tell: see `Tell`.
        collator: makes batches.

    Raises:
        TrainingError: there is nothing to train on.
    """
    if not texts:
        raise TrainingError("There is nothing to train on: no example was found.")
    from engine.training.trainer import StudentTrainer, arguments

    trainer = StudentTrainer(
        student,
        objective,
        tell,
        args=arguments(schedule, len(texts), folder, seed, student.base.device),
        train_dataset=list(texts),
        data_collator=collator,
    )
    return trainer.run(folder, len(texts))


def length(texts: Sequence[Text]) -> int:
    """Tokens of all texts together."""
    return sum(len(text.tokens) for text in texts)
