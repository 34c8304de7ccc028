"""How far every estimator is from the truth, by search budget.

`python -m engine.rewards.known_truth` prints the table of docs/rewards.md.

Searches worlds whose truth is known (`engine.rewards.known_world`) with growing budgets, again and
again with other seeds, and compares what each method says of the unfinished partial solutions in
the tree with the truth: the success probability p (how likely the policy ends it with a correct
answer), whether p > 0 (what hard estimates ask), and the quality value v* (Eq. 1-2 with the true r
and m). A step counts as one token, and all methods read the same trees.

What is met at all depends on the search and its budget, deep partial solutions above all; numbers
of different budgets compare best over the first two steps, hence two tables.

bias is the mean of estimate minus truth over all such nodes; spread the standard deviation among
estimates for partial solutions of the same kinds of steps, whose truth is the same; error the root
of the mean squared error. Intervals are at 95 %, by bootstrap over worlds.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np

from engine.rewards.known_plot import Panel, Point, drawing
from engine.rewards.known_world import KnownWorld, kinds
from engine.rewards.methods import infer
from engine.search.archive import MemoryArchive
from engine.search.driver import Driver, Limits, Search
from engine.tree import Node, Tree

ALGORITHMS = ("sampling", "mcts_star")
BUDGETS = (32, 128, 512)
DEPTHS = (2, None)
ROLLOUTS = 8
_RESAMPLES = 1000

Key = tuple[str, int, int, int | None]  # algorithm, budget, index of the estimator, depth
Truth = Callable[[KnownWorld, tuple[str, ...]], float]
Estimates = dict[int, float]


class Interval95(msgspec.Struct, frozen=True):
    """A number with its 95 % interval."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:+.3f} ({self.low:+.3f} to {self.high:+.3f})"


class Measured(msgspec.Struct, frozen=True):
    """One line of the table.

    Attributes:
        algorithm, budget: of the search; the budget in steps sampled.
        depth: of the deepest nodes compared, None for all.
        steps: really sampled by a search, on average, roll-outs of the estimator included.
        estimator, truth: what is compared with what.
        nodes: estimates compared, of all searches.
        kinds: different sequences of kinds of steps among them.
        repeated: those that were met more than once: the spread comes from them.
        bias, spread, error: see above.
    """

    algorithm: str
    budget: int
    depth: int | None
    steps: float
    estimator: str
    truth: str
    nodes: int
    kinds: int
    repeated: int
    bias: Interval95
    spread: Interval95
    error: Interval95


class Report(msgspec.Struct, frozen=True):
    """All lines, and what they were measured with."""

    worlds: int
    seeds: int
    noise: float
    lines: list[Measured]


class _Estimator(msgspec.Struct, frozen=True):
    name: str
    truth: str
    estimate: Callable[[KnownWorld, Tree, int], Estimates]
    extra_steps: bool = False
    only: str = ""


def _method(name: str) -> Callable[[KnownWorld, Tree, int], Estimates]:
    return lambda world, tree, seed: {row.node: row.value for row in infer(tree, name).rows}


def _rolled_out(world: KnownWorld, tree: Tree, seed: int) -> Estimates:
    ends = {n.id: world.rollouts(tree.steps(n.id), ROLLOUTS, seed) for n in _compared(tree, None)}
    rows = infer(tree, "soft", verdicts={}, rollouts=ends).rows
    return {row.node: row.value for row in rows}


def _searched(field: str) -> Callable[[KnownWorld, Tree, int], Estimates]:
    def read(world: KnownWorld, tree: Tree, seed: int) -> Estimates:
        return {n.id: getattr(n, field) for n in tree.nodes if n.prm_value is not None}

    return read


ESTIMATORS = (
    _Estimator("hard", "p", _method("hard")),
    _Estimator("soft", "p", _method("soft")),
    _Estimator(f"soft, {ROLLOUTS} roll-outs a node", "p", _rolled_out, extra_steps=True),
    _Estimator("v (paper)", "p", _method("paper")),
    _Estimator("progress", "p", _method("progress")),
    _Estimator("PRM", "p", _searched("prm_value")),
    _Estimator("V of the search", "p", _searched("value"), only="mcts_star"),
    _Estimator("hard", "p > 0", _method("hard")),
    _Estimator("v (paper)", "v*", _method("paper")),
    _Estimator("v (reference)", "v*", _method("reference")),
)
TRUTHS: dict[str, Truth] = {
    "p": lambda world, steps: world.success(steps),
    "p > 0": lambda world, steps: float(world.success(steps) > 0),
    "v*": lambda world, steps: world.quality(steps),
}


def measure(worlds: int, seeds: int, noise: float) -> Report:
    """Search and compare.

    Args:
        worlds: how many, from seed 0 on.
        seeds: searches of each world, budget and algorithm; more than one.
        noise: of the PRM, see `KnownWorld`.
    """
    found: dict[Key, list[_Sample]] = {}
    sampled: dict[Key, list[float]] = {}
    for world in (KnownWorld(seed, noise) for seed in range(worlds)):
        for seed in range(seeds):
            for algorithm, budget, tree in _trees(world, seed):
                for index, estimator in enumerate(ESTIMATORS):
                    if estimator.only not in ("", algorithm):
                        continue
                    estimates = estimator.estimate(world, tree, seed)
                    for depth in DEPTHS:
                        key = (algorithm, budget, index, depth)
                        samples = _samples(world, tree, estimator.truth, estimates, depth)
                        found.setdefault(key, []).extend(samples)
                        steps = _steps(world, tree, estimator, depth)
                        sampled.setdefault(key, []).append(steps)
    lines = [
        _line(key, samples, float(np.mean(sampled[key])), worlds)
        for key, samples in found.items()
        if samples
    ]
    return Report(worlds, seeds, noise, sorted(lines, key=_place))


def _place(line: Measured) -> tuple[bool, int, int, int]:
    names = [(estimator.name, estimator.truth) for estimator in ESTIMATORS]
    kind = names.index((line.estimator, line.truth))
    return line.depth is None, ALGORITHMS.index(line.algorithm), kind, line.budget


class _Sample(msgspec.Struct, frozen=True):
    world: int
    kinds: tuple[str, ...]
    estimate: float
    truth: float


def _trees(world: KnownWorld, seed: int) -> Iterator[tuple[str, int, Tree]]:
    """The trees of one seed; a larger budget of MCTS* goes on with the smaller one's search."""
    driver = Driver(world, world, MemoryArchive())
    grown = world.search("mcts_star", {}, seed)
    for budget in BUDGETS:
        samples = max(1, round(budget / world.length()))
        params: dict[str, object] = {"samples": samples, "final_choice": "vote"}
        chains = world.search("sampling", params, seed)
        driver.run([chains], Limits(), _nothing)
        yield "sampling", budget, chains.tree
        left = budget - grown.tree.cost.policy_generated
        if left > 0:
            driver.run([grown], Limits(tokens=left), _nothing)
        yield "mcts_star", budget, grown.tree


def _nothing(search: Search, events: object) -> None:
    """Nobody keeps these searches."""


def _compared(tree: Tree, depth: int | None) -> list[Node]:
    """Unfinished partial solutions, each once: what is finished is known, the root is no step."""
    found = {
        tree.steps(node.id): node
        for node in reversed(tree.nodes)
        if node.parent is not None and (depth is None or node.depth <= depth)
    }
    return [node for node in found.values() if not node.finished]


def _samples(
    world: KnownWorld, tree: Tree, truth: str, estimates: Estimates, depth: int | None
) -> list[_Sample]:
    """Estimates beside the truth."""
    samples = []
    for node in _compared(tree, depth):
        if node.id in estimates:
            path = tree.steps(node.id)
            true = TRUTHS[truth](world, path)
            samples.append(_Sample(world.seed, kinds(path), estimates[node.id], true))
    return samples


def _steps(world: KnownWorld, tree: Tree, estimator: _Estimator, depth: int | None) -> float:
    """Steps that the search and the estimator sampled, the latter's by their mean."""
    steps = float(tree.cost.policy_generated)
    if estimator.extra_steps:
        nodes = _compared(tree, depth)
        steps += ROLLOUTS * sum(world.steps_left(tree.steps(node.id)) for node in nodes)
    return steps


def _line(key: Key, samples: list[_Sample], steps: float, worlds: int) -> Measured:
    algorithm, budget, index, depth = key
    groups: dict[tuple[int, tuple[str, ...]], list[_Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.world, sample.kinds), []).append(sample)
    # Of each world: nodes, sum of errors, of squared errors, degrees of freedom, squares within.
    sums = np.zeros((worlds, 5))
    for (world, _), group in groups.items():
        estimates = np.array([sample.estimate for sample in group])
        errors = estimates - group[0].truth
        within = float(((estimates - estimates.mean()) ** 2).sum())
        sums[world] += (len(group), errors.sum(), (errors**2).sum(), len(group) - 1, within)
    bias, spread, error = _with_intervals(sums)
    return Measured(
        algorithm,
        budget,
        depth,
        steps,
        ESTIMATORS[index].name,
        ESTIMATORS[index].truth,
        len(samples),
        len(groups),
        sum(len(group) > 1 for group in groups.values()),
        bias,
        spread,
        error,
    )


def _with_intervals(sums: np.ndarray) -> list[Interval95]:
    """Bias, spread and error of all worlds; worlds are drawn again for the intervals."""
    draws = np.random.default_rng(0).integers(len(sums), size=(_RESAMPLES, len(sums)))
    drawn = sums[draws].sum(axis=1)
    estimates, resampled = _statistics(sums.sum(axis=0)), _statistics(drawn.T)
    intervals = []
    for estimate, values in zip(estimates, resampled, strict=True):
        low, high = np.percentile(values, [2.5, 97.5])
        intervals.append(Interval95(float(estimate), float(low), float(high)))
    return intervals


def _statistics(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    nodes, errors, squares, freedom, within = sums
    return (
        errors / np.maximum(nodes, 1),
        np.sqrt(within / np.maximum(freedom, 1)),
        np.sqrt(squares / np.maximum(nodes, 1)),
    )


def table(report: Report, depth: int | None) -> str:
    """The lines of a depth as a Markdown table."""
    rows = [
        "| search | steps | estimator | truth | nodes (kinds) | bias | spread | error |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for line in (line for line in report.lines if line.depth == depth):
        spread = f"{line.spread.estimate:.3f} ({line.spread.low:.3f} to {line.spread.high:.3f})"
        error = f"{line.error.estimate:.3f} ({line.error.low:.3f} to {line.error.high:.3f})"
        rows.append(
            f"| {line.algorithm} | {line.steps:,.0f} | {line.estimator} | {line.truth} | "
            f"{line.nodes:,} ({line.kinds:,}) | {line.bias} | {spread} | {error} |"
        )
    return "\n".join(rows)


def plot(report: Report) -> str:
    """Bias, spread and error by budget over the first steps, as SVG."""
    rows = []
    for what in ("bias", "spread", "error"):
        row = []
        for algorithm in ALGORITHMS:
            curves: dict[str, list[Point]] = {}
            for line in report.lines:
                if (line.algorithm, line.depth) == (algorithm, DEPTHS[0]):
                    found: Interval95 = getattr(line, what)
                    point = Point(line.steps, found.estimate, found.low, found.high)
                    curves.setdefault(f"{line.estimator}, of {line.truth}", []).append(point)
            row.append(Panel(f"{what}, {algorithm}", curves))
        rows.append(row)
    return drawing(rows)


def main(arguments: list[str] | None = None) -> int:
    """Run the measurement of the command line; 0 if done."""
    parser = argparse.ArgumentParser(prog="python -m engine.rewards.known_truth")
    parser.add_argument("--worlds", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=6, help="searches of each world and budget")
    parser.add_argument("--noise", type=float, default=1.0, help="of the PRM, in logits")
    parser.add_argument("--json", type=Path, help="write all numbers there")
    parser.add_argument("--svg", type=Path, help="draw bias and error by budget there")
    options = parser.parse_args(arguments)
    if options.worlds < 1 or options.seeds < 2 or not options.noise >= 0:
        print("Give at least 1 world, 2 seeds, and a noise of 0 or more.", file=sys.stderr)
        return 2
    began = time.perf_counter()
    report = measure(options.worlds, options.seeds, options.noise)
    for depth in DEPTHS:
        print(f"{'All steps' if depth is None else f'The first {depth} steps'}\n")
        print(f"{table(report, depth)}\n")
    seconds = time.perf_counter() - began
    print(
        f"\n{report.worlds} worlds, {report.seeds} seeds, noise {report.noise:g}; {seconds:.0f} s"
    )
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    if options.svg:
        options.svg.write_text(plot(report), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
