"""Run the whole recipe: tokenizer, policy, policy traces, PRM, and the problem files.

    python -m engine.bundled --seed 0 --out DIR

writes `DIR/tiny-policy` and `DIR/tiny-prm`; `--problems DIR` writes the problem files instead.
The same seed gives the same weights up to floating point, whatever the machine's speed.
"""

from __future__ import annotations

import argparse
import logging
import os
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch starts its threads


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and run what it asks for."""
    parser = argparse.ArgumentParser(prog="python -m engine.bundled", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of corpus, weights and samples")
    parser.add_argument("--out", type=Path, help="folder for tiny-policy and tiny-prm")
    parser.add_argument("--policy-tokens", type=int, help="budget of the policy")
    parser.add_argument("--prm-tokens", type=int, help="budget of each stage of the PRM")
    parser.add_argument("--prm-stories", type=int, help="stories with policy traces")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--problems", type=Path, help="write the problem files there and stop")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if options.problems:
        from engine.bundled.problems import write_problems

        write_problems(options.problems)
    elif options.out:
        train(options)
    else:
        parser.error("give --out DIR or --problems DIR")


def train(options: argparse.Namespace) -> None:
    """Tokenizer, policy, policy traces, PRM; budgets not given are those of the shipped weights."""
    import torch

    from engine.bundled import train_policy, train_prm
    from engine.bundled.measure import load_policy
    from engine.bundled.tokenizer import train_tokenizer

    torch.set_num_threads(options.threads)
    tokenizer = train_tokenizer(options.seed)
    policy = train_policy.train_policy(
        options.seed, tokenizer, options.policy_tokens or train_policy.BUDGET
    )
    train_policy.save_model(policy, tokenizer, options.out / "tiny-policy")
    policy = load_policy(options.out / "tiny-policy")  # the PRM starts from what is shipped
    prm = train_prm.new_prm(policy)
    for k, shipped in enumerate(train_prm.STAGES):
        stage = replace(
            shipped,
            tokens=options.prm_tokens or shipped.tokens,
            stories=options.prm_stories or shipped.stories,
        )
        seed = options.seed + 1000 * k
        sampled = train_prm.policy_traces(seed, policy, tokenizer, stage.stories)
        train_prm.train_prm(seed, prm, tokenizer, sampled, stage)
    train_prm.save_prm(prm, tokenizer, options.out / "tiny-prm")


if __name__ == "__main__":
    main()
