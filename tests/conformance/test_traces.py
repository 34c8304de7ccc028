"""MCTS* reproduces the recorded traces of the reference implementation node by node."""

from pathlib import Path
from typing import Any

import pytest

from engine import events as ev
from engine.rewards import inferred
from engine.search import answers, mcts_star
from engine.tree import Node
from tests.conformance.replay import VERDICTS, Replay

TOLERANCE = 1e-12


def same(place: str, expected: object, got: object) -> None:
    """Floats to 1e-12, everything else exactly; a failure names the place."""
    if isinstance(expected, dict) and isinstance(got, dict):
        same(f"{place}: keys", sorted(map(str, expected)), sorted(map(str, got)))
        by_text = {str(key): value for key, value in got.items()}
        for key, value in expected.items():
            same(f"{place}[{key}]", value, by_text[str(key)])
    elif isinstance(expected, list) and isinstance(got, (list, tuple)):
        same(f"{place}: length", len(expected), len(got))
        for index, (left, right) in enumerate(zip(expected, got, strict=True)):
            same(f"{place}[{index}]", left, right)
    else:
        numbers = (int, float)
        plain = not isinstance(expected, bool) and not isinstance(got, bool)
        if plain and isinstance(expected, numbers) and isinstance(got, numbers):
            equal = abs(expected - got) <= TOLERANCE
        else:
            equal = type(expected) is type(got) and expected == got
        assert equal, f"{place}: expected {expected!r}, got {got!r}"


@pytest.fixture(name="replay", scope="session")
def run_once() -> Any:
    runs: dict[Path, Replay] = {}

    def replay(file: Path) -> Replay:
        if file not in runs:
            runs[file] = Replay(file)
        return runs[file]

    return replay


def of(kind: type, events: list[ev.Event]) -> Any:
    """The one event of a kind in an iteration, None if there is none."""
    found = [event for event in events if isinstance(event, kind)]
    assert len(found) <= 1, f"{len(found)} events {kind.__name__} in one iteration"
    return found[0] if found else None


def test_iterations(trace_file: Path, replay: Any) -> None:
    run = replay(trace_file)
    expected = run.trace["expected"]["iterations"]
    same(f"{trace_file.name}: iterations", len(expected), len(run.iterations))
    for row, events, tree in zip(expected, run.iterations, run.trees, strict=True):
        place = f"{trace_file.name}: iteration {row['i']}"
        check_selection(place, row, events)
        check_expansion(place, row, events)
        check_rollout(place, row, events)
        check_picks(place, row, events)
        same(f"{place}: nodes", sorted(map(int, row["tree"])), sorted(tree))
        for node, (value, visits) in row["tree"].items():
            same(f"{place}: node {node}: V", value, tree[int(node)][0])
            same(f"{place}: node {node}: visits", visits, tree[int(node)][1])
        finished = events[-1]
        assert isinstance(finished, ev.IterationFinished)
        same(f"{place}: stopped", row["stopped"], finished.stop == "gate")
    finish = next((e.iteration for e in (x[-1] for x in run.iterations) if e.stop == "gate"), -1)
    same(f"{trace_file.name}: finish", run.trace["expected"]["finish"], finish)


def check_selection(place: str, row: dict[str, Any], events: list[ev.Event]) -> None:
    selected = of(ev.Selected, events)
    same(f"{place}: selected path", row["selected"]["path"], selected.path)
    same(f"{place}: terminal", row["selected"]["terminal"], selected.terminal)


def check_expansion(place: str, row: dict[str, Any], events: list[ev.Event]) -> None:
    expanded = of(ev.Expanded, events)
    if row["expand"] is None:
        assert expanded is None, f"{place}: expected no expansion, got {expanded}"
        return
    want = row["expand"]
    same(f"{place}: expansion status", want["status"], expanded.status)
    same(f"{place}: proposals", want["proposals"] or [], expanded.proposals)
    evaluated = of(ev.Evaluated, events)
    values = {v.node: v.value for v in evaluated.values} if evaluated else {}
    after = max((i for i, e in enumerate(events) if e is evaluated), default=0)
    before_rollout = {}
    for event in events[after:]:
        if isinstance(event, ev.RolledOut):
            break
        if isinstance(event, ev.Judged):
            before_rollout[event.node] = event.verdict
    children = []
    for child in expanded.children:
        children.append({"id": child.id, "step": child.step, "V": values[child.id]})
    same(
        f"{place}: children",
        [{key: c[key] for key in ("id", "step", "V")} for c in want["children"]],
        children,
    )
    for child in want["children"]:
        if child["reflection"]:
            same(
                f"{place}: node {child['id']} reflection",
                VERDICTS[child["reflection"]],
                before_rollout.get(child["id"], "unknown"),
            )


def check_rollout(place: str, row: dict[str, Any], events: list[ev.Event]) -> None:
    rolled, want = of(ev.RolledOut, events), row["rollout"]
    if want is None:
        assert rolled is None, f"{place}: expected no roll-out, got one from {rolled.node}"
        return
    same(f"{place}: roll-out node", want["node"], rolled.node)
    same(f"{place}: V_before", want["V_before"], rolled.value_before)
    same(f"{place}: best_V", want["best_V"], rolled.best)
    same(f"{place}: V_after", want["V_after"], rolled.value_after)
    steps = [
        {
            "candidates": step.candidates,
            "values": step.values,
            "chosen": step.chosen,
            "chosen_value": step.value,
            "critic": None if step.chosen is None else f"<{step.verdict}>",
        }
        for step in rolled.steps
    ]
    same(f"{place}: roll-out steps", want["steps"], steps)


def check_picks(place: str, row: dict[str, Any], events: list[ev.Event]) -> None:
    rolled = of(ev.RolledOut, events)
    picks = of(ev.Selected, events).picks + ([rolled.pick] if rolled else [])
    got = [
        {"at": p.parent, "scores": {s.node: s.total for s in p.scores}, "picked": p.chosen}
        for p in picks
    ]
    same(f"{place}: picks", row["picks"], got)
    ties = []
    for pick in picks:
        top = max(s.total for s in pick.scores)
        equal = [s.node for s in pick.scores if s.total == top]
        if len(equal) > 1:
            ties.append(equal)
    same(f"{place}: ties", row["ties"], ties)


def test_tree_after_search(trace_file: Path, replay: Any) -> None:
    run = replay(trace_file)
    names = {verdict: flag for flag, verdict in VERDICTS.items()}

    def row(node: Node) -> dict[str, Any]:
        return {
            "id": node.id,
            "parent": node.parent,
            "depth": node.depth,
            "step": node.step,
            "V": node.value,
            "numVisits": node.visits,
            "expanded": node.expanded,
            "reflection": names[node.verdict],
            "final_ans_flag": int(node.closed),
        }

    # What the conclusion asked must not show: the reference lists the tree before it.
    expected = run.trace["expected"]["nodes_after_search"]
    got = [row(node) for node in run.search.tree.depth_first()]
    same(f"{trace_file.name}: nodes", expected, got)
    best = answers.best_value(run.search.tree)
    value = run.search.tree.node(best).value
    same(f"{trace_file.name}: getBestV", run.trace["expected"]["getBestV"], [best, value])


def targets(items: list[inferred.ValueTarget]) -> list[dict[str, Any]]:
    return [{"steps": item.steps, "value": item.value} for item in items]


def solution(run: Replay, node: int) -> dict[str, Any]:
    return {
        "solution": "".join(run.search.tree.steps(node)),
        "summary": run.search.tree.node(node).summary,
        "correct": run.search.tree.node(node).correct,
    }


def test_outcome(trace_file: Path, replay: Any) -> None:
    run = replay(trace_file)
    if "chosen_node" in run.trace["expected"]:
        check_simple_outcome(trace_file, run)
    else:
        check_full_outcome(trace_file, run)


def check_simple_outcome(trace_file: Path, run: Replay) -> None:
    want, tree = run.trace["expected"], run.search.tree
    chosen = tree.node(tree.best)
    got = solution(run, chosen.id)
    same(f"{trace_file.name}: chosen node", want["chosen_node"], chosen.id)
    same(f"{trace_file.name}: chosen V", want["chosen_V"], chosen.value)
    same(f"{trace_file.name}: solution", want["solution"], got["solution"])
    same(f"{trace_file.name}: summary", want["chosen_summary"], got["summary"])
    same(f"{trace_file.name}: correct", want["chosen_correct"], got["correct"])
    samples = targets(inferred.progress_targets(tree, chosen.id))
    same(f"{trace_file.name}: new_value_samples", want["new_value_samples"], samples)


def check_full_outcome(trace_file: Path, run: Replay) -> None:
    want, tree, name = run.trace["expected"], run.search.tree, trace_file.name
    leaves = mcts_star.end_leaves(tree, run.search.params)
    same(f"{name}: end leaves", [leaf["id"] for leaf in want["end_leaves"]], leaves)
    samples = [solution(run, leaf) for leaf in leaves]
    same(f"{name}: policy samples", want["policy_samples"], samples)
    verdicts = {leaf: bool(tree.node(leaf).correct) for leaf in leaves}
    same(f"{name}: any correct", want["any_correct"], any(verdicts.values()))
    if "final_solution_best" in want:
        best = solution(run, tree.best)
        same(f"{name}: final_solution_best", want["final_solution_best"], best)
        voted = tree.voted if tree.voted is not None else tree.best
        weighted = solution(run, voted)
        same(f"{name}: final_solution_weighted", want["final_solution_weighted"], weighted)
    if "value_samples_prm" in want:
        got = targets(inferred.hard_targets(tree, verdicts))
        same(f"{name}: value_samples_prm", want["value_samples_prm"], got)
    if "value_samples_vm" in want:
        got = targets(inferred.quality_targets(tree, verdicts))
        same(f"{name}: value_samples_vm", want["value_samples_vm"], got)
        check_labels(name, run, verdicts)
    view = want["prm_view"]
    estimates = inferred.hard_estimates(tree, verdicts)
    got = [{"steps": "".join(tree.steps(i)), "value": value} for i, value in estimates.items()]
    same(f"{name}: prm_view", view["value_samples"], got)


def check_labels(name: str, run: Replay, verdicts: dict[int, bool]) -> None:
    """The reference's table names every node; pruned ones keep distance 1024 and their V."""
    tree = run.search.tree
    labels = inferred.quality_labels(tree, verdicts)
    got = {}
    for node in tree.depth_first():
        label = labels.get(node.id)
        got[node.id] = {
            "min_steps_to_correct": label.distance if label else 1024,
            "he": int(label.right) if label else 0,
            "V": label.value if label else node.value,
        }
    same(f"{name}: labels", run.trace["expected"]["label_nodes"], got)
