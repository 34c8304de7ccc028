"""The sheet of rounds: what the script asks of them and of the adapters that they made."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from ui.interface import AdapterRow, Comparison, Recipe, RoundState, Workbench
from ui.recipe_words import recipe_row

BASE = "base"
"""In place of an adapter's id: the model without any."""

_BUNDLED = ("pool", "heldout", "train", "dev", "samples")
_ROLES = ("policy", "prm")
_NUMBERS = {
    "rounds": "Rounds",
    "pool_limit": "Problems of the pool",
    "heldout_skip": "Held-out problems to leave",
    "heldout_limit": "Held-out problems",
    "guided_limit": "Held-out problems to search",
    "iterations": "Iterations",
    "tokens": "Policy tokens",
    "updates": "Updates",
    "seed": "Seed",
    "parallel": "Searches at a time",
}
_EMPTY_IS_NONE = ("pool_limit", "heldout_skip", "heldout_limit", "iterations", "tokens", "updates")
_FROM_ZERO = ("heldout_skip", "guided_limit", "seed")
_LONGEST = 400
_MOST_POINTS = 300
_MOST_SUSPECTS = 50


class RoundsDoor:
    """Rounds and adapters for the view.

    Args:
        workbench: what is shown.
        check: of a path that a person has entered; raises if it is out of bounds.
    """

    FUNCTIONS: tuple[str, ...] = (
        "rounds",
        "round_form",
        "round_plan",
        "round_start",
        "round_pause",
        "round_resume",
        "round_cancel",
        "round_delete",
        "round_compare",
        "adapters",
        "adapter",
        "adapter_use",
        "adapter_use_here",
        "adapter_delete",
    )

    def __init__(self, workbench: Workbench, check: Callable[[str], str] = str) -> None:
        self._workbench = workbench
        self._check_path = check

    @property
    def _rounds(self) -> Any:
        return self._workbench.rounds

    def rounds(self, open: str = "") -> dict[str, Any]:
        """All rounds in brief, the newest first, and everything of the one that is looked at."""
        titles = {one.name: one.title for one in self._rounds.recipes()}
        states: Sequence[RoundState] = self._rounds.states()
        looked_at = next((one for one in states if one.id == open), None)
        return {
            "rounds": [_brief(one, titles) for one in states],
            "round": self._whole(looked_at, titles) if looked_at else None,
        }

    def _whole(self, state: RoundState, titles: Mapping[str, str]) -> dict[str, Any]:
        """Everything that is shown of one round."""
        return {
            **_brief(state, titles),
            "setting": dict(state.setting),
            "phases": [_phase(one) for one in state.phases],
            "curves": {name: _thinned(points) for name, points in state.curves.items()},
            "message": state.message[: 4 * _LONGEST],
            "verdict": _verdict(state.verdict) if state.verdict else None,
            "batches": dict(self._rounds.batches(state.id)),
        }

    # Beginning.

    def round_form(self) -> dict[str, Any]:
        """What a new round can be: recipes, usual settings, bundled problems."""
        algorithms = {one.name: one.title for one in self._workbench.algorithms()}
        recipes: Sequence[Recipe] = self._rounds.recipes()
        return {
            "recipes": [recipe_row(one, algorithms) for one in recipes],
            "usual": msgspec.to_builtins(self._rounds.settings({})),
            "bundled": [name for name in _BUNDLED if self._has(name)],
        }

    def _has(self, name: str) -> bool:
        try:
            return bool(self._workbench.problems(name, limit=1))
        except Exception:  # this workbench has none of that name
            return False

    def round_plan(self, entered: Mapping[str, Any], fresh: bool = False) -> dict[str, Any]:
        """What a round would do; nothing is changed."""
        plan = self._rounds.plan(self._settings(entered), fresh is True)
        found: dict[str, Any] = msgspec.to_builtins(plan)
        titles = {one.name: one.title for one in self._workbench.algorithms()}
        algorithm = next((name for name in titles if plan.search.startswith(name)), "")
        search = plan.search.removeprefix(algorithm)
        return {**found, "search": titles.get(algorithm, "") + search}

    def round_start(self, entered: Mapping[str, Any], fresh: bool = False) -> dict[str, Any]:
        """Begin a round, or go on with the unfinished one that was asked for alike."""
        return self._present(self._rounds.start(self._settings(entered), fresh is True))

    def _settings(self, entered: Mapping[str, Any]) -> Any:
        found = fields(entered)
        for name in ("pool", "heldout"):
            self._check_path(str(found.get(name, "")))
        return self._rounds.settings(found)

    def _present(self, series: str) -> dict[str, Any]:
        """The round that a series is at."""
        rows = [one.id for one in self._rounds.states() if one.series == series]
        return {"round": rows[0] if rows else series}

    # Of one round.

    def round_pause(self, round: str) -> dict[str, Any]:
        self._rounds.pause(round)
        return {}

    def round_resume(self, round: str) -> dict[str, Any]:
        return self._present(self._rounds.resume(round))

    def round_cancel(self, round: str) -> dict[str, Any]:
        self._rounds.cancel(round)
        return {}

    def round_delete(self, round: str) -> dict[str, Any]:
        self._rounds.delete(round)
        return {}

    def round_compare(self, one: str, other: str) -> dict[str, Any]:
        """Two rounds on the problems that both have answered; None if there are none."""
        return {"comparison": _comparison(self._rounds.compare(one, other))}

    # Adapters.

    def adapters(self) -> dict[str, Any]:
        """All adapters, the oldest first, and the models in use that they are on."""
        adapters = self._workbench.adapters
        titles = {one.name: one.title for one in self._rounds.recipes()}
        return {
            "adapters": [_adapter(row, titles) for row in adapters.rows()],
            "bases": {
                role: {"base": adapters.base(role), "active": adapters.active(role)}
                for role in _ROLES
            },
        }

    def adapter(self, adapter: str) -> dict[str, Any]:
        """All that is known of an adapter, as in its `meta.json`."""
        row = self._row(adapter)
        return {"meta": {**row.meta, "id": row.id, "role": row.role, "base": row.base}}

    def adapter_use(self, adapter: str, role: str = "") -> dict[str, Any]:
        """Let new sessions use an adapter, those of a round, or none (`base`); of one role, if it
        is named.
        """
        in_use = self._rounds.activate(adapter, role if role in _ROLES else None)
        return {"in_use": list(in_use)}

    def adapter_use_here(self, session: str, role: str, adapter: str) -> dict[str, Any]:
        """Let one session go on with another adapter of a role, `base` for the bare model."""
        self._workbench.steering.use(session, {role: None if adapter == BASE else adapter})
        return {}

    def adapter_delete(self, adapter: str) -> dict[str, Any]:
        self._workbench.adapters.delete(self._row(adapter).id)
        return {}

    def _row(self, adapter: str) -> AdapterRow:
        found = next((one for one in self._workbench.adapters.rows() if one.id == adapter), None)
        if found is None:
            raise ValueError(f"There is no adapter {str(adapter)[:40]!r} here any more.")
        return found


def fields(entered: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the page's form as settings; those that are missing stay as usual.

    Raises:
        ValueError: a number is none, or out of range.
    """
    found: dict[str, Any] = {}
    for name, value in entered.items():
        if name in _NUMBERS:
            found[name] = _whole_number(name, value)
        elif isinstance(value, bool):
            found[name] = value
        else:
            found[name] = str(value).strip()
    for name, what in (("pool", "pool"), ("heldout", "held-out problems")):
        if found.get(name) == "":
            raise ValueError(f"Name a file or folder on this machine for the {what}.")
    return found


def _whole_number(name: str, entered: Any) -> int | None:
    text = "" if entered is None else str(entered).strip()
    least = 0 if name in _FROM_ZERO else 1
    if not text and name in _EMPTY_IS_NONE:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and int(text) >= least):
        raise ValueError(
            f"{_NUMBERS[name]} cannot be {text[:40]!r}: it takes a whole number from {least} on."
        )
    return int(text)


def _brief(state: RoundState, titles: Mapping[str, str]) -> dict[str, Any]:
    """A line of the list."""
    phase = next((one for one in state.phases if one.name == state.phase), None)
    verdict = state.verdict
    asked = state.setting
    calibration = verdict.calibration if verdict else None
    return {
        **{name: getattr(state, name) for name in ("id", "series", "number", "rounds", "recipe")},
        **{name: getattr(state, name) for name in ("status", "active", "left", "created")},
        "title": titles.get(state.recipe, state.recipe),
        "message": _cut(state.message),
        "start": dict(state.start),
        "phase": None if phase is None else _phase(phase),
        "done": sum(one.status in ("done", "skipped") for one in state.phases),
        "phases": len(state.phases),
        "measured": [asked.get(name) for name in ("heldout", "heldout_skip", "heldout_limit")],
        "greedy": _comparison(verdict.greedy) if verdict else None,
        "guided": _comparison(verdict.guided) if verdict else None,
        "brier": [calibration.before.brier, calibration.after.brier] if calibration else None,
        "warnings": len(verdict.warnings) if verdict else 0,
        "adapters": dict(verdict.adapters) if verdict else {},
    }


def _verdict(verdict: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(verdict)
    return {
        **found,
        "greedy": _comparison(verdict.greedy),
        "guided": _comparison(verdict.guided),
        "suspects": {"count": len(found["suspects"]), "rows": found["suspects"][:_MOST_SUSPECTS]},
    }


def _phase(phase: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(phase)
    return found


def _comparison(found: Comparison | None) -> dict[str, Any] | None:
    if found is None:
        return None
    difference = found.difference
    intervals = {name: getattr(found, name) for name in ("before", "after", "difference")}
    return {
        "n": found.n,
        "sentence": found.sentence,
        "significant": difference.low > 0 or difference.high < 0,
        "fixed": len(found.fixed),
        "broken": len(found.broken),
        "same_right": found.same_right,
        "same_wrong": found.same_wrong,
        **{
            name: {"estimate": one.estimate, "low": one.low, "high": one.high}
            for name, one in intervals.items()
        },
    }


def _adapter(row: AdapterRow, titles: Mapping[str, str]) -> dict[str, Any]:
    recipe = row.meta.get("recipe") or {}
    name = str(recipe.get("name", ""))
    evaluation = row.meta.get("evaluation") or {}
    kind = "greedy" if row.role == "policy" else "guided"
    return {
        **{name: getattr(row, name) for name in ("id", "role", "base", "parent", "round")},
        "created": row.created,
        "active": row.active,
        "title": str(recipe.get("title") or titles.get(name, name)),
        "evaluation": (evaluation.get(kind) or {}).get("sentence"),
    }


def _thinned(points: Sequence[tuple[int, float]]) -> list[list[float]]:
    """A curve of few enough points; its last one is kept."""
    every = -(-len(points) // _MOST_POINTS) or 1
    chosen = [*points[::-every][::-1]]
    return [[step, loss] for step, loss in chosen]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
