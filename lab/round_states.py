"""How a round looks from what is on disk."""

import msgspec

from lab.round_results import PHASES, PhaseState, RoundState, RoundStatus, Verdict
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
    first = result.get("first_update")
    note = "" if first is None else f"first update after {first:.1f} s"
    return PhaseState(name, PHASES[name], "done", seconds=seconds, note=note)
