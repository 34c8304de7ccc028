"""Which model a person means: where its files lie and in which precision it is held here.

Nothing is loaded yet (see `engine.models.pool`); torch is imported only to ask for devices.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.errors import ModelError
from engine.models.adapter_files import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    check_adapter,
)
from engine.models.hardware import choose_device, four_bit_kernel, import_bitsandbytes, memory

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Quant = Literal["nf4", "int8", "none"]
Dtype = Literal["auto", "bf16", "fp16", "fp32"]

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_SMALL_BYTES = 100 * 2**20
_DOWNLOADED = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]


class ModelSpec(BaseModel):
    """Which model, and how to hold it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(min_length=1, description="Local directory, or hub id (owner/name).")
    quant: Quant = Field(default="nf4", description="4-bit NF4, 8-bit, or no quantisation.")
    device: str = Field(default="auto", description="auto, cpu, cuda or cuda:<number>.")
    dtype: Dtype = Field(
        default="auto", description="Precision of everything that is not quantised."
    )
    adapter: str | None = Field(
        default=None, description="Directory of a LoRA adapter on the model."
    )
    trust_remote_code: bool = Field(
        default=False, description="Run Python code that the model brings."
    )
    step_format: str | None = Field(
        default=None,
        description="How a policy is prompted and read: a name or a file; found out from its files "
        "if not given.",
    )
    prm_format: str | None = Field(
        default=None,
        description="How a process reward model is prompted and read, by name; found out from its "
        "files if not named.",
    )


@dataclass(frozen=True)
class Precision:
    """What a specification comes to on this machine; `notice` says what is not as asked for."""

    device: str
    quant: Quant
    dtype: Literal["bf16", "fp16", "fp32"]
    notice: str = ""


@dataclass(frozen=True)
class Location:
    """A model on disk: `name` without its path, the base's directory, perhaps an adapter's."""

    name: str
    directory: Path
    adapter: Path | None


def locate(spec: ModelSpec) -> Location:
    """Find a model's files; goes to the network only for a hub id that is not a local directory.

    A directory that holds only an adapter stands for its base with that adapter.

    Raises:
        ModelError: there is no such directory, or it holds no loadable model.
    """
    directory = _directory(spec.path, spec.trust_remote_code)
    adapter = _directory(spec.adapter, False) if spec.adapter else None
    name = spec.path if not Path(spec.path).expanduser().is_dir() else directory.name
    if not (directory / "config.json").exists() and (directory / "adapter_config.json").exists():
        if adapter is not None:
            raise ModelError(
                f"{directory} is itself an adapter, so a second one ({adapter}) cannot be put on "
                "it: name the base model and one adapter."
            )
        adapter, directory = directory, _adapter_base(directory, spec.trust_remote_code)
    _check_files(directory)
    if adapter is not None:
        _check_adapter(adapter)
    return Location(name, directory, adapter)


def has_chat_template(directory: Path) -> bool:
    """Whether a model's tokenizer has a chat template, by its files alone."""
    if any((directory / f"chat_template.{suffix}").exists() for suffix in ("jinja", "json")):
        return True
    try:
        described = json.loads((directory / "tokenizer_config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(described, dict) and bool(described.get("chat_template"))


def _directory(path: str, trust_remote_code: bool) -> Path:
    local = Path(path).expanduser()
    if local.is_dir():
        return local.resolve()
    if local.exists():
        raise ModelError(f"{path} is a file: a model is a directory with config.json and weights.")
    if not HUB_ID.fullmatch(path):
        raise ModelError(
            f"There is no model directory '{path}'. Name a directory with config.json and "
            "*.safetensors, or a hub id of the form owner/name."
        )
    from huggingface_hub import snapshot_download

    patterns = _DOWNLOADED + (["*.py"] if trust_remote_code else [])
    try:
        return Path(snapshot_download(path, allow_patterns=patterns)).resolve()
    except Exception as error:  # network, permission and name errors of many classes
        raise ModelError(f"'{path}' could not be fetched: {_unfetched(error)}") from error


def _unfetched(error: Exception) -> str:
    """Why a model did not come from the hub, and what helps."""
    from huggingface_hub.errors import (
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    if isinstance(error, RepositoryNotFoundError):
        return (
            "it is no directory here, and the hub has no such model or shows it only to those who "
            "are let in. Check its name, or log in with `hf auth login`."
        )
    if isinstance(error, LocalEntryNotFoundError):
        offline = isinstance(error.__cause__, OfflineModeIsEnabled)
        why = "HF_HUB_OFFLINE keeps this lab off it" if offline else "the hub cannot be reached"
        return (
            f"it is no directory here and not in the local cache of the hub, and {why}. Try again "
            "with a network, or name a directory that holds the model."
        )
    return f"it is neither a directory here nor did the hub give it ({error})."


def _adapter_base(adapter: Path, trust_remote_code: bool) -> Path:
    base = read_json(adapter / "adapter_config.json").get("base_model_name_or_path") or ""
    if (beside := adapter / base).is_dir() and base:
        return beside.resolve()
    try:
        return _directory(str(base) or "(none)", trust_remote_code)
    except ModelError as error:
        raise ModelError(f"The adapter {adapter} needs its base model: {error}") from error


def _check_files(directory: Path) -> None:
    if not (directory / "config.json").exists():
        raise ModelError(f"{directory} is not a model: it has no config.json.")
    if not any(directory.glob("*.safetensors")):
        pickled = next(iter([*directory.glob("*.bin"), *directory.glob("*.pt*")]), None)
        if pickled is not None:
            raise ModelError(
                f"{directory} holds its weights as a pickle ({pickled.name}), which can run code "
                "when it is read. Convert it: load it where you trust it and save_pretrained() it, "
                "which writes safetensors."
            )
        raise ModelError(f"{directory} has no weights: no *.safetensors file is in it.")


def _check_adapter(directory: Path) -> None:
    if not (directory / ADAPTER_CONFIG).exists():
        raise ModelError(f"{directory} is not a LoRA adapter: it has no {ADAPTER_CONFIG}.")
    if not (directory / ADAPTER_WEIGHTS).exists():
        raise ModelError(f"The adapter {directory} has no {ADAPTER_WEIGHTS}.")
    check_adapter(directory, read_json(directory / ADAPTER_CONFIG))


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        ModelError: it cannot be read, or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as JSON: {error}.") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} does not hold a JSON object.")
    return content


def settle_precision(spec: ModelSpec, directory: Path) -> Precision:
    """Device, quantisation and precision that a specification comes to here.

    bf16 is the default wherever there is hardware for it, fp32 on a CPU without quantisation. What
    is not quantised of a small NF4 model on a CPU is fp32 too: there it costs nothing, and bf16
    would round a row differently in batches of different sizes. NF4 on a CPU without the fast
    kernel becomes no quantisation, with a notice.

    Raises:
        ModelError: the device is not there, or bitsandbytes is and is needed.
    """
    import torch

    device = choose_device(spec.device)
    if device.startswith("cuda"):
        best: Any = "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"
    else:
        best = "fp32" if _fits_in_fp32(directory) else "bf16"
    dtype = best if spec.dtype == "auto" else spec.dtype
    if spec.quant == "none":
        return Precision(device, "none", dtype)
    if not import_bitsandbytes():
        raise ModelError(
            f"quant={spec.quant} needs bitsandbytes, which cannot be imported here: install it, "
            "or use --quant none."
        )
    if device.startswith("cuda"):
        return Precision(device, spec.quant, dtype)
    if spec.quant == "int8":
        raise ModelError(
            "quant=int8 needs a CUDA device: on the CPU use --quant nf4, or --quant none with "
            "--dtype bf16."
        )
    if four_bit_kernel("cpu") == "cpu-native":
        native: Any = "fp32" if _weights_bytes(directory) < _SMALL_BYTES else "bf16"
        return Precision(device, "nf4", native if spec.dtype == "auto" else spec.dtype)
    return Precision(
        device,
        "none",
        dtype,
        f"{directory.name} is held in {dtype} instead of 4-bit NF4: this CPU has no AVX512-BF16, "
        "and without it every 4-bit product unpacks the whole weight first.",
    )


def _fits_in_fp32(directory: Path) -> bool:
    """Whether the weights, 2 bytes each on disk at worst, leave half of the free memory in fp32."""
    _, free = memory()
    return not free or 4 * _weights_bytes(directory) < free


def _weights_bytes(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.glob("*.safetensors"))


def load_tokenizer(directory: Path, trust_remote_code: bool) -> "PreTrainedTokenizerBase":
    """The tokenizer of a model.

    Raises:
        ModelError: there is none, or it cannot be read.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(
            str(directory), local_files_only=True, trust_remote_code=trust_remote_code
        )
    except Exception as error:  # anything from a missing file to a class that is not installed
        raise ModelError(
            f"{directory} has no usable tokenizer ({brief(error)}): copy tokenizer.json and "
            "tokenizer_config.json of the model into it."
        ) from error


def brief(error: BaseException) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}"
