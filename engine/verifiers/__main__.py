"""Compare verifiers on solutions of one policy: `python -m engine.verifiers --limit 500`."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec

from engine.errors import LabError
from engine.models.base import Policy, ProcessRewardModel
from engine.models.loading import ModelSpec
from engine.search.archive import MemoryArchive
from engine.search.driver import Driver, Limits, Search, create
from engine.tasks.datasets import DatasetProblem, read_dataset
from engine.tasks.grading import grade
from engine.verifiers.comparison import Row, compare, table
from engine.verifiers.registry import VERIFIERS, VOTES, Models, make_verifier
from engine.verifiers.traces import Trace, trace_of
from engine.verifiers.verifying import Verifier

BASELINE = "self-consistency"
USUAL = ("oracle", BASELINE, *(f"prm-{how}" for how in ("last", "min", "product", "mean")))
USUAL += tuple(f"{name}{VOTES}" for name in USUAL if name.startswith("prm-"))
_ASKED = {name for name, kind in VERIFIERS.items() if kind.needs in ("marker", "own")}


class Compared(msgspec.Struct, frozen=True):
    """What the JSON file holds: the setting, and a row for each verifier."""

    problems: int
    samples: int
    seed: int
    policy: str
    prm: str
    rows: list[Row]


def main(arguments: list[str] | None = None) -> int:
    """Run the comparison named on the command line; 0 if done, 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m engine.verifiers", description=__doc__)
    bundled = Path(__file__).resolve().parents[2] / "assets" / "models"
    parser.add_argument("--policy", default=str(bundled / "tiny-policy"), help="model directory")
    parser.add_argument("--prm", default=str(bundled / "tiny-prm"), help="model directory")
    parser.add_argument("--prm-format", help="how it is read; found out from its files")
    parser.add_argument("--orm", help="directory of an outcome reward model")
    parser.add_argument("--orm-format", help="likewise")
    parser.add_argument("--value", help="directory of a value model other than the PRM")
    parser.add_argument("--value-format", help="likewise")
    parser.add_argument("--judge", help="directory of a chat model to ask; the policy by default")
    parser.add_argument("--quant", default="nf4", choices=("nf4", "int8", "none"))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--problems", default="heldout", help="a data file, or a bundled split")
    parser.add_argument("--limit", type=int, default=500, help="how many, from the top of the file")
    parser.add_argument("--samples", type=int, default=16, help="solutions of each problem")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--verifiers",
        nargs="+",
        default=USUAL,
        help=f"of {', '.join(VERIFIERS)}; {VOTES} after a name lets the solutions vote",
    )
    parser.add_argument("--json", type=Path, help="write every verifier's result per problem there")
    options = parser.parse_args(arguments)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch starts its threads
    began = time.perf_counter()
    try:
        found = run(options)
    except LabError as error:
        print(error, file=sys.stderr)
        return 2
    baseline = BASELINE if BASELINE in options.verifiers else options.verifiers[0]
    print(table(found.rows, baseline))
    seconds = time.perf_counter() - began
    print(
        f"\n{found.problems} problems, {options.samples} solutions each, seed {options.seed}, "
        f"{options.quant}, {seconds:.0f} s"
    )
    if options.json:
        options.json.write_bytes(msgspec.json.encode(found))
    return 0


def run(options: argparse.Namespace) -> Compared:
    """Load the models, sample the solutions and ask every verifier.

    Raises:
        LabError: a model, a problem file or a verifier is not usable.
    """
    from engine.models.pool import ModelPool
    from engine.models.transformers_policy import load_policy
    from engine.models.transformers_prm import load_prm
    from engine.verifiers.judges import PolicyMarker

    problems = read_dataset(options.problems, limit=options.limit).problems
    pool = ModelPool()

    def spec(path: str, form: str | None = None) -> ModelSpec:
        return ModelSpec(
            path=path, quant=options.quant, device=options.device, prm_format=form or None
        )

    policy = load_policy(spec(options.policy), pool)
    prm = load_prm(spec(options.prm, options.prm_format), pool)
    asked = _ASKED & {name.removesuffix(VOTES) for name in options.verifiers}
    own = (
        PolicyMarker(policy)
        if asked and not (options.judge and "self-reward" not in asked)
        else None
    )
    models = Models(
        prm,
        load_prm(spec(options.orm, options.orm_format), pool) if options.orm else None,
        load_prm(spec(options.value, options.value_format), pool) if options.value else None,
        PolicyMarker(load_policy(spec(options.judge), pool)) if options.judge else own,
        own,
    )
    verifiers: dict[str, Verifier] = {
        name: make_verifier(name, models) for name in options.verifiers
    }
    groups = sample(problems, policy, prm, options.samples, options.seed)
    rows = compare(groups, verifiers, pool.store.clear)
    return Compared(
        len(problems), options.samples, options.seed, policy.identity, prm.identity, rows
    )


def sample(
    problems: Sequence[DatasetProblem],
    policy: Policy,
    prm: ProcessRewardModel,
    samples: int,
    seed: int,
    parallel: int = 64,
) -> list[list[Trace]]:
    """Independent solutions of each problem by the policy; the PRM is not asked.

    parallel: problems in one batch; changes no solution.
    """
    params = {"samples": samples, "final_choice": "majority"}
    driver = Driver(policy, prm, MemoryArchive())
    searches = []
    for problem in problems:
        first = create(
            problem.content, problem.answer, "sampling", params, seed, policy.identity, prm.identity
        )
        searches.append(Search([first], partial(grade, gold=problem.answer)))
    waiting = searches[::-1]
    while waiting or driver.active:
        while waiting and len(driver.active) < parallel:
            driver.start(waiting.pop(), Limits(), lambda _, events: None)
        for failed in driver.tick():
            raise failed.error
        done = len(searches) - len(waiting) - len(driver.active)
        print(f"\r{done} of {len(searches)} problems solved", end="", file=sys.stderr, flush=True)
    return [
        [trace_of(s.tree, node) for node in s.algorithm.end_leaves(s.tree, s.params)]
        for s in searches
    ]


if __name__ == "__main__":
    sys.exit(main())
