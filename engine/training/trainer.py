"""`transformers.Trainer` for students. Importing this imports transformers' trainer and torch."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from engine.training.student import Student

if TYPE_CHECKING:
    from engine.training.learner import Learnt, Objective, Schedule, Tell


class StudentArguments(TrainingArguments):
    """The trainer's own arguments; the model is on its device already."""

    @property
    def place_model_on_device(self) -> bool:
        return False


def arguments(
    schedule: "Schedule", examples: int, folder: Path, seed: int, device: torch.device
) -> TrainingArguments:
    """The trainer's arguments for a schedule."""
    each = math.ceil(examples / schedule.batch)
    steps = max(1, min(schedule.most_steps, math.ceil(each * schedule.epochs)))
    return StudentArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=schedule.batch,
        auto_find_batch_size=True,
        learning_rate=schedule.rate,
        lr_scheduler_type="linear",
        warmup_steps=math.floor(schedule.warmup * steps),
        weight_decay=schedule.decay,
        max_grad_norm=schedule.clip,
        logging_steps=max(1, steps // 50),
        save_strategy="steps",
        save_steps=schedule.checkpoint,
        save_total_limit=1,
        seed=seed,
        data_seed=seed,
        use_cpu=device.type == "cpu",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=[],
        dataloader_pin_memory=device.type != "cpu",
    )


class _Learner(nn.Module):
    """A student as the trainer wants it: a module whose state is what learns."""

    def __init__(self, student: Student, objective: "Objective") -> None:
        super().__init__()
        self.student = student
        self.objective = objective
        # Under names without dots, as the trainer's optimiser asks a module for its parameters.
        self.learnt = nn.ParameterDict(
            {name.replace(".", "/"): one for name, one in student.parameters().items()}
        )

    def forward(self, **batch: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": self.objective(self.student, batch)}

    def train(self, mode: bool = True) -> "_Learner":
        self.student.model.train(mode)
        return super().train(mode)


class _Watch(TrainerCallback):
    """Tells progress, stops when told to, keeps the losses."""

    def __init__(self, tell: "Tell") -> None:
        self.tell = tell
        self.losses: list[tuple[int, float]] = []
        self.stopped = False

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if logs and "loss" in logs:
            self.losses.append((state.global_step, float(logs["loss"])))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        from engine.training.learner import Progress

        last = self.losses[-1][1] if self.losses else None
        if not self.tell(Progress(state.global_step, state.max_steps, last)):
            self.stopped = True
            control.should_save = control.should_training_stop = True


class StudentTrainer(Trainer):
    """Trains a student."""

    def __init__(
        self, student: Student, objective: "Objective", tell: "Tell", **others: Any
    ) -> None:
        self.watch = _Watch(tell)
        super().__init__(model=_Learner(student, objective), callbacks=[self.watch], **others)
        self.remove_callback(PrinterCallback)

    def compute_loss(self, model: Any, inputs: Any, *_: Any, **others: Any) -> Any:
        """The objective's; see `transformers.Trainer.compute_loss`."""
        out = model(**inputs)
        return (out["loss"], out) if others.get("return_outputs") else out["loss"]

    def run(self, folder: Path, examples: int) -> "Learnt":
        """Train from the last checkpoint in the folder, or from the beginning."""
        from engine.training.learner import Learnt

        last = get_last_checkpoint(str(folder)) if folder.is_dir() else None  # type: ignore[no-untyped-call]
        self.train(resume_from_checkpoint=last)
        losses = [
            (int(entry["step"]), float(entry["loss"]))
            for entry in self.state.log_history
            if "loss" in entry
        ]
        return Learnt(not self.watch.stopped, losses, examples, self.state.global_step)
