"""Compare search methods on problems: `python -m engine.evaluation --limit 500`."""

import argparse
import os
import sys
import time
from pathlib import Path

import msgspec

from engine.errors import LabError
from engine.evaluation.compare import Comparison, Contest, Method, Question, table
from engine.tasks.grading import grade
from engine.tasks.problems import bundled_problems, read_problems

METHODS = (
    Method("beam 2x8", "beam", {"width": 2, "branch": 8}, to_its_end=True),
    Method("MCTS*", "mcts_star", {}),
)


def main(arguments: list[str] | None = None) -> int:
    """Run the comparison named on the command line; 0 if done, 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m engine.evaluation", description=__doc__)
    parser.add_argument("--policy", default="assets/models/tiny-policy", help="model directory")
    parser.add_argument("--prm", default="assets/models/tiny-prm", help="model directory")
    parser.add_argument("--quant", default="nf4", choices=("nf4", "int8", "none"))
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--problems", default="stories-heldout", help="bundled file or a .jsonl path"
    )
    parser.add_argument("--limit", type=int, default=500, help="how many, from the top of the file")
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--parallel", type=int, default=64, help="searches in one batch")
    parser.add_argument("--json", type=Path, help="write every method's result per problem there")
    options = parser.parse_args(arguments)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch starts its threads
    try:
        began = time.perf_counter()
        result = compare(options)
    except LabError as error:
        print(error, file=sys.stderr)
        return 2
    print(table(result, "MCTS*, vote"))
    seconds = time.perf_counter() - began
    print(f"\nn = {len(result.groups)}, seed {options.seed}, {options.quant}, {seconds:.0f} s")
    if options.json:
        options.json.write_bytes(msgspec.json.encode(result))
    return 0


def compare(options: argparse.Namespace) -> Comparison:
    """Load the models and run every method.

    Raises:
        LabError: a model or a problem file is not usable.
    """
    from engine.models.loading import ModelSpec
    from engine.models.pool import ModelPool
    from engine.models.transformers_policy import load_policy
    from engine.models.transformers_prm import load_prm

    given = Path(options.problems)
    problems = read_problems(given) if given.suffix else bundled_problems(options.problems)
    chosen = problems[: options.limit]
    questions = [Question(p.content, p.answer, str(p.steps) if p.steps else "") for p in chosen]
    pool = ModelPool()
    quant, device = options.quant, options.device
    policy = load_policy(ModelSpec(path=options.policy, quant=quant, device=device), pool)
    prm = load_prm(ModelSpec(path=options.prm, quant=quant, device=device), pool)
    contest = Contest(
        policy, prm, grade, seed=options.seed, parallel=options.parallel, progress=_say
    )
    return contest.run(questions, METHODS, options.samples)


def _say(method: str, done: int, total: int) -> None:
    print(f"\r{method}: {done} of {total}    ", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
