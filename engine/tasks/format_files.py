"""Step formats by name and in files, and the default of a model that has none."""

import json
from pathlib import Path

from pydantic import ValidationError

from engine.errors import TaskError
from engine.tasks.step_format import CODE, NATURAL, NUMBERED, REFERENCE, StepFormat

FILE_NAME = "step_format.json"

NAMED = {"natural": NATURAL, "numbered": NUMBERED, "code": CODE, "reference": REFERENCE}
"""Formats that can be chosen by name."""


def load_step_format(directory: Path, chat: bool = False) -> StepFormat:
    """The format of the model in a directory.

    Without a `step_format.json` that is `NATURAL` for a chat model, `NUMBERED` for another one.

    Args:
        directory: of the model.
        chat: whether its tokenizer has a chat template.

    Raises:
        TaskError: the file cannot be read, or a field is unknown or out of range.
    """
    path = directory / FILE_NAME
    if path.exists():
        return read_step_format(path)
    return NATURAL if chat else NUMBERED


def choose_step_format(name: str) -> StepFormat:
    """The format that a person names: one of `NAMED`, or a file.

    Raises:
        TaskError: there is neither, or the file is no step format.
    """
    if name in NAMED:
        return NAMED[name]
    path = Path(name).expanduser()
    if not path.is_file():
        raise TaskError(
            f"There is no step format '{name}': name one of {', '.join(NAMED)}, or a JSON file "
            "with the fields of docs/models.md."
        )
    return read_step_format(path)


def read_step_format(path: Path) -> StepFormat:
    """The format in a file.

    Raises:
        TaskError: it cannot be read, or a field is unknown or out of range.
    """
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(fields, dict):
            raise TaskError(f"{path} must hold a JSON object with the fields of a step format.")
        if (default := NAMED.get(str(fields.get("kind")))) is not None:
            fields = {**default.model_dump(), **fields}
        return StepFormat(**fields)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'file'}: {item['msg']}" for item in error.errors()
        )
        raise TaskError(f"{path} is not a step format: {wrong}.") from error
    except (OSError, ValueError) as error:
        raise TaskError(f"{path} cannot be read as JSON: {error}.") from error
