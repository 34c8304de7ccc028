"""Rows made by other weights are never used, and rows made by the same ones are not lost."""

import math
from collections.abc import Callable
from pathlib import Path

import bitsandbytes
import pytest
import torch
from transformers import LlamaConfig

from engine.models.decoding import TreeReader
from engine.models.kv_store import KVStore
from engine.models.loading import ModelSpec
from engine.models.pool import Handle, ModelPool
from engine.models.reading import open_reader
from tests.engine.models.conftest import (
    logits_by_hand,
    open_tiny,
    reader,
    row,
    some_text,
    write_adapter,
    write_model,
)

TEXT = some_text(24)
SPEC = {"quant": "none", "dtype": "fp32", "device": "cpu"}
NONE: frozenset[int] = frozenset()


@pytest.fixture
def handle(tmp_path: Path) -> Handle:
    """A model of this test alone, to be written to."""
    path = write_model(tmp_path / "model")
    return ModelPool().open(ModelSpec(path=str(path), **SPEC))


@pytest.fixture
def adapted(tmp_path: Path) -> tuple[ModelPool, Handle, Handle, Handle]:
    """A base, and two adapters on it."""
    base = write_model(tmp_path / "base")
    pool = ModelPool(kv_budget=math.inf)
    handles = [
        pool.open(
            ModelSpec(
                path=str(base),
                adapter=str(write_adapter(tmp_path / f"adapter{seed}", base, seed)),
                **SPEC,
            )
        )
        for seed in range(2)
    ]
    return pool, pool.open(ModelSpec(path=str(base), **SPEC)), *handles


def is_fresh(one: TreeReader) -> bool:
    """Reads the text; whether it was read again. What is read is always right."""
    logits, usage = one.logits([TEXT])[0]
    by_hand = logits_by_hand(one.handle, TEXT)[-1]
    torch.testing.assert_close(logits, by_hand, atol=1e-4, rtol=0)
    (decoded,) = one.decode([row(0, TEXT, temperature=0.0)], NONE)
    assert decoded.tokens[0] == int(by_hand.argmax())
    return usage.forwarded == len(TEXT)


def weight(handle: Handle) -> torch.nn.Parameter:
    found: torch.nn.Parameter = handle.base.model.model.layers[0].self_attn.q_proj.weight
    return found


def in_place(handle: Handle) -> None:
    with torch.no_grad():
        weight(handle).mul_(3)


def by_data(handle: Handle) -> None:
    weight(handle).data = weight(handle).data * 3


def replaced(handle: Handle) -> None:
    layer = handle.base.model.model.layers[0].self_attn.q_proj
    layer.weight = torch.nn.Parameter(layer.weight.detach() * 3)


def loaded(handle: Handle) -> None:
    state = {
        name: one * 3 for name, one in handle.base.model.state_dict().items() if "q_proj" in name
    }
    handle.base.model.load_state_dict(state, strict=False)


def trained(optimiser: Callable[..., torch.optim.Optimizer]) -> Callable[[Handle], None]:
    def step(handle: Handle) -> None:
        model = handle.base.model
        weight(handle).requires_grad_(True)
        out = model(input_ids=torch.tensor([TEXT]), labels=torch.tensor([TEXT]))
        out.loss.backward()
        optimiser([weight(handle)], lr=0.1).step()
        weight(handle).grad = None

    return step


CHANGES = {
    "written in place": in_place,
    "other data": by_data,
    "another parameter": replaced,
    "loaded": loaded,
    "Adam": trained(torch.optim.AdamW),
    "fused 8-bit Adam": trained(bitsandbytes.optim.AdamW8bit),
    "fused Adam": trained(bitsandbytes.optim.AdamW),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.filterwarnings("ignore")
def test_rows_of_weights_that_changed_are_not_used(handle: Handle, change: str) -> None:
    one = reader(handle)
    assert is_fresh(one)
    assert not is_fresh(one)
    held = one.store.bytes
    before = logits_by_hand(handle, TEXT)[-1]
    CHANGES[change](handle)
    assert float((logits_by_hand(handle, TEXT)[-1] - before).abs().max()) > 0.01
    assert is_fresh(one)
    assert not is_fresh(one)
    assert one.store.bytes < 2 * held, "the old rows are gone"


def test_adapters_on_one_base_share_no_rows(
    adapted: tuple[ModelPool, Handle, Handle, Handle],
) -> None:
    pool, *handles = adapted
    readers = [open_reader(one, pool.store) for one in handles]
    found = []
    for one in readers:
        assert isinstance(one, TreeReader)
        assert is_fresh(one)
        found.append(one.logits([TEXT])[0][0])
    assert not any(is_fresh(one) for one in readers if isinstance(one, TreeReader))
    for k in range(3):
        assert float((found[k] - found[k - 1]).abs().max()) > 0.01


def test_writing_to_one_adapter_leaves_the_rows_of_the_others(
    adapted: tuple[ModelPool, Handle, Handle, Handle],
) -> None:
    _, bare, first, second = adapted
    store = KVStore(math.inf)
    readers = [TreeReader(one, store) for one in (bare, first, second)]
    for one in readers:
        is_fresh(one)
    parameters = dict(bare.base.model.named_parameters())
    name = next(n for n in parameters if "lora_B" in n and str(first.adapter) in n)
    with torch.no_grad():
        parameters[name].mul_(5)
    assert [is_fresh(one) for one in readers] == [False, True, False]
    with torch.no_grad():
        next(one for n, one in parameters.items() if "q_proj.base_layer" in n).mul_(1.5)
    assert [is_fresh(one) for one in readers] == [True, True, True]


def test_other_weights_in_the_same_directory_are_another_adapter(tmp_path: Path) -> None:
    base, pool = write_model(tmp_path / "base"), ModelPool(kv_budget=math.inf)
    found = []
    for seed in range(2):
        adapter = write_adapter(tmp_path / "round", base, seed)
        handle = pool.open(ModelSpec(path=str(base), adapter=str(adapter), **SPEC))
        one = TreeReader(handle, pool.store)
        assert is_fresh(one)
        found.append(one.logits([TEXT])[0][0])
    assert float((found[0] - found[1]).abs().max()) > 0.01


def test_an_adapter_that_comes_later_leaves_the_rows_of_the_base(tmp_path: Path) -> None:
    base, pool = write_model(tmp_path / "base"), ModelPool(kv_budget=math.inf)
    one = TreeReader(pool.open(ModelSpec(path=str(base), **SPEC)), pool.store)
    is_fresh(one)
    adapter = write_adapter(tmp_path / "adapter", base)
    other = TreeReader(
        pool.open(ModelSpec(path=str(base), adapter=str(adapter), **SPEC)), pool.store
    )
    assert is_fresh(other)
    assert not is_fresh(one)


def test_nothing_that_is_kept_can_be_trained(
    adapted: tuple[ModelPool, Handle, Handle, Handle],
) -> None:
    one = reader(adapted[2])
    for parameter in one.handle.base.model.parameters():
        parameter.requires_grad_(True)
    one.decode([row(0, TEXT), row(1, TEXT)], NONE)
    segments = list(one.store._segments())
    assert segments
    for segment in segments:
        for kept in (segment.rows, segment.hidden):
            assert kept is not None
            assert not kept.requires_grad
            assert kept.grad_fn is None
    assert not one.hidden([TEXT])[0][0].requires_grad


def test_weights_that_the_first_forward_packs_cost_no_rows(tmp_path: Path) -> None:
    """In 4 bits on a CPU, the tensors of the weights are replaced when they are first used."""
    shape = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    config = LlamaConfig(**shape, num_attention_heads=2, vocab_size=320, initializer_range=0.25)
    handle = open_tiny(config, tmp_path, dtype="bf16", quant="nf4")
    one = reader(handle)
    first, again = one.logits([TEXT])[0], one.logits([TEXT])[0]
    assert (first[1].forwarded, again[1].forwarded) == (len(TEXT), 0)
    longer = one.logits([(*TEXT, 7)])[0]
    assert longer[1].forwarded == 1
