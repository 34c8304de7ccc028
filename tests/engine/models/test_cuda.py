"""The same runtime on an accelerator: 4-bit weights, batches, adapters."""

import shutil
from pathlib import Path

import pytest
import torch

from engine.models import hardware
from engine.models.base import PrefixRequest, ProposalRequest, Sampling
from engine.models.loading import ModelSpec
from engine.models.pool import ModelPool
from engine.models.transformers_policy import load_policy
from engine.models.transformers_prm import load_prm
from tests.engine.models.conftest import write_adapter, write_head

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
REQUESTS = [
    ProposalRequest("q", ("1 + 1 = 2\n",) * (k % 3), k, slot, 0, Sampling())
    for k in range(6)
    for slot in range(3)
]


def test_nf4_is_the_default_and_really_4_bit(lines_model: Path) -> None:
    policy = load_policy(ModelSpec(path=str(lines_model)), ModelPool())
    base = policy.handle.base
    assert str(base.device).startswith("cuda")
    assert base.quantised == "nf4"
    assert hardware.four_bit_kernel("cuda") == "cuda"
    kinds = [type(module).__name__ for module in base.model.modules()]
    assert kinds.count("Linear4bit") == 14
    assert len(policy.propose(REQUESTS)) == len(REQUESTS)


def test_int8_loads(lines_model: Path) -> None:
    policy = load_policy(ModelSpec(path=str(lines_model), quant="int8"), ModelPool())
    assert policy.handle.base.quantised == "int8"
    assert policy.propose(REQUESTS[:3])[0].tokens


def test_steps_do_not_depend_on_the_batch_in_fp32(lines_model: Path) -> None:
    spec = ModelSpec(path=str(lines_model), quant="none", dtype="fp32")
    policy = load_policy(spec, ModelPool())
    together = [found.tokens for found in policy.propose(REQUESTS)]
    alone = [policy.propose([request])[0].tokens for request in REQUESTS]
    assert alone == together


def test_adapters_share_a_4_bit_base(lines_model: Path, tmp_path: Path) -> None:
    adapter = write_head(write_adapter(tmp_path / "prm", lines_model))
    pool = ModelPool()
    policy = load_policy(ModelSpec(path=str(lines_model)), pool)
    before = [found.tokens for found in policy.propose(REQUESTS)]
    prm = load_prm(ModelSpec(path=str(adapter)), pool)
    assert len(pool.bases) == 1
    values = prm.score([PrefixRequest("q", ("1 + 1 = 2\n",))])
    assert 0.0 < values[0].value < 1.0
    assert [found.tokens for found in policy.propose(REQUESTS)] == before


def test_values_agree_with_the_cpu(lines_model: Path, tmp_path: Path) -> None:
    directory = write_head(shutil.copytree(lines_model, tmp_path / "prm"))
    requests = [PrefixRequest("q", ("1 + 1 = 2\n",) * k) for k in range(1, 4)]
    values = [
        [
            found.value
            for found in load_prm(
                ModelSpec(path=str(directory), quant="none", dtype="fp32", device=device),
                ModelPool(),
            ).score(requests)
        ]
        for device in ("cuda", "cpu")
    ]
    assert values[0] == pytest.approx(values[1], abs=1e-3)
