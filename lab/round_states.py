"""How a round looks from what is on disk, and how long one like it takes."""

from collections.abc import Sequence

import msgspec

from lab.round_results import PHASES, PhaseState, RoundSettings, RoundState, RoundStatus, Verdict
from sessions.rounds import RoundRow


def on_disk(row: RoundRow) -> RoundState:
    """A round that this process does not work on, or what it has finished of one."""
    recorded = row.result("record")
    curves = {
        role: [(int(step), float(loss)) for step, loss in training["losses"]]
        for role in ("prm", "policy")
        if (training := (row.result(role) or {}).get("training"))
    }
    return RoundState(
        id=row.id,
        series=row.series,
        number=row.number,
        rounds=row.setting["rounds"],
        recipe=row.recipe,
        setting=row.setting["asked"],
        start=row.setting["start"],
        status=_status(row),
        phase="",
        phases=[_phase(row, name) for name in PHASES],
        curves=curves,
        message=row.message,
        left=None,
        verdict=msgspec.convert(recorded, Verdict) if recorded else None,
        created=row.created,
    )


def _status(row: RoundRow) -> RoundStatus:
    if row.status == "open":
        return "failed" if row.message else "idle"
    return row.status


def _phase(row: RoundRow, name: str) -> PhaseState:
    begun, result = row.phases.get(name), row.result(name)
    seconds = begun.seconds if begun else 0.0
    if result is None:
        return PhaseState(name, PHASES[name], "waiting", seconds=seconds)
    if "skipped" in result:
        return PhaseState(name, PHASES[name], "skipped", note=result["skipped"])
    return PhaseState(name, PHASES[name], "done", seconds=seconds)


def phase_seconds(
    rows: Sequence[RoundRow], recipe: str, settings: RoundSettings
) -> dict[str, float]:
    """How long each phase may take, from the last round of this recipe that is done; empty if there
    is none. Searches take longer with more problems, and training with more examples.
    """
    last = next((row for row in rows if row.recipe == recipe and row.status == "done"), None)
    if last is None:
        return {}
    then = msgspec.convert(last.setting["asked"], RoundSettings)
    pool = _ratio(settings.pool_limit, then.pool_limit)
    updates = pool if settings.updates is None else _ratio(settings.updates, then.updates)
    scale = {
        "search": pool,
        "examples": pool,
        "prm": updates,
        "policy": updates,
        "greedy": _ratio(settings.heldout_limit, then.heldout_limit),
        "guided": _ratio(settings.guided_limit, then.guided_limit),
    }
    return {name: row.seconds * scale.get(name, 1.0) for name, row in last.phases.items()}


def seconds_expected(
    rows: Sequence[RoundRow], recipe: str, settings: RoundSettings
) -> float | None:
    """How long a round may take, None where nothing is known."""
    found = phase_seconds(rows, recipe, settings)
    return sum(found.values()) if found else None


def _ratio(now: int | None, then: int | None) -> float:
    return now / then if now and then else 1.0
