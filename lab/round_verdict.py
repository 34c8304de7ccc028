"""The end of a round: what it changed, in numbers and words, from the results of its phases."""

from collections.abc import Mapping
from typing import Any

import msgspec

from engine.training.recipes import Recipe
from engine.training.verdict import (
    Calibration,
    Comparison,
    Judged,
    Steps,
    Suspect,
    calibrate,
    compare,
)
from lab.round_results import Changed, Verdict
from sessions.adapters import ROLES, Role
from sessions.batches import BatchProblem
from sessions.store import Store

_SHOWN = 10
"""Examples of each kind."""

_FULL = {"policy": "policy", "prm": "process reward model"}

Results = Mapping[str, Mapping[str, Any]]
"""Phase -> its result."""


def judge(
    store: Store, results: Results, start: Mapping[Role, str | None], recipe: Recipe
) -> Verdict:
    """The verdict on a round whose phases are done; nothing is activated yet."""
    greedy = _compared(store, results["greedy"])
    guided = _compared(store, results["guided"])
    judged = msgspec.convert(results["guided"].get("judged", []), list[Judged])
    calibration = calibrate(judged)
    adapters: dict[Role, str | None] = {role: results[role].get("adapter") for role in ROLES}
    worse: dict[Role, str] = {
        "policy": _worse_policy(greedy),
        "prm": _worse_prm(guided, calibration),
    }
    suspects = msgspec.convert(results["examples"].get("suspects", []), list[Suspect])
    warnings = [
        *_warnings(results, suspects, recipe),
        *(
            f"The new {_FULL[role]} is not activated: {worse[role]}. "
            f"`lab rounds activate {adapters[role]}` uses it all the same."
            for role in ROLES
            if adapters[role] and worse[role]
        ),
    ]
    return Verdict(
        greedy=greedy,
        changed=_changed(store, results["greedy"], greedy),
        guided=guided,
        guided_tokens=results["guided"].get("tokens"),
        calibration=calibration,
        steps=msgspec.convert(results["examples"].get("steps"), Steps | None),
        suspects=suspects,
        warnings=warnings,
        adapters=adapters,
        activated=dict.fromkeys(ROLES, False),
        next={
            role: adapters[role] if adapters[role] and not worse[role] else start[role]
            for role in ROLES
        },
        pool_tokens=results["search"].get("tokens"),
        pool_searches=results["search"].get("done"),
    )


def answers(store: Store, batch: str) -> dict[str, bool]:
    """Whether each finished and graded problem of a batch was answered right, by label."""
    return {
        problem.label: problem.correct
        for problem in store.batches.problems(batch)
        if problem.status == "done" and problem.correct is not None
    }


def _compared(store: Store, result: Mapping[str, Any]) -> Comparison | None:
    if "skipped" in result:
        return None
    return compare(answers(store, result["before"]), answers(store, result["after"]))


def _changed(store: Store, result: Mapping[str, Any], found: Comparison | None) -> list[Changed]:
    if found is None:
        return []
    before, after = (_by_label(store, result[name]) for name in ("before", "after"))
    chosen = [*((one, True) for one in found.fixed[:_SHOWN])]
    chosen += [(one, False) for one in found.broken[:_SHOWN]]
    return [
        Changed(
            problem=label,
            fixed=fixed,
            gold=_gold(store, before[label].session),
            before=before[label].answer,
            after=after[label].answer,
            session_before=before[label].session,
            session_after=after[label].session,
        )
        for label, fixed in chosen
    ]


def _by_label(store: Store, batch: str) -> dict[str, BatchProblem]:
    return {problem.label: problem for problem in store.batches.problems(batch)}


def _gold(store: Store, session: str | None) -> str | None:
    return None if session is None else store.session(session).gold


def _worse_policy(greedy: Comparison | None) -> str:
    """Why the new policy is worse than the old, "" if it is not."""
    if greedy is None or not greedy.worse:
        return ""
    return f"it answers fewer held-out problems than the old one ({greedy.sentence})"


def _worse_prm(guided: Comparison | None, calibration: Calibration | None) -> str:
    if calibration is not None and calibration.collapsed:
        return "its values have collapsed"
    if guided is None or calibration is None or not guided.worse:
        return ""
    # A few searches more or less are chance, unless the values themselves say the same.
    before, after = calibration.before.auc, calibration.after.auc
    ranks_worse = before is not None and after is not None and after < before
    if not (guided.difference.excludes_zero or ranks_worse):
        return ""
    return f"searches with it find fewer answers than with the old one ({guided.sentence})"


def _warnings(results: Results, suspects: list[Suspect], recipe: Recipe) -> list[str]:
    found, examples = [], results["examples"]
    if not examples["solved"]:
        found.append(
            "No right solution was found anywhere in the pool: search with more iterations, take "
            "easier problems, or check their oracle answers."
        )
    learning = (("policy", recipe.policy), ("prm", recipe.prm))
    found += [
        f"There was nothing for the {_FULL[role]} to learn from; it stays as it is."
        for role, part in learning
        if part is not None and examples["solved"] and not examples[role]
    ]
    if suspects:
        found.append(
            f"The oracle answers of {len(suspects):,} problems of the pool may be wrong: most of "
            "their solutions agree on another answer, and the process reward model values it "
            f"highly. Look at session {suspects[0].session} (found {suspects[0].found}, oracle "
            f"{suspects[0].oracle})."
        )
    judged = msgspec.convert(results["guided"].get("judged", []), list[Judged])
    calibration = calibrate(judged)
    if calibration is not None and calibration.collapsed:
        found.append(
            "The values of the new process reward model have collapsed: their standard deviation "
            f"is {calibration.after.spread:.3f}, it was {calibration.before.spread:.3f}."
        )
    for phase, name in (("search", "pool"), ("greedy", "held-out"), ("guided", "searched")):
        if failed := results[phase].get("failed"):
            found.append(f"{failed:,} searches of {name} problems failed and are left out.")
    return found
