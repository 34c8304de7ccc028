"""A model that learns: a new LoRA adapter on a base in memory, with a value head for a PRM.

The base's own weights never change. While a student exists, its adapter is the active one and the
base is in training mode; `Base.using` sets everything back for inference.
"""

import json
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from engine.errors import TrainingError
from engine.models.pool import Base
from engine.models.transformers_prm import HEAD_CONFIG, HEAD_WEIGHTS, ValueHead
from engine.tasks.format_files import FILE_NAME as STEP_FORMAT

if TYPE_CHECKING:
    import torch
    from torch import Tensor

NAME = "student"
"""The adapter's name on the base while it learns."""


class LoraSettings(BaseModel):
    """Shape of a new adapter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: int = Field(default=16, ge=1, le=512, description="Rank of the update of each weight.")
    alpha: int = Field(
        default=32, ge=1, le=2048, description="The update is scaled by alpha / rank."
    )
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0, description="Of the adapter's inputs.")


class Student:
    """See the module. Made by `learning`.

    Attributes:
        base: the base.
        model: the PEFT model, the student's adapter active.
        weight, bias: of the value head, [outputs, hidden] and [outputs]; None for a policy.
        head: the head as it was before.
        reference: what learns as it was at the beginning.
    """

    def __init__(self, base: Base, model: Any, head: ValueHead | None) -> None:
        import torch

        self.base = base
        self.model = model
        self.head = head
        self.weight: torch.nn.Parameter | None = None
        self.bias: torch.nn.Parameter | None = None
        if head is not None:
            self.weight = torch.nn.Parameter(head.weight.clone())
            self.bias = torch.nn.Parameter(head.bias.clone())
        self.reference = self.tensors()

    @property
    def width(self) -> int:
        """Of the base's hidden states."""
        return int(self.base.model.config.get_text_config().hidden_size)

    def parameters(self) -> "dict[str, torch.nn.Parameter]":
        """Everything that learns, by name."""
        found = {name: one for name, one in self.model.named_parameters() if f".{NAME}." in name}
        if self.weight is not None and self.bias is not None:
            found |= {"value_head.weight": self.weight, "value_head.bias": self.bias}
        return found

    def tensors(self) -> "dict[str, Tensor]":
        """A copy of everything that learns."""
        return {name: one.detach().clone() for name, one in self.parameters().items()}

    def load(self, tensors: "Mapping[str, Tensor]") -> None:
        """Put back what `tensors` gave at another time."""
        import torch

        with torch.no_grad():
            for name, parameter in self.parameters().items():
                parameter.copy_(tensors[name])

    def logits(self, tokens: "Tensor", attention: "Tensor", start: int = 0) -> "Tensor":
        """[B, T - start, vocabulary] of texts [B, T] padded on the right, from a place on."""
        out = self.model(
            input_ids=tokens,
            attention_mask=attention,
            use_cache=False,
            logits_to_keep=tokens.shape[1] - start,
        )
        logits: Tensor = out.logits
        return logits

    def before(self, tokens: "Tensor", attention: "Tensor", start: int = 0) -> "Tensor":
        """The same of the model as it was at the beginning, without gradients."""
        import torch

        with torch.no_grad(), self._as_before():
            return self.logits(tokens, attention, start)

    @contextmanager
    def _as_before(self) -> Iterator[None]:
        """The first weights in place of the present ones, and no dropout.

        The rest of the model stays in training mode: in the other one 4-bit weights are packed.
        """
        import torch

        parameters = self.parameters()
        now = {name: one.data for name, one in parameters.items()}
        dropped = [
            module
            for module in self.model.modules()
            if isinstance(module, torch.nn.Dropout) and module.training
        ]
        try:
            for name, one in parameters.items():
                one.data = self.reference[name]
            for module in dropped:
                module.train(False)
            yield
        finally:
            for name, one in parameters.items():
                one.data = now[name]
            for module in dropped:
                module.train(True)

    def scores(
        self, tokens: "Tensor", attention: "Tensor", rows: "Tensor", places: "Tensor"
    ) -> "Tensor":
        """[N] outputs of the head, before the sigmoid, at places of texts."""
        assert self.head is not None
        assert self.weight is not None
        assert self.bias is not None
        body = self.model.get_base_model().get_decoder()
        out = body(input_ids=tokens, attention_mask=attention, use_cache=False)
        hidden = out.last_hidden_state[rows, places].float()
        index = self.head.index
        score: Tensor = hidden @ self.weight[index] + self.bias[index]
        return score

    def save(self, directory: Path, formats: Path) -> None:
        """Write the adapter (and head) where nothing was; plain PEFT can load it.

        Args:
            directory: made here, complete or not at all.
            formats: directory of the model whose step format is kept beside the adapter.

        Raises:
            TrainingError: there is something already.
        """
        from safetensors.torch import save_file

        require_new(directory)
        directory.parent.mkdir(parents=True, exist_ok=True)
        # By the adapter's own name: what a killed process has left goes with the next try.
        draft = directory.with_name(f".{directory.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        try:
            self.model.save_pretrained(str(draft), selected_adapters=[NAME])
            inner = draft / NAME
            if self.head is not None and self.weight is not None and self.bias is not None:
                tensors = {"weight": self.weight, "bias": self.bias}
                plain = {name: one.detach().cpu().contiguous() for name, one in tensors.items()}
                save_file(plain, inner / HEAD_WEIGHTS)
                names = {"outputs": list(self.head.outputs), "read": self.head.read}
                (inner / HEAD_CONFIG).write_text(json.dumps(names) + "\n", "ascii")
            if (formats / STEP_FORMAT).exists():
                shutil.copyfile(formats / STEP_FORMAT, inner / STEP_FORMAT)
            (inner / "README.md").unlink(missing_ok=True)  # a form of PEFT's, not filled in
            _sort_modules(inner / "adapter_config.json")
            inner.replace(directory)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def require_new(directory: Path) -> None:
    """Refuse to write an adapter where something is.

    Raises:
        TrainingError: there is.
    """
    if directory.exists():
        raise TrainingError(
            f"{directory} is there already: an adapter is never written over another. Take a new "
            "directory, or delete that one."
        )


def _sort_modules(config: Path) -> None:
    """PEFT writes a set in the order of its hashes: equal adapters would have different files."""
    fields = json.loads(config.read_text("utf-8"))
    if isinstance(fields["target_modules"], list):  # a text is a pattern
        fields["target_modules"].sort()
    config.write_text(json.dumps(fields, indent=2) + "\n", "utf-8")


@contextmanager
def learning(
    base: Base, settings: LoraSettings, parent: Path | None, head: ValueHead | None, seed: int
) -> Iterator[Student]:
    """A student on a base; afterwards the base is as it was.

    Args:
        base: whose weights are read.
        settings: shape of the adapter, if it has no parent.
        parent: directory of the adapter that it goes on from; None to begin anew.
        head: value head that it begins with, for a PRM.
        seed: of the new adapter's weights.

    Raises:
        TrainingError: the parent cannot be learnt on.
    """
    import torch

    with ExitStack() as undo:
        undo.callback(_end, base)
        undo.enter_context(base.original.restored())
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            # Of libraries about each other.
            warnings.filterwarnings("ignore", ".*is_gradient_checkpointing.*", FutureWarning)
            torch.manual_seed(seed)
            model = _with_adapter(base, settings, parent)
        undo.callback(model.eval)
        model.train()
        model.base_model.enable_adapter_layers()  # a search of the bare base switches them off
        model.set_adapter(NAME)
        student = Student(base, model, head)
        for parameter in student.parameters().values():
            parameter.requires_grad_(True)
        yield student


def _end(base: Base) -> None:
    base.model.eval()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Adapter .* was active which is now deleted", UserWarning)
        base.drop_adapter(NAME)


def _with_adapter(base: Base, settings: LoraSettings, parent: Path | None) -> Any:
    from peft import LoraConfig

    if parent is None:
        config = LoraConfig(
            r=settings.rank,
            lora_alpha=settings.alpha,
            lora_dropout=settings.dropout,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
            base_model_name_or_path=str(base.directory),
        )
        return base.begin_adapter(NAME, config)
    try:
        return base.begin_adapter(NAME, parent)
    except Exception as error:  # the library of its file raises errors of its own kind
        raise TrainingError(f"The adapter {parent} cannot be trained further: {error}") from error
