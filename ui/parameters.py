"""The form's parameter fields, generated from what the workbench says of each parameter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from ui.interface import AlgorithmInfo, ParameterInfo

_SPACE = "\N{NO-BREAK SPACE}"
_VAST = 1000.0  # a limit from here on is a guard, not worth a reader's attention


@dataclass(frozen=True)
class Field:
    """One parameter and the Gradio component that edits it."""

    info: ParameterInfo
    component: Component

    def value(self, entered: Any) -> Any:
        """What was entered as the parameter's type; an emptied field means the default."""
        if entered is None or entered == "":
            return self.info.default
        return whole(entered) if self.info.kind == "int" else entered


def whole(entered: Any) -> Any:
    """A whole number as one; anything else as it is, to be refused in words and not rounded."""
    if isinstance(entered, float) and entered.is_integer():
        return int(entered)
    return entered


def label(info: ParameterInfo) -> str:
    """`branch (b)`: readable name and the symbol of the papers."""
    name = info.name.replace("_", " ")
    symbol = f" ({info.symbol})" if info.symbol and info.symbol != info.name else ""
    return f"{name}{symbol}"


def explanation(info: ParameterInfo) -> str:
    """One line of help with the range."""
    low = info.minimum if info.minimum is not None and abs(info.minimum) < _VAST else None
    high = info.maximum if info.maximum is not None and abs(info.maximum) < _VAST else None
    if low is not None and high is not None:
        return f"{info.help} {low:g}{_SPACE}to{_SPACE}{high:g}."
    if low is not None:
        return f"{info.help} At{_SPACE}least{_SPACE}{low:g}."
    return info.help


def field(info: ParameterInfo) -> Field:
    """A field of the parameter's kind, showing its default."""
    common: dict[str, Any] = {"label": label(info), "info": explanation(info)}
    component: Component
    if info.kind == "bool":
        component = gr.Checkbox(value=bool(info.default), elem_classes=["lab-field"], **common)
    elif info.kind == "choice":
        component = gr.Dropdown(
            list(info.choices),
            value=info.default,
            filterable=False,
            elem_classes=["lab-field"],
            **common,
        )
    else:
        # The range is checked by the workbench, whose message appears beside the buttons; Gradio's
        # own check would answer with a passing toast.
        component = gr.Number(
            value=info.default,
            step=_step(info),
            elem_classes=["lab-field"],
            **common,
        )
    return Field(info, component)


def _step(info: ParameterInfo) -> float:
    if info.kind == "int":
        return 1
    return 0.05 if abs(float(info.default)) <= 2 else 1


@dataclass(frozen=True)
class ParameterForm:
    """The fields of every algorithm; only the chosen algorithm's are visible."""

    groups: Mapping[str, tuple[gr.Column, Sequence[Field]]]

    @property
    def fields(self) -> list[tuple[str, Field]]:
        """All fields with their algorithm, in the order of `components`."""
        return [(name, one) for name, (_, fields) in self.groups.items() for one in fields]

    @property
    def components(self) -> list[Component]:
        return [one.component for _, one in self.fields]

    @property
    def columns(self) -> list[gr.Column]:
        return [column for column, _ in self.groups.values()]

    def read(self, algorithm: str, entered: Sequence[Any]) -> dict[str, Any]:
        """The chosen algorithm's parameters out of the values of all `components`."""
        return {
            one.info.name: one.value(value)
            for (name, one), value in zip(self.fields, entered, strict=True)
            if name == algorithm
        }

    def show(self, algorithm: str) -> list[Any]:
        """Updates for `columns`: one visible."""
        return [gr.update(visible=name == algorithm) for name in self.groups]

    def fill(self, algorithm: str, params: Mapping[str, Any]) -> list[Any]:
        """Updates for `components`: these values for one algorithm, defaults for the others."""
        return [
            gr.update(
                value=params.get(one.info.name, one.info.default)
                if name == algorithm
                else one.info.default
            )
            for name, one in self.fields
        ]


def build_form(algorithms: Sequence[AlgorithmInfo], chosen: str) -> ParameterForm:
    """All algorithms' fields in the present Gradio context, the rarely needed ones folded away."""
    groups: dict[str, tuple[gr.Column, Sequence[Field]]] = {}
    for algorithm in algorithms:
        with gr.Column(visible=algorithm.name == chosen, elem_classes=["lab-fields"]) as column:
            plain = [field(info) for info in algorithm.parameters if not info.advanced]
            advanced = build_folded(
                "More parameters", [i for i in algorithm.parameters if i.advanced]
            )
        groups[algorithm.name] = (column, (*plain, *advanced))
    return ParameterForm(groups)


def build_folded(title: str, infos: Sequence[ParameterInfo]) -> list[Field]:
    """Fields behind a fold, if there are any."""
    if not infos:
        return []
    with gr.Accordion(title, open=False, elem_classes=["lab-fold"]):
        return [field(info) for info in infos]
