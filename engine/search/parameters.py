"""Typed parameters of search algorithms: validation, and what page and command say about them.

An algorithm's parameters are a pydantic model whose fields carry their range, one line of help,
their symbol in the papers and where their default comes from. Panels, help texts and error messages
are all read from there.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from engine.errors import ParameterError

Model = TypeVar("Model", bound=BaseModel)
Origin = Literal["reference", "paper", "ours"]


class Parameters(BaseModel):
    """Base of every algorithm's parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def parameter(
    default: Any,
    text: str,
    *,
    symbol: str = "",
    origin: Origin = "reference",
    advanced: bool = False,
    **limits: Any,
) -> Any:
    """A field with its help, symbol and origin; `limits` are pydantic's ge, gt, le, lt."""
    extra: dict[str, Any] = {"symbol": symbol, "origin": origin, "advanced": advanced}
    return Field(default, description=text, json_schema_extra=extra, **limits)


class ParameterInfo(msgspec.Struct, frozen=True):
    """What a panel or a help text needs to know about one parameter.

    kind: int, float, bool or choice; minimum and maximum are None where there is no limit.
    """

    name: str
    symbol: str
    kind: Literal["int", "float", "bool", "choice"]
    default: int | float | bool | str
    minimum: float | None
    maximum: float | None
    choices: list[str]
    help: str
    origin: Origin
    advanced: bool


def describe(model: type[BaseModel]) -> list[ParameterInfo]:
    """The parameters of a model, in the order of their definition."""
    return [_describe_field(name, field) for name, field in model.model_fields.items()]


def _describe_field(name: str, field: FieldInfo) -> ParameterInfo:
    low: float | None = None
    high: float | None = None
    for item in field.metadata:
        if isinstance(item, Ge):
            low = float(item.ge)  # type: ignore[arg-type]
        elif isinstance(item, Gt):
            low = float(item.gt)  # type: ignore[arg-type]
        elif isinstance(item, Le):
            high = float(item.le)  # type: ignore[arg-type]
        elif isinstance(item, Lt):
            high = float(item.lt)  # type: ignore[arg-type]
    kind: Literal["int", "float", "bool", "choice"]
    choices: list[str] = []
    if get_origin(field.annotation) is Literal:
        kind, choices = "choice", [str(choice) for choice in get_args(field.annotation)]
    elif field.annotation is bool:
        kind = "bool"
    else:
        kind = "int" if field.annotation is int else "float"
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    return ParameterInfo(
        name=name,
        symbol=str(extra.get("symbol", "")),
        kind=kind,
        default=field.default,
        minimum=low,
        maximum=high,
        choices=choices,
        help=field.description or "",
        origin=extra.get("origin", "ours"),  # type: ignore[arg-type]
        advanced=bool(extra.get("advanced", False)),
    )


def parse(model: type[Model], values: Mapping[str, object]) -> Model:
    """Validated parameters; a parameter may also be given by its symbol (`c=0.1`).

    Raises:
        ParameterError: names the parameter, the value it got and the values it takes.
    """
    names = {info.symbol: info.name for info in describe(model) if info.symbol}
    try:
        return model.model_validate({names.get(key, key): values[key] for key in values})
    except ValidationError as error:
        problems = [_explain(model, dict(problem)) for problem in error.errors()]
        raise ParameterError(" ".join(dict.fromkeys(problems))) from error


def _explain(model: type[BaseModel], problem: dict[str, Any]) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else ""
    infos = {info.name: info for info in describe(model)}
    if name not in infos:
        if not name:
            return f"{problem['msg'].removeprefix('Value error, ')}."
        return f"There is no parameter {name!r}. Known are: {', '.join(infos)}."
    return f"{name} cannot be {problem['input']!r}: it takes {takes(infos[name])}."


def takes(info: ParameterInfo) -> str:
    """The values a parameter takes, in words: "a whole number from 1 to 64"."""
    if info.kind == "choice":
        return "one of " + ", ".join(info.choices)
    if info.kind == "bool":
        return "true or false"
    noun = "a whole number" if info.kind == "int" else "a number"
    if info.minimum is not None and info.maximum is not None:
        return f"{noun} from {info.minimum:g} to {info.maximum:g}"
    if info.minimum is not None:
        return f"{noun} of at least {info.minimum:g}"
    if info.maximum is not None:
        return f"{noun} of at most {info.maximum:g}"
    return noun
