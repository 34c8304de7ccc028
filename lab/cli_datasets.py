"""Datasets on the command line: which field is what, and which rows are left out and why."""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from engine.errors import ParameterError
from lab import terminal

if TYPE_CHECKING:
    from engine.tasks.datasets import Dataset, Rejected

_SHOWN = 10

Field = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        metavar="NAME=FIELD",
        help="Which field is content, answer, options, unit, tolerance or id, again and again; "
        "several with commas between: content=Body,Question.",
    ),
]


def field_names(texts: list[str] | None) -> dict[str, str]:
    """`NAME=FIELD` texts as a mapping.

    Raises:
        ParameterError: one is no such text, or a name is there twice.
    """
    fields: dict[str, str] = {}
    for text in texts or []:
        name, sign, field = (part.strip() for part in text.partition("="))
        if not sign or not name or not field:
            raise ParameterError(
                f"--field takes NAME=FIELD, such as content=question, not {text!r}."
            )
        if name in fields:
            raise ParameterError(
                f"--field gives {name} twice: join the fields with a comma, "
                f"{name}={fields[name]},{field}."
            )
        fields[name] = field
    return fields


def tell(dataset: "Dataset") -> None:
    """What was read, and what was not."""
    split = f", split {dataset.split}" if dataset.split else ""
    fields = ", ".join(f"{name} from {field!r}" for name, field in dataset.fields.items())
    known = f"; {dataset.benchmark}" if dataset.benchmark else ""
    ungraded = f"; {dataset.ungraded:,} without an answer" if dataset.ungraded else ""
    terminal.notice(
        f"{dataset.source}{split}: {len(dataset.problems):,} problems ({fields}){known}{ungraded}."
    )
    tell_left_out(dataset)


def tell_left_out(dataset: "Dataset") -> None:
    """The rows that are not asked, by their place and with the reason."""
    _tell_rows(dataset.source, "are no problems", dataset.rejected)
    _tell_rows(dataset.source, "are there already", dataset.repeated)


def _tell_rows(source: str, what: str, rows: "list[Rejected]") -> None:
    if not rows:
        return
    terminal.notice(f"{len(rows):,} rows of {source} {what} and are left out:")
    for row in rows[:_SHOWN]:
        terminal.notice(f"  {row.place}: {row.reason}")
    if len(rows) > _SHOWN:
        terminal.notice(f"  and {len(rows) - _SHOWN:,} more (lab problems FILE --json lists all)")


def described(dataset: "Dataset") -> dict[str, Any]:
    """What `--json` says of a dataset."""
    return {
        "source": dataset.source,
        "split": dataset.split,
        "fields": dataset.fields,
        "benchmark": dataset.benchmark,
        "rejected": msgspec.to_builtins(dataset.rejected),
        "repeated": msgspec.to_builtins(dataset.repeated),
    }
