"""`transformers.Trainer` for students. Importing this imports transformers' trainer and torch."""

import json
import math
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils.data import SequentialSampler
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from engine.errors import TrainingError
from engine.models.pool import Base
from engine.training.batches import Group, collate
from engine.training.learner import Learnt, Objective, Progress, Schedule, Tell
from engine.training.student import Student

if TYPE_CHECKING:
    from torch import Tensor

_LOGS = 50
"""Points of a loss curve."""

_SECONDS = 10.0
"""Between two checkpoints at most, where updates are slow: so much is learnt again after a kill."""


class _Arguments(TrainingArguments):
    """The trainer's own arguments; the model is on its device already."""

    @property
    def place_model_on_device(self) -> bool:
        return False


def _arguments(
    schedule: Schedule, updates: int, parts: int, folder: Path, seed: int, base: Base
) -> TrainingArguments:
    return _Arguments(
        output_dir=str(folder),
        max_steps=updates,
        per_device_train_batch_size=1,  # an item of the data is a part of a batch
        gradient_accumulation_steps=parts,
        learning_rate=schedule.rate,
        lr_scheduler_type="linear",
        warmup_steps=math.floor(schedule.warmup * updates),
        weight_decay=schedule.decay,
        max_grad_norm=schedule.clip,
        logging_steps=max(1, updates // _LOGS),
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=schedule.checkpoint,
        save_total_limit=1,
        seed=seed,
        data_seed=seed,
        use_cpu=base.device.type == "cpu",
        fp16=base.device.type == "cuda" and base.precision.dtype == "fp16",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=[],
        dataloader_pin_memory=base.device.type != "cpu",
    )


class _Learner(nn.Module):
    """A student as the trainer wants it: a module whose state is what learns."""

    accepts_loss_kwargs = False  # the trainer takes the mean over the parts of a batch

    def __init__(self, student: Student, objective: Objective) -> None:
        super().__init__()
        self.student = student
        self.objective = objective
        # Under names without dots, as the trainer's optimiser asks a module for its parameters.
        self.learnt = nn.ParameterDict(
            {name.replace(".", "/"): one for name, one in student.parameters().items()}
        )

    def forward(self, **batch: "Tensor") -> "dict[str, Tensor]":
        return {"loss": self.objective(self.student, batch)}

    def train(self, mode: bool = True) -> "_Learner":
        self.student.model.train(mode)
        return super().train(mode)


class _Watch(TrainerCallback):
    """Tells progress, stops when told to, keeps broken gradients from the weights."""

    def __init__(self, student: Student, rate: float, tell: Tell, scaled: bool) -> None:
        self.student = student
        self.rate = rate
        self.tell = tell
        self.scaled = scaled
        self.loss: float | None = None
        self.stopped = False
        self.saved = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if logs and "loss" in logs:
            self.loss = float(logs["loss"])

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        # Scaled gradients of half precision may overflow: the trainer then lowers the scale.
        if self.scaled:
            return
        gradients = [one.grad for one in self.student.parameters().values() if one.grad is not None]
        if gradients and not torch.isfinite(torch.stack(torch._foreach_norm(gradients))).all():
            raise TrainingError(
                f"The gradients of update {state.global_step + 1} are no numbers any more: learn "
                f"more slowly than at a rate of {self.rate:g}. Nothing was saved."
            )

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.saved = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if time.monotonic() - self.saved > _SECONDS:
            control.should_save = True
        if not self.tell(Progress(state.global_step, state.max_steps, self.loss)):
            self.stopped = state.global_step < state.max_steps
            control.should_save = control.should_training_stop = True


class StudentTrainer(Trainer):
    """Trains a student.

    Args:
        student: changes.
        batches: one an update.
        parts: into how many parts each is split.
        objective: of a part.
        schedule: how.
        folder: of checkpoints.
        seed: of what is drawn while training, such as dropout.
        tell: told of progress.
    """

    def __init__(
        self,
        student: Student,
        batches: Sequence[Sequence[Group]],
        parts: int,
        objective: Objective,
        schedule: Schedule,
        folder: Path,
        seed: int,
        tell: Tell,
    ) -> None:
        args = _arguments(schedule, len(batches), parts, folder, seed, student.base)
        self.folder = folder
        self.watch = _Watch(student, schedule.rate, tell, args.fp16)
        super().__init__(
            model=_Learner(student, objective),
            args=args,
            train_dataset=[part for batch in batches for part in _split(batch, parts)],
            data_collator=lambda items: collate(items[0]),
            callbacks=[self.watch],
        )
        self.remove_callback(PrinterCallback)

    def _get_train_sampler(self, *_: Any, **__: Any) -> Any:
        """The order is in the data, so that going on needs no memory of what was drawn."""
        return SequentialSampler(self.train_dataset)  # type: ignore[arg-type]

    def compute_loss(self, model: Any, inputs: Any, *_: Any, **others: Any) -> Any:
        """The objective's; see `transformers.Trainer.compute_loss`.

        Raises:
            TrainingError: it is no number.
        """
        out = model(**inputs)
        if not torch.isfinite(out["loss"]):
            raise TrainingError(
                f"The loss of update {self.state.global_step + 1} is {out['loss'].item()}: learn "
                f"more slowly than at a rate of {self.args.learning_rate:g}. Nothing was saved."
            )
        return (out["loss"], out) if others.get("return_outputs") else out["loss"]

    def run(self) -> Learnt:
        """Train from the last checkpoint in the folder, or from the beginning."""
        last = _last_checkpoint(self.folder)
        self.train(resume_from_checkpoint=str(last) if last else None)
        losses = [
            (int(entry["step"]), float(entry["loss"]))
            for entry in self.state.log_history
            if "loss" in entry
        ]
        return Learnt(not self.watch.stopped, losses, 0, self.state.global_step)


def _split(batch: Sequence[Group], parts: int) -> list[Sequence[Group]]:
    """A batch in parts of about equal numbers of groups."""
    cuts = [len(batch) * k // parts for k in range(parts + 1)]
    return [batch[start:end] for start, end in pairwise(cuts)]


def _last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end: the trainer's state is written last."""

    def step(directory: Path) -> int:
        return int(directory.name.rpartition("-")[2])

    for directory in sorted(folder.glob("checkpoint-*"), key=step, reverse=True):
        try:
            json.loads((directory / "trainer_state.json").read_text("utf-8"))
        except (OSError, ValueError):
            continue
        return directory
    return None
