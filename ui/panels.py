"""The form on the left of the page: the problem, the search and its parameters, the buttons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from ui.interface import Problem, Settings, Workbench
from ui.parameters import Field, ParameterForm, build_folded, build_form, whole
from ui.tree_view import place, slot

SAMPLES = 40
_DEFAULT_ALGORITHM = "mcts_star"


@dataclass(frozen=True)
class Entered:
    """The form's values as the workbench takes them."""

    question: str
    gold: str | None
    algorithm: str
    params: dict[str, Any]
    sampling: dict[str, Any]
    seed: Any  # whatever was entered: what is no seed is refused where searches are made

    @property
    def way(self) -> dict[str, Any]:
        """How to search, whatever the question."""
        return {
            "algorithm": self.algorithm,
            "params": self.params,
            "sampling": self.sampling,
            "seed": self.seed,
        }

    def another(self, settings: Settings) -> list[str]:
        """What makes these values another search than a session's, in words; [] if nothing does."""
        differ = {
            "the question": self.question != settings.question.strip(),
            "the oracle answer": self.gold != (settings.gold or None),
            "the algorithm": self.algorithm != settings.algorithm,
            "the seed": self.seed != settings.seed,
        }
        return [name for name, differs in differ.items() if differs]

    def changed(self, settings: Settings) -> dict[str, tuple[Any, Any]]:
        """Parameters that are not those of a session: name -> theirs, the session's first."""
        known = {**settings.params, **settings.sampling}
        return {
            name: (known[name], value)
            for name, value in {**self.params, **self.sampling}.items()
            if name in known and known[name] != value
        }


@dataclass(frozen=True)
class Form:
    """The components of the form; `inputs` in the order that `read` and `fill` use."""

    problems: Mapping[str, Problem]
    sample: gr.Dropdown
    question: gr.Textbox
    gold: gr.Textbox
    algorithm: gr.Dropdown
    seed: gr.Number
    parameters: ParameterForm
    sampling: Sequence[Field]

    @property
    def inputs(self) -> list[Component]:
        return [
            self.question,
            self.gold,
            self.algorithm,
            self.seed,
            *(one.component for one in self.sampling),
            *self.parameters.components,
        ]

    @property
    def outputs(self) -> list[Any]:
        """What `fill` updates: the sample, the inputs and which parameters are visible."""
        return [self.sample, *self.inputs, *self.parameters.columns]

    def read(self, values: Sequence[Any]) -> Entered:
        """The values of `inputs` as the workbench takes them."""
        question, gold, algorithm, seed, *rest = values
        sampling, params = rest[: len(self.sampling)], rest[len(self.sampling) :]
        return Entered(
            question=(question or "").strip(),
            gold=(gold or "").strip() or None,
            algorithm=algorithm,
            params=self.parameters.read(algorithm, params),
            sampling={
                one.info.name: one.value(value)
                for one, value in zip(self.sampling, sampling, strict=True)
            },
            seed=whole(seed or 0),
        )

    def fill(self, settings: Settings) -> list[Any]:
        """Updates for `outputs` that show what a session was created with."""
        samples = (key for key, one in self.problems.items() if one.content == settings.question)
        return [
            gr.update(value=next(samples, None)),
            gr.update(value=settings.question),
            gr.update(value=settings.gold or ""),
            gr.update(value=settings.algorithm),
            gr.update(value=settings.seed),
            *(
                gr.update(value=settings.sampling.get(one.info.name, one.info.default))
                for one in self.sampling
            ),
            *self.parameters.fill(settings.algorithm, settings.params),
            *self.parameters.show(settings.algorithm),
        ]


def sample_label(number: int, problem: Problem) -> str:
    """One line of the list of samples."""
    text = " ".join(problem.content.split())
    return f"{number}. {text[:86]}{'…' if len(text) > 86 else ''}"


def build_panels(workbench: Workbench, problems: Sequence[Problem]) -> Form:
    """The form in the present Gradio context, with the first sample chosen."""
    with gr.Column(elem_classes=["lab-scroll"]):
        with gr.Column(elem_classes=["lab-panel"]):
            sample, question, gold = _build_problem(problems)
            slot("hint", "hint")
        with gr.Column(elem_classes=["lab-panel"]):
            algorithms = workbench.algorithms()
            names = [algorithm.name for algorithm in algorithms]
            chosen = _DEFAULT_ALGORITHM if _DEFAULT_ALGORITHM in names else names[0]
            algorithm = gr.Dropdown(
                [(one.title, one.name) for one in algorithms],
                value=chosen,
                label="Algorithm",
                filterable=False,
                elem_classes=["lab-head-field"],
            )
            parameters = build_form(algorithms, chosen)
            sampling = build_folded("Sampling of steps", workbench.sampling_parameters())
            with gr.Column(elem_classes=["lab-fields"]):
                seed = gr.Number(
                    value=0,
                    step=1,
                    label="seed",
                    info="The same seed gives the same tree.",
                    elem_classes=["lab-field"],
                )
    with gr.Column(elem_id="lab-transport"):
        slot("error", "error")
        place("transport")
    return Form(
        problems={problem.id: problem for problem in problems},
        sample=sample,
        question=question,
        gold=gold,
        algorithm=algorithm,
        seed=seed,
        parameters=parameters,
        sampling=sampling,
    )


def _build_problem(problems: Sequence[Problem]) -> tuple[gr.Dropdown, gr.Textbox, gr.Textbox]:
    first = problems[0] if problems else None
    sample = gr.Dropdown(
        [(sample_label(k, one), one.id) for k, one in enumerate(problems, 1)],
        value=first.id if first else None,
        label="Sample problem",
        visible=bool(problems),
        elem_classes=["lab-head-field"],
    )
    question = gr.Textbox(
        value=first.content if first else "",
        label="Question",
        placeholder="Ask a question, or pick a sample problem",
        lines=4,
        max_lines=12,
        elem_id="lab-question",
    )
    gold = gr.Textbox(
        value=first.answer if first else "",
        label="Oracle answer",
        placeholder="optional: only to tell right from wrong",
        lines=1,
        max_lines=1,
        elem_id="lab-gold",
    )
    return sample, question, gold
