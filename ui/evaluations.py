"""The sheet of evaluations: what the script asks of methods compared at equal budgets."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from ui.batches import order
from ui.exports import ADDRESS
from ui.interface import Workbench

MOST_ROWS = 200
_LONGEST = 400
_LONGEST_NAME = 1000
_ORDERS = ("hard", "easy", "dataset")


class EvaluationsDoor:
    """Evaluations for the view.

    Args:
        workbench: what is shown.
        check: of a path that a person has entered; raises if it is out of bounds.
    """

    FUNCTIONS: tuple[str, ...] = (
        "evaluations",
        "evaluation_form",
        "evaluation_method",
        "evaluation_plan",
        "evaluation_start",
        "evaluation_go_on",
        "evaluation_stop",
        "evaluation_delete",
        "evaluation_report",
        "evaluation_grid",
        "evaluation_slices",
        "evaluation_verifiers",
        "evaluation_ask",
        "evaluation_ask_stop",
        "evaluation_asking",
        "evaluation_compare",
        "evaluation_save",
    )

    def __init__(self, workbench: Workbench, check: Callable[[str], str] = str) -> None:
        self._workbench = workbench
        self._check_path = check

    @property
    def _evaluations(self) -> Any:
        return self._workbench.evaluations

    def evaluations(self, open: str = "") -> dict[str, Any]:
        """All evaluations in brief, the newest first, and everything of the one looked at."""
        states = self._evaluations.states()
        looked_at = next((one for one in states if one.id == open), None)
        return {
            "evaluations": [_brief(one) for one in states],
            "evaluation": _whole(looked_at) if looked_at else None,
        }

    # Beginning.

    def evaluation_form(self) -> dict[str, Any]:
        """What can be compared, and what usually is."""
        return {
            "methods": [_method(one) for one in self._evaluations.methods()],
            "usual": msgspec.to_builtins(self._evaluations.usual("")),
        }

    def evaluation_method(self, name: str) -> dict[str, Any]:
        """One method, perhaps at other parameters: `beam:branch=2`."""
        return _method(self._evaluations.method(str(name).strip()))

    def evaluation_plan(self, entered: Mapping[str, Any]) -> dict[str, Any]:
        """What an evaluation would do; nothing is changed."""
        plan: dict[str, Any] = msgspec.to_builtins(self._evaluations.plan(self._asked(entered)))
        return plan

    def evaluation_start(self, entered: Mapping[str, Any], fresh: bool = False) -> dict[str, Any]:
        """Begin an evaluation, or go on with the last one that was asked for alike."""
        name = " ".join(str(entered.get("name") or "").split())[:200]
        return {"evaluation": self._evaluations.start(self._asked(entered), name, fresh is True)}

    def _asked(self, entered: Mapping[str, Any]) -> Any:
        wanted = order({"source": entered.get("dataset"), "limit": entered.get("limit")})
        self._check_path(wanted.source)
        methods = entered.get("methods")
        changes = {
            "limit": wanted.limit,
            "skip": _whole_number("Problems to leave", entered.get("skip"), 0) or 0,
            "methods": tuple(str(one) for one in methods) if isinstance(methods, list) else (),
            "budgets": tuple(numbers("Budgets", entered.get("budgets"), 1)),
            "seeds": tuple(numbers("Seeds", entered.get("seeds"), 0)),
            "baseline": str(entered.get("baseline") or ""),
        }
        parallel = _whole_number("Searches at a time", entered.get("parallel"), 1)
        if parallel is not None:
            changes["parallel"] = parallel
        if not changes["methods"]:
            raise ValueError("Choose the methods that are to be compared.")
        return msgspec.structs.replace(self._evaluations.usual(wanted.source), **changes)

    # Of one evaluation.

    def evaluation_go_on(self, evaluation: str) -> dict[str, Any]:
        self._evaluations.go_on(evaluation)
        return {}

    def evaluation_stop(self, evaluation: str) -> dict[str, Any]:
        self._evaluations.stop(evaluation)
        return {}

    def evaluation_delete(self, evaluation: str) -> dict[str, Any]:
        self._evaluations.delete(evaluation)
        return {}

    def evaluation_report(self, evaluation: str) -> dict[str, Any]:
        """What is known so far, without the answers to each problem."""
        found = self._evaluations.report(evaluation)
        return {
            "problems": len(found.problems),
            "scores": msgspec.to_builtins(found.scores),
            "samples": msgspec.to_builtins(found.samples),
            "headline": self._evaluations.headline(found),
            "notes": self._evaluations.notes(found),
            "seeds": found.seeds,
            "baseline": found.baseline,
        }

    def evaluation_grid(
        self, evaluation: str, budget: int, order: str, offset: int, limit: int
    ) -> dict[str, Any]:
        """A page of the problems, each with what every method came to at a budget.

        order: "hard" (fewest methods solved it first), "easy" or "dataset".
        """
        found = self._evaluations.report(evaluation)
        solved = self._evaluations.solved(found, int(budget))
        places = list(range(len(found.problems)))
        if order in _ORDERS[:2]:
            places.sort(key=lambda place: solved[place], reverse=order == "easy")
        cells = {name: found.grid.get(f"{name} @ {int(budget)}", []) for name in found.methods}
        page = places[max(0, int(offset)) :][: max(0, min(int(limit), MOST_ROWS))]
        return {
            "rows": [
                {
                    "problem": found.problems[place],
                    "question": _cut(found.questions[place]),
                    "gold": _cut(found.golds[place]),
                    "solved": solved[place],
                    "cells": {name: [_cell(row[place]) for row in rows]
                              for name, rows in cells.items() if rows},
                }
                for place in page
            ],
            "total": len(places),
        }  # fmt: skip

    def evaluation_slices(self, evaluation: str, budget: int) -> dict[str, Any]:
        """Accuracy of each method on problems of a like difficulty, at a budget."""
        by, slices = self._evaluations.slices(evaluation, int(budget))
        return {"by": by, "slices": msgspec.to_builtins(slices)}

    def evaluation_verifiers(self, evaluation: str) -> dict[str, Any]:
        """Every verifier on the same samples."""
        return {"scores": msgspec.to_builtins(self._evaluations.verifiers(evaluation))}

    def evaluation_ask(self, evaluation: str, entered: Mapping[str, Any]) -> dict[str, Any]:
        """Ask models about the samples; `evaluation_asking` says how far that is."""
        models = {
            name: str(entered.get(name) or "").strip()[:_LONGEST_NAME]
            for name in ("orm", "value", "judge")
        }
        for model in models.values():
            if model:
                self._check_path(model)
        asked = self._evaluations.asking.request(**models, policy=entered.get("policy") is True)
        self._evaluations.ask_verifiers(evaluation, asked)
        return {}

    def evaluation_ask_stop(self) -> dict[str, Any]:
        self._evaluations.asking.stop()
        return {}

    def evaluation_asking(self) -> dict[str, Any]:
        """How far the asking is, and which verifiers could not be asked."""
        asking = self._evaluations.asking
        found: dict[str, Any] = msgspec.to_builtins(asking.state)
        for one in found["left_out"]:
            one["title"] = asking.title(one["name"])
        return found

    def evaluation_compare(self, one: str, other: str) -> dict[str, Any]:
        """Two evaluations on what both have."""
        found: dict[str, Any] = msgspec.to_builtins(self._evaluations.compare(one, other))
        return found

    def evaluation_save(self, evaluation: str, kind: str) -> dict[str, Any]:
        """Write a report; `address` is where a browser gets it."""
        path = self._evaluations.save(evaluation, str(kind))
        return {"name": path.name, "address": f"{ADDRESS}/{quote(path.name)}"}


def numbers(name: str, entered: Any, least: int) -> list[int]:
    """Whole numbers with commas or spaces between.

    Raises:
        ValueError: something else is there.
    """
    parts = str(entered or "").replace(",", " ").split()
    found = [_whole_number(name, part, least) for part in parts]
    return [one for one in found if one is not None]


def _whole_number(name: str, entered: Any, least: int) -> int | None:
    text = "" if entered is None else str(entered).strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and int(text) >= least):
        raise ValueError(f"{name} cannot be {text[:40]!r}: it takes whole numbers from {least} on.")
    return int(text)


def _method(one: Any) -> dict[str, Any]:
    return {name: getattr(one, name) for name in ("name", "title", "summary", "kind", "oracle")}


def _brief(state: Any) -> dict[str, Any]:
    setting = state.setting
    return {
        **{name: getattr(state, name) for name in ("id", "name", "problems", "status", "left")},
        "active": state.active,
        "created": state.created,
        "message": _cut(state.message),
        "dataset": setting.dataset,
        "methods": list(setting.methods),
        "budgets": list(setting.budgets),
        "seeds": list(setting.seeds),
        "baseline": setting.baseline,
        "best": msgspec.to_builtins(state.best),
        "done": sum(run.done for run in state.runs),
        "searches": sum(run.total for run in state.runs),
    }


def _whole(state: Any) -> dict[str, Any]:
    return {
        **_brief(state),
        "message": state.message[: 4 * _LONGEST],
        "models": list(state.models),
        "setting": msgspec.to_builtins(state.setting),
        "runs": msgspec.to_builtins(state.runs),
    }


def _cell(cell: Any) -> dict[str, Any]:
    kind = "failed" if cell.failed else "right" if cell.right else "wrong"
    return {
        "kind": "none" if kind == "wrong" and cell.answer is None else kind,
        "answer": _cut(cell.answer),
        "session": cell.session,
        "tokens": cell.tokens,
        "tie": cell.tie,
    }


def _cut(text: str | None) -> str | None:
    if text is None or len(text) <= _LONGEST:
        return text
    return text[: _LONGEST - 1] + "…"
