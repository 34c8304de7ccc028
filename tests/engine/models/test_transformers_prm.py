"""The value head: where it is read, batches, shared bases, heads that do not fit."""

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import ModelError
from engine.models.base import NO_USAGE, PrefixRequest, Usage
from engine.models.loading import ModelSpec
from engine.models.pool import ModelPool
from engine.models.transformers_policy import TransformersPolicy, load_policy
from engine.models.transformers_prm import TransformersPRM, load_prm
from tests.engine.models.conftest import watched, write_adapter, write_head


@pytest.fixture(scope="module")
def directory(lines_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_head(shutil.copytree(lines_model, tmp_path_factory.mktemp("prm") / "prm"))


@pytest.fixture(scope="module")
def prm(directory: Path) -> TransformersPRM:
    return load(directory)


def load(directory: Path, pool: ModelPool | None = None) -> TransformersPRM:
    """A model that has read nothing yet, unless the pool has."""
    spec = ModelSpec(path=str(directory), quant="none", device="cpu")
    return load_prm(spec, pool or ModelPool(kv_budget=math.inf))


REQUESTS = [
    PrefixRequest("What?", ("1 + 1 = 2\n",)),
    PrefixRequest("What?", ("1 + 1 = 2\n", "2 + 2 = 4\n")),
    PrefixRequest("What?", ("1 + 1 = 3\n",)),
    PrefixRequest("A longer question?", ("3\n",)),
]


def test_a_value_is_the_head_at_the_last_closing_token(prm: TransformersPRM) -> None:
    ids = prm.prompter.tokenizer("What?\n1 + 1 = 2\n", add_special_tokens=False)["input_ids"]
    with prm.handle.using() as model:
        hidden = model(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states[-1]
    by_hand = (hidden[0, -1] @ prm.head.weight[0] + prm.head.bias[0]).sigmoid()
    assert prm.score(REQUESTS[:1])[0].value == pytest.approx(by_hand.item(), abs=1e-5)


def test_siblings_in_one_forward_equal_one_by_one(prm: TransformersPRM) -> None:
    together = [found.value for found in prm.score(REQUESTS)]
    alone = [prm.score([request])[0].value for request in REQUESTS]
    assert together == pytest.approx(alone, abs=1e-5)
    assert len(set(together)) == 4


def test_equal_requests_are_forwarded_once(directory: Path) -> None:
    prm = load(directory)
    first, second = prm.score([REQUESTS[0], REQUESTS[0]])
    assert first.value == second.value
    assert first.usage == Usage(len(prm.prompter.value("What?", REQUESTS[0].steps)))
    assert second.usage == NO_USAGE


def test_only_the_new_step_is_read(directory: Path) -> None:
    prm = load(directory)
    steps = [f"{k} + {k} = {2 * k}\n" for k in range(1, 7)]
    before = 0
    for k in range(1, 7):
        request = PrefixRequest("What?", tuple(steps[:k]))
        with watched(prm.handle) as gate:
            (found,) = prm.score([request])
        length = len(prm.text(request, found))
        assert gate.tokens == found.usage.forwarded == length - before
        assert found.usage.cached == before
        before = length


def test_siblings_share_all_but_their_last_step(directory: Path) -> None:
    prm = load(directory)
    trunk = ("1 + 1 = 2\n", "2 + 2 = 4\n")
    asked = [PrefixRequest("What?", (*trunk, f"{k} is it\n")) for k in range(5)]
    found = prm.score(asked)
    texts = {tuple(prm.text(*pair)) for pair in zip(asked, found, strict=True)}
    beginnings = {text[:k] for text in texts for k in range(1, len(text) + 1)}
    assert sum(one.usage.forwarded for one in found) == len(beginnings)
    with watched(prm.handle) as gate:
        again = prm.score(asked)
    assert gate.sizes == []
    assert [one.value for one in again] == pytest.approx([one.value for one in found], abs=1e-6)


@pytest.mark.parametrize("budget", [0, 30_000])
def test_a_budget_changes_no_value(directory: Path, prm: TransformersPRM, budget: int) -> None:
    other = load(directory, ModelPool(kv_budget=budget))
    expected = [one.value for one in prm.score(REQUESTS)]
    for _ in range(2):
        assert [one.value for one in other.score(REQUESTS)] == pytest.approx(expected, abs=1e-5)
        assert other.reader.store.bytes <= budget  # type: ignore[attr-defined]


def test_the_empty_solution_is_worth_nothing_and_costs_nothing(prm: TransformersPRM) -> None:
    found = prm.score([PrefixRequest("What?", ())])[0]
    assert (found.value, found.usage) == (0.0, NO_USAGE)


def test_the_output_that_is_read_is_a_setting(directory: Path, tmp_path: Path) -> None:
    other = write_head(shutil.copytree(directory, tmp_path / "other"), read="step")
    first = load_prm(ModelSpec(path=str(directory), quant="none", device="cpu"), ModelPool())
    second = load_prm(ModelSpec(path=str(other), quant="none", device="cpu"), ModelPool())
    assert first.score(REQUESTS)[0].value != second.score(REQUESTS)[0].value
    assert first.identity != second.identity


def test_policy_and_prm_share_one_base_with_two_adapters(lines_model: Path, tmp_path: Path) -> None:
    adapter = write_head(write_adapter(tmp_path / "prm", lines_model))
    other = write_adapter(tmp_path / "policy", lines_model, seed=3)
    models = ModelPool()
    prm = load_prm(ModelSpec(path=str(adapter), quant="none", device="cpu"), models)
    alone = [one.value for one in prm.score(REQUESTS)]
    policy = load_policy(
        ModelSpec(path=str(lines_model), quant="none", device="cpu", adapter=str(other)), models
    )
    bare = load_policy(ModelSpec(path=str(lines_model), quant="none", device="cpu"), models)
    assert policy.handle.base is prm.handle.base
    assert len(models.bases) == 1

    def judged(one: TransformersPolicy) -> list[float | None]:
        return [found.probability for found in one.judge(REQUESTS, "verdict")]

    before = judged(policy)
    assert [one.value for one in prm.score(REQUESTS)] == pytest.approx(alone, abs=1e-6)
    assert judged(policy) == pytest.approx(before, abs=1e-6)
    assert judged(bare) != pytest.approx(before, abs=1e-3)
    assert len({policy.identity, bare.identity, prm.identity}) == 3


@pytest.mark.parametrize(
    ("outputs", "tensors", "says"),
    [
        (["v", "step"], {"weight": (2, 32), "bias": (2,)}, "width 64"),
        (["v"], {"weight": (2, 64), "bias": (2,)}, "1 output"),
        (["v", "step"], {"weight": (2, 64)}, "must hold"),
        (["step"], {"weight": (1, 64), "bias": (1,)}, "read='v'"),
        ("v", {"weight": (1, 64), "bias": (1,)}, "outputs='v'"),
    ],
)
def test_a_head_that_does_not_fit_is_refused(
    directory: Path, tmp_path: Path, outputs: object, tensors: dict[str, tuple[int]], says: str
) -> None:
    broken = shutil.copytree(directory, tmp_path / "broken")
    (broken / "value_head.json").write_text(json.dumps({"outputs": outputs, "read": "v"}))
    save_file(
        {name: torch.zeros(shape) for name, shape in tensors.items()},
        broken / "value_head.safetensors",
    )
    with pytest.raises(ModelError, match=says):
        load_prm(ModelSpec(path=str(broken), quant="none", device="cpu"), ModelPool())


def test_a_policy_is_no_process_reward_model(lines_model: Path, directory: Path) -> None:
    with pytest.raises(ModelError, match="no value_head"):
        load_prm(ModelSpec(path=str(lines_model), quant="none", device="cpu"), ModelPool())


def test_a_damaged_head_is_refused(directory: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(directory, tmp_path / "broken")
    (broken / "value_head.safetensors").write_bytes(b"not tensors")
    with pytest.raises(ModelError, match="cannot be read"):
        load_prm(ModelSpec(path=str(broken), quant="none", device="cpu"), ModelPool())


def test_a_solution_longer_than_the_context_is_refused(prm: TransformersPRM) -> None:
    with pytest.raises(ModelError, match="longer than the context"):
        prm.score([PrefixRequest("What?", ("1\n",) * 600)])
