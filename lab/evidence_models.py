"""Outcome models for the comparison of verifiers, taught on a CPU in minutes.

An outcome reward model learns whether the answer of a whole solution is right; a value model the
same from every beginning of it. Both grow out of the bundled policy, as the bundled process reward
model has learnt from exact labels of steps, and learn from the policy's own samples of problems of
the `pool` split, which are none of those that are asked.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from engine.models.loading import ModelSpec
from engine.models.pool import ModelPool
from engine.models.transformers_prm import HEAD_CONFIG, HEAD_WEIGHTS, load_prm
from engine.training.examples import Valued
from engine.training.learner import Learnt, Schedule
from engine.training.recipes import PrmPart
from engine.training.student import LoraSettings
from engine.training.teaching import teach_prm
from engine.verifiers.traces import Trace

Kind = Literal["orm", "value"]
KINDS: tuple[Kind, ...] = ("orm", "value")
SCHEDULE = Schedule(epochs=1.0, most_steps=300, batch=16, rate=2e-4, checkpoint=100)
"""At ten times the rate, as for any model so narrow; some five minutes on one core."""


def examples(traces: Sequence[Trace], kind: Kind) -> list[Valued]:
    """What is learnt: 1 or 0 by the answer, at the end (`orm`) or after every step (`value`)."""
    found = []
    for trace in dict.fromkeys(one for one in traces if one.steps):
        right = float(trace.correct is True)
        before = None if kind == "orm" else right
        values = (before,) * (len(trace.steps) - 1) + (right,)
        found.append(Valued(trace.question, trace.steps, values))
    return found


def teach(policy: Path, traces: Sequence[Trace], kind: Kind, folder: Path, seed: int) -> Path:
    """Teach a model of a kind, if it is not there.

    Args:
        policy: directory of the policy that it grows out of.
        traces: solutions of which it is known whether they are right.
        kind: of model.
        folder: where everything goes.
        seed: of the adapter and of the order of examples.

    Returns:
        Its directory, an adapter with a value head.

    Raises:
        LabError: it cannot be taught.
    """
    out = folder / f"{kind}-{seed}"
    if out.exists():
        return out
    spec = ModelSpec(path=str(_start(policy, folder)), quant="none", dtype="fp32", device="cpu")
    part = PrmPart(loss="cross_entropy", schedule=SCHEDULE)
    checkpoints = folder / f"{kind}-{seed}-checkpoints"
    learnt: Learnt = teach_prm(
        load_prm(spec, ModelPool()),
        examples(traces, kind),
        part,
        LoraSettings(rank=32, alpha=64),
        checkpoints,
        out,
        seed,
    )
    (folder / f"{kind}-{seed}.json").write_bytes(msgspec.json.encode(learnt))
    shutil.rmtree(checkpoints, ignore_errors=True)
    return out


def _start(policy: Path, folder: Path) -> Path:
    """The policy with a head that says one half of everything."""
    import torch
    from safetensors.torch import save_file

    start = folder / "policy-with-head"
    if not (start / HEAD_CONFIG).exists():
        shutil.copytree(policy, start, dirs_exist_ok=True)
        width = json.loads((policy / "config.json").read_text("utf-8"))["hidden_size"]
        save_file({"weight": torch.zeros(1, width), "bias": torch.zeros(1)}, start / HEAD_WEIGHTS)
        (start / HEAD_CONFIG).write_text('{"outputs": ["right"], "read": "right"}\n', "ascii")
    return start
