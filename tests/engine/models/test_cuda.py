"""The same runtime on an accelerator: 4-bit weights, batches, adapters, recorded steps."""

import math
import shutil
from pathlib import Path

import pytest
import torch

from engine.models import hardware
from engine.models.base import PrefixRequest, ProposalRequest, Sampling
from engine.models.decoding import TreeReader
from engine.models.kv_store import KVStore
from engine.models.loading import ModelSpec
from engine.models.plain import PlainReader
from engine.models.pool import Handle, ModelPool
from engine.models.reading import open_reader
from engine.models.transformers_policy import load_policy
from engine.models.transformers_prm import load_prm
from tests.engine.models.conftest import row, some_text, write_adapter, write_head

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


@pytest.fixture
def on_cuda(lines_model: Path) -> Handle:
    """In fp32, without the rounding of TF32, so that results can be compared."""
    torch.backends.cuda.matmul.allow_tf32 = False
    spec = ModelSpec(path=str(lines_model), quant="none", dtype="fp32", device="cuda")
    return ModelPool().open(spec)


ROWS = [
    *(row(seed, some_text(40), limit=8 + seed) for seed in range(5)),
    *(row(seed, some_text(20, seed), limit=10) for seed in range(5)),
    row(9, some_text(30, 9), limit=200),  # its lane grows in the middle
]


def same_as_plain(handle: Handle, one: TreeReader) -> None:
    plain = PlainReader(handle, KVStore(0)).decode(ROWS, frozenset())
    for _ in range(2):
        found = one.decode(ROWS, frozenset())
        assert [f.tokens for f in found] == [f.tokens for f in plain]
        for mine, other in zip(found, plain, strict=True):
            assert mine.logprobs == pytest.approx(other.logprobs, abs=1e-2)


def test_recorded_steps_give_what_the_plain_way_gives(on_cuda: Handle) -> None:
    one = open_reader(on_cuda, KVStore(0))
    assert isinstance(one, TreeReader)
    same_as_plain(on_cuda, one)
    assert not [text for text in on_cuda.base.notices if "cannot be recorded" in text]


def test_recordings_follow_weights_that_move_or_change(on_cuda: Handle) -> None:
    one = open_reader(on_cuda, KVStore(math.inf))
    assert isinstance(one, TreeReader)
    same_as_plain(on_cuda, one)
    layer = on_cuda.base.model.model.layers[0].self_attn.q_proj
    with torch.no_grad():
        layer.weight.mul_(2)
    same_as_plain(on_cuda, one)
    layer.weight = torch.nn.Parameter(layer.weight.detach().clone() * 2)
    same_as_plain(on_cuda, one)


def test_real_lack_of_memory_drops_rows_and_shrinks_the_batch(on_cuda: Handle) -> None:
    one = open_reader(on_cuda, KVStore(math.inf))
    assert isinstance(one, TreeReader)
    expected = [found.tokens for found in one.decode(ROWS, frozenset())]
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    room = torch.cuda.memory_reserved() + 4 * 2**20
    torch.cuda.set_per_process_memory_fraction(min(1.0, room / total))
    try:
        rows = [row(seed, some_text(400, seed), limit=4) for seed in range(64)]
        found = one.decode([*ROWS, *rows], frozenset())
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert [decoded.tokens for decoded in found[: len(ROWS)]] == expected
    assert any("ran out" in text for text in on_cuda.base.notices)
