"""Training runs: `transformers.Trainer` around a student, with progress, stopping and going on.

The trainer brings the loop, the optimiser, schedules and checkpoints; ours are the batches, the
losses, smaller batches when memory runs out, and what is written to disk.
"""

import gc
import hashlib
import json
import math
import shutil
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from engine.errors import TrainingError
from engine.training.batches import Group, plan
from engine.training.student import Student

if TYPE_CHECKING:
    from torch import Tensor

Objective = Callable[[Student, "dict[str, Tensor]"], "Tensor"]
"""The loss of a batch made by `engine.training.batches.collate`."""

RUN = "run.json"
"""In the folder of checkpoints: what they belong to."""


_NARROW, _FASTER, _OFTENER = 512, 10.0, 5.0
"""Models narrower than this learn at so many times the rate, and from each example so much oftener.

Chosen on 300 dev problems of the bundled models (width 192), with one round of ReST-MCTS* on 200
problems: greedy accuracy went from 27 % to 73 % at a rate of 1e-3 with 10 epochs, and to 85 % at
2e-3 with 10. At 5e-4 with 2 epochs it had hardly learnt anything.
"""


class Schedule(BaseModel):
    """How long and how fast is learnt; the numbers are for models of billions of parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: float = Field(default=2.0, gt=0, le=100, description="Times each example is seen.")
    most_steps: int = Field(
        default=400, ge=1, description="Most updates, whatever the epochs come to."
    )
    batch: int = Field(default=16, ge=1, le=1024, description="Examples of an update.")
    rate: float = Field(default=2e-4, gt=0, le=0.1, description="Peak learning rate of AdamW.")
    warmup: float = Field(
        default=0.05, ge=0, le=1, description="Share of the updates that it rises over."
    )
    decay: float = Field(default=0.0, ge=0, le=1, description="Weight decay.")
    clip: float = Field(default=1.0, gt=0, description="Largest norm of a gradient.")
    checkpoint: int = Field(default=25, ge=1, description="Updates between two checkpoints.")

    def for_width(self, width: int) -> "Schedule":
        """The schedule for a model of a hidden width."""
        if width >= _NARROW:
            return self
        changed = {"rate": self.rate * _FASTER, "epochs": self.epochs * _OFTENER}
        return self.model_copy(update=changed)

    def updates(self, examples: int) -> int:
        """How many updates so many examples come to."""
        wanted = math.ceil(examples * self.epochs / self.batch_of(examples))
        return max(1, min(self.most_steps, wanted))

    def batch_of(self, examples: int) -> int:
        """Examples of an update where there are only so many."""
        return min(self.batch, examples)


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
        examples: how many there were to learn from.
        steps: updates.
        left_out: examples that are longer than the model's context, wholly or in part.
        parts: into how many parts a batch was split for want of memory; 1 if it was not.
    """

    finished: bool
    losses: list[tuple[int, float]]
    examples: int
    steps: int
    left_out: int = 0
    parts: int = 1


Tell = Callable[[Progress], bool]
"""Told of progress after each update; training stops, with a checkpoint, when it answers False."""


def learn(
    student: Student,
    groups: Sequence[Group],
    objective: Objective,
    schedule: Schedule,
    folder: Path,
    seed: int,
    tell: Tell = lambda _: True,
) -> Learnt:
    """Train a student; goes on from the last checkpoint in the folder if it is of the same run.

    Where memory runs out a batch is split, and its gradients are added up.

    Args:
        student: changes.
        groups: to learn from.
        objective: of a batch.
        schedule: how.
        folder: for checkpoints; those of another run are deleted.
        seed: of the order.
        tell: see `Tell`.

    Raises:
        TrainingError: there is nothing to train on, the loss is no number any more, or the memory
            does not hold even one example.
    """
    if not groups:
        raise TrainingError("There is nothing to train on: no example was found.")
    updates, batch = schedule.updates(len(groups)), schedule.batch_of(len(groups))
    lengths = [max(len(text.tokens) for text in group) for group in groups]
    order = plan(lengths, updates, batch, seed)
    _claim(folder, groups, schedule, student, seed)
    start = student.tensors()
    parts = 1
    while True:
        batches = [[groups[place] for place in some] for some in order]
        try:
            learnt = _run(student, batches, parts, objective, schedule, folder, seed, tell)
            return msgspec.structs.replace(learnt, examples=len(groups), parts=parts)
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise
            if parts >= batch:
                raise TrainingError(
                    f"The memory of {student.base.device} does not hold training on one example "
                    f"of {max(lengths)} tokens at a time: leave the longest examples out, take a "
                    "smaller rank of the adapter, or a smaller model."
                ) from error
        parts = min(2 * parts, batch)
        student.load(start)
        _free()


def _run(
    student: Student,
    batches: list[list[Group]],
    parts: int,
    objective: Objective,
    schedule: Schedule,
    folder: Path,
    seed: int,
    tell: Tell,
) -> Learnt:
    from engine.training.trainer import StudentTrainer

    with warnings.catch_warnings():
        # Of the trainer about itself.
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing.*", FutureWarning)
        trainer = StudentTrainer(student, batches, parts, objective, schedule, folder, seed, tell)
        return trainer.run()


def _claim(
    folder: Path, groups: Sequence[Group], schedule: Schedule, student: Student, seed: int
) -> None:
    """Delete the checkpoints in a folder unless they are of this very run."""
    digest = hashlib.sha256(repr((list(groups), schedule, seed)).encode())
    for name, tensor in student.tensors().items():
        digest.update(name.encode() + tensor.cpu().numpy().tobytes())
    run = {"examples": len(groups), "seed": seed, "digest": digest.hexdigest()}
    try:
        if json.loads((folder / RUN).read_text("utf-8")) == run:
            return
    except (OSError, ValueError):
        pass
    for old in folder.glob("checkpoint-*"):
        shutil.rmtree(old)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RUN).write_text(json.dumps(run) + "\n", "utf-8")


def _is_out_of_memory(error: BaseException) -> bool:
    """On a GPU there is a class for it, on a CPU there are only words."""
    import torch

    words = str(error).lower()
    return (
        isinstance(error, (torch.OutOfMemoryError, MemoryError))
        or "out of memory" in words
        or "can't allocate memory" in words
    )


def _free() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
