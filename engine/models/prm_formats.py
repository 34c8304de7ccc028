"""Which kind of process reward model a checkpoint is, and what its kind needs to be told.

A format is known by its name, by a file `prm_format.json` beside the weights, or by what the
checkpoint holds: tensors of a head, architectures, and, where weights tell nothing, the name under
which the model was published. How texts are made is in `engine.models.prm_texts`, how values are
read in `engine.models.prm_readouts`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import ModelError
from engine.models.loading import read_json

if TYPE_CHECKING:
    from torch import Tensor

FILE_NAME = "prm_format.json"
HEAD_WEIGHTS, HEAD_CONFIG = "value_head.safetensors", "value_head.json"

FormatName = Literal[
    "value-head", "math-shepherd", "qwen-prm", "trl", "rlhflow", "skywork", "outcome"
]

_REASON = "Please reason step by step, and put your final answer within \\boxed{}."


class PRMFormat(BaseModel):
    """How a process reward model is prompted and read.

    A file `prm_format.json` holds `format` and what differs from that format's own settings.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: FormatName
    mark: str = Field(
        default="",
        description="Text that closes a step: the tag of math-shepherd, the separator of qwen-prm, "
        "trl and skywork.",
    )
    good: str = Field(default="+", min_length=1, description="Word for a right step.")
    bad: str = Field(default="-", min_length=1, description="Word for a wrong step.")
    system: str = Field(default="", description="System message; qwen-prm and outcome.")


FORMATS: dict[FormatName, PRMFormat] = {
    one.format: one
    for one in (
        PRMFormat(format="value-head"),
        PRMFormat(format="math-shepherd", mark="ки"),
        PRMFormat(format="qwen-prm", mark="<extra_0>", system=_REASON),
        PRMFormat(format="trl", mark="\n"),
        PRMFormat(format="rlhflow"),
        PRMFormat(format="skywork", mark="\n"),
        PRMFormat(format="outcome"),
    )
}
"""The formats that are known, with the settings of the models that they are named after."""

_TAKEN: dict[FormatName, tuple[str, ...]] = {
    "value-head": (),
    "math-shepherd": ("mark", "good", "bad"),
    "qwen-prm": ("mark", "system"),
    "trl": ("mark",),
    "rlhflow": ("good", "bad"),
    "skywork": ("mark",),
    "outcome": ("system",),
}
"""What each format can be told."""

_BY_TENSOR: tuple[tuple[str, FormatName], ...] = (
    ("v_head.summary.weight", "skywork"),
    ("score.0.weight", "qwen-prm"),  # unless its last layer has one output
    ("score.weight", "trl"),
)
_LAST_LAYERS = ("score.2.weight", "score.weight")
_BY_ARCHITECTURE: dict[str, FormatName] = {
    "ForProcessRewardModel": "qwen-prm",
    "ForPrmModel": "skywork",
    "ForTokenClassification": "trl",
    "ForRewardModel": "outcome",
    "ForSequenceClassification": "outcome",
}
_BY_NAME: tuple[tuple[str, FormatName], ...] = (
    (r"math-shepherd.*prm", "math-shepherd"),
    (r"prm-(mistral|deepseek)-data", "rlhflow"),
)


def find_format(name: str, directories: Sequence[Path], wanted: str | None) -> PRMFormat:
    """The format of a checkpoint.

    Args:
        name: of the model, as it is known on the hub or by its directory.
        directories: where its files lie: the adapter's, if there is one, before the base's.
        wanted: name of the format, None to find it out.

    Raises:
        ModelError: there is no such format, `prm_format.json` is not usable, or nothing in the
            checkpoint tells its format.
    """
    if wanted is not None:
        return _named(wanted, "--prm-format")
    for directory in directories:
        if (directory / FILE_NAME).exists():
            return _from_file(directory / FILE_NAME)
        if (directory / HEAD_WEIGHTS).exists() or (directory / HEAD_CONFIG).exists():
            return FORMATS["value-head"]
    found = _by_content(directories[-1])
    for pattern, known in _BY_NAME:
        if found is None and re.search(pattern, name.lower()):
            found = known
    if found is None:
        raise ModelError(
            f"{directories[0]} is not known as a process reward model: it has no {HEAD_WEIGHTS}, "
            "no other head, and no known name. If it is one whose judgement is read from the "
            f"logits of tokens, say which format it has (--prm-format {_listed()}, or "
            f'{FILE_NAME} beside its weights with {{"format": NAME}}); a policy cannot serve as '
            "one."
        )
    return FORMATS[found]


def _listed() -> str:
    return ", ".join(FORMATS)


def _named(name: str, where: str) -> PRMFormat:
    for known, found in FORMATS.items():
        if known == name:
            return found
    raise ModelError(f"{where} cannot be {name[:60]!r}: the formats are {_listed()}.")


def _from_file(path: Path) -> PRMFormat:
    fields = read_json(path)
    base = _named(str(fields.get("format")), f'"format" in {path}')
    idle = [
        one
        for one in PRMFormat.model_fields.keys() & fields.keys()
        if one not in ("format", *_TAKEN[base.format])
    ]
    if idle:
        raise ModelError(
            f"{path} names {', '.join(sorted(idle))}, which the format {base.format} does not use: "
            f"it takes {', '.join(_TAKEN[base.format]) or 'nothing but its name'}."
        )
    try:
        return PRMFormat.model_validate({**base.model_dump(), **fields})
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()
        )
        raise ModelError(f"{path} is no format of a process reward model: {wrong}.") from error


def _by_content(directory: Path) -> FormatName | None:
    """By the tensors of a head; where there is none, by what the configuration calls the model."""
    there = tensor_names(directory)
    if any(one in there and _rows(there[one], one) == 1 for one in _LAST_LAYERS):
        return "outcome"
    for tensor, known in _BY_TENSOR:
        if tensor in there:
            return known
    for architecture in read_json(directory / "config.json").get("architectures") or ():
        for ending, known in _BY_ARCHITECTURE.items():
            if str(architecture).endswith(ending):
                return known
    return None


def _rows(file: Path, name: str) -> int:
    import safetensors

    with safetensors.safe_open(file, "pt") as opened:
        return int(opened.get_slice(name).get_shape()[0])


def tensor_names(directory: Path) -> dict[str, Path]:
    """Names of all tensors in a directory's safetensors files, and the file of each.

    Raises:
        ModelError: a file cannot be read.
    """
    import safetensors

    found: dict[str, Path] = {}
    for path in sorted(directory.glob("*.safetensors")):
        try:
            with safetensors.safe_open(path, "pt") as file:
                found.update(dict.fromkeys(file.keys(), path))
        except Exception as error:  # the library raises errors of its own kind without a base
            raise ModelError(f"{path} cannot be read: {error}.") from error
    return found


def read_tensors(directory: Path, names: Iterable[str]) -> "dict[str, Tensor]":
    """Tensors of a checkpoint by name, in float32; those that are not there are left out.

    Raises:
        ModelError: a file cannot be read.
    """
    import safetensors

    there: Mapping[str, Path] = tensor_names(directory)
    found: dict[str, Tensor] = {}
    for name in names:
        if name in there:
            with safetensors.safe_open(there[name], "pt") as file:
                found[name] = file.get_tensor(name).float()
    return found
