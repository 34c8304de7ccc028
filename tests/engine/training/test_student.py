"""What learns on a base that searches use: right gradients, and nothing else is changed."""

import random
from pathlib import Path

import pytest
import torch

from engine.errors import ModelError, TrainingError
from engine.models import original_weights
from engine.models.base import PrefixRequest
from engine.models.hardware import four_bit_kernel
from engine.models.kv_store import KVStore
from engine.models.loading import ModelSpec
from engine.models.pool import Base, Handle, ModelPool
from engine.models.reading import open_reader
from engine.models.transformers_policy import TransformersPolicy, read_format
from engine.models.transformers_prm import TransformersPRM
from engine.training import objectives
from engine.training.batches import Encoder, collate
from engine.training.examples import Valued
from engine.training.student import NAME, LoraSettings, Student, learning
from tests.engine.training.conftest import MODELS, open_policy, open_prm, right_solutions

SHAPE = LoraSettings(rank=4, alpha=8)
Batch = dict[str, torch.Tensor]


def batch_for(policy: TransformersPolicy, count: int = 3) -> Batch:
    encoder = Encoder(policy.prompter, policy.end_tokens[0], policy.handle.base.context)
    return collate(encoder.encode(right_solutions(count))[0])


def stir(student: Student, seed: int = 0) -> None:
    """Give a new adapter, which does nothing yet, something to do."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in student.parameters().values():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.02)


def gradients(base: Base, batch: Batch) -> dict[str, torch.Tensor]:
    with learning(base, SHAPE, None, None, 0) as student:
        stir(student)
        objectives.imitate(student, batch).backward()
        found = {}
        for name, parameter in student.parameters().items():
            assert parameter.grad is not None, name
            found[name] = parameter.grad.clone()
        return found


def logits_in_search(policy: TransformersPolicy) -> torch.Tensor:
    one = right_solutions(1)[0]
    prefix = policy.prompter.proposal(one.question, one.steps[:1])
    with policy.handle.using() as model:
        logits: torch.Tensor = model(input_ids=torch.tensor([prefix]), use_cache=False).logits
    return logits


@pytest.mark.parametrize("small", [True, False])
def test_gradients_after_inference_are_those_of_a_fresh_model(
    small: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not small:
        monkeypatch.setattr(original_weights, "UNPACKED_BYTES", 0)
    policy = open_policy_unread()
    batch = batch_for(policy)
    assert not any_packed(policy)
    fresh = gradients(policy.handle.base, batch)
    searched = logits_in_search(policy)
    if four_bit_kernel("cpu") == "cpu-native":
        assert any_packed(policy)
    again = gradients(policy.handle.base, batch)
    assert fresh.keys() == again.keys()
    assert len(fresh) == 56  # A and B of seven products in each of four layers
    for name, gradient in fresh.items():
        assert gradient.abs().sum() > 0, name
        assert torch.equal(gradient, again[name]), name
    assert torch.equal(searched, logits_in_search(policy))


def any_packed(policy: TransformersPolicy) -> bool:
    states = [getattr(one, "quant_state", None) for one in policy.handle.base.model.parameters()]
    return any(getattr(state, "packing_format_for_cpu", False) for state in states)


def open_policy_unread() -> TransformersPolicy:
    """A policy whose weights no forward has packed yet."""
    base = ModelPool().open(ModelSpec(path=str(MODELS / "tiny-policy"), device="cpu")).base
    base.unfit = "not tried"
    handle = Handle(base, None, base.directory)
    return TransformersPolicy(open_reader(handle, KVStore(0)), read_format(handle)[0])


def test_gradients_agree_with_those_of_weights_that_were_never_quantised_again(
    policy: TransformersPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Products in bf16 point where products in fp32 do."""
    batch = batch_for(policy, 16)
    fast = gradients(policy.handle.base, batch)
    monkeypatch.setattr(policy.handle.base.original, "_small", False)
    exact = gradients(policy.handle.base, batch)
    one, other = (torch.cat([g.flatten() for g in found.values()]) for found in (fast, exact))
    assert torch.nn.functional.cosine_similarity(one, other, dim=0) > 0.9


def test_inference_after_training_is_bit_identical(policy: TransformersPolicy) -> None:
    before = logits_in_search(policy)
    stamp = policy.handle.stamp()
    with learning(policy.handle.base, SHAPE, None, None, 0) as student:
        optimiser = torch.optim.AdamW(student.parameters().values(), lr=0.01)
        for _ in range(2):
            objectives.imitate(student, batch_for(policy)).backward()
            optimiser.step()
    assert torch.equal(before, logits_in_search(policy))
    assert policy.handle.stamp() == stamp
    assert not policy.handle.base.model.training


def test_a_students_base_comes_back_after_an_error(policy: TransformersPolicy) -> None:
    before = logits_in_search(policy)
    with (
        pytest.raises(RuntimeError, match="stop here"),
        learning(policy.handle.base, SHAPE, None, None, 0),
    ):
        raise RuntimeError("stop here")
    assert not [name for name, _ in policy.handle.base.model.named_parameters() if NAME in name]
    assert torch.equal(before, logits_in_search(policy))


def test_a_parent_that_cannot_be_read_leaves_the_base_as_it_was(
    policy: TransformersPolicy, tmp_path: Path
) -> None:
    before = logits_in_search(policy)
    with learning(policy.handle.base, SHAPE, None, None, 0) as student:
        student.save(tmp_path / "adapter", policy.handle.directory)
    weights = tmp_path / "adapter" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with (
        pytest.raises(TrainingError, match="cannot be trained further"),
        learning(policy.handle.base, SHAPE, tmp_path / "adapter", None, 0),
    ):
        pass
    assert not [name for name, _ in policy.handle.base.model.named_parameters() if NAME in name]
    assert torch.equal(before, logits_in_search(policy))


def test_two_adapters_on_one_base_do_not_disturb_each_other(
    pool: ModelPool, policy: TransformersPolicy, tmp_path: Path
) -> None:
    base = policy.handle.base
    for name, seed in (("one", 1), ("two", 2)):
        with learning(base, SHAPE, None, None, 0) as student:
            stir(student, seed)
            student.save(tmp_path / name, policy.handle.directory)
    alone = logits_in_search(policy)
    one, two = (open_policy(pool, tmp_path / name) for name in ("one", "two"))
    first = [logits_in_search(each) for each in (policy, one, two)]
    assert torch.equal(alone, first[0])
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[1], first[2])
    with learning(base, SHAPE, tmp_path / "one", None, 0) as student:
        objectives.imitate(student, batch_for(policy)).backward()
        stir(student, 3)
    assert one.handle.base is base
    for before, each in zip(first, (policy, one, two), strict=True):
        assert torch.equal(before, logits_in_search(each))


def test_what_is_saved_loads_with_plain_peft_and_through_the_pool(
    pool: ModelPool, policy: TransformersPolicy, tmp_path: Path
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    with learning(policy.handle.base, SHAPE, None, None, 0) as student:
        stir(student)
        student.save(tmp_path / "new", policy.handle.directory)
        wanted = student.tensors()
    plain = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(policy.handle.base.directory), str(tmp_path / "new")
    )
    found = {name: one for name, one in plain.named_parameters() if "lora_" in name}
    assert len(found) == len(wanted)
    for name, tensor in wanted.items():
        assert torch.equal(found[name.replace(NAME, "default")].cpu(), tensor), name
    opened = open_policy(pool, tmp_path / "new")
    assert opened.format == policy.format
    assert not torch.equal(logits_in_search(opened), logits_in_search(policy))


def test_an_adapter_of_another_base_is_refused(
    pool: ModelPool, policy: TransformersPolicy, tmp_path: Path
) -> None:
    with learning(policy.handle.base, SHAPE, None, None, 0) as student:
        student.save(tmp_path / "new", policy.handle.directory)
    with pytest.raises(ModelError, match="no value_head"):
        open_prm(pool, tmp_path / "new")


def test_nothing_is_written_over(policy: TransformersPolicy, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with (
        pytest.raises(TrainingError, match="is there already"),
        learning(policy.handle.base, SHAPE, None, None, 0) as student,
    ):
        student.save(tmp_path / "mine", policy.handle.directory)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"


def test_before_is_the_parent_and_not_the_base(policy: TransformersPolicy, tmp_path: Path) -> None:
    batch = batch_for(policy)
    texts = batch["tokens"], batch["attention"]
    dropping = LoraSettings(rank=4, alpha=8, dropout=0.5)
    with learning(policy.handle.base, dropping, None, None, 0) as student:
        stir(student)
        student.save(tmp_path / "parent", policy.handle.directory)
    with learning(policy.handle.base, dropping, tmp_path / "parent", None, 0) as student:
        first = student.before(*texts)
        assert not torch.equal(first, student.logits(*texts))  # which drops something
        stir(student, 5)
        changed = student.tensors()
        assert torch.equal(first, student.before(*texts))
        assert torch.equal(first[:, 7:], student.before(*texts, 7))
        for name, tensor in student.tensors().items():
            assert torch.equal(tensor, changed[name])
        with torch.no_grad(), student.model.disable_adapter():
            bare = student.logits(*texts)
        assert not torch.equal(bare, first)


def test_scores_of_a_student_are_the_values_of_its_prm(prm: TransformersPRM) -> None:
    solutions = right_solutions(4)
    encoder = Encoder(prm.prompter, None, prm.handle.base.context)
    values = [Valued(one.question, one.steps, (0.5, None, 0.5, 0.5)) for one in solutions]
    batch = collate(encoder.encode(values)[0])
    asked = [
        PrefixRequest(one.question, one.steps[:count]) for one in solutions for count in (1, 3, 4)
    ]
    expected = [valuation.value for valuation in prm.score(asked)]
    with learning(prm.handle.base, SHAPE, None, prm.head, 0) as student, torch.no_grad():
        found = student.scores(batch["tokens"], batch["attention"], batch["rows"], batch["places"])
    assert found.sigmoid().tolist() == pytest.approx(expected, abs=0.05)


def test_the_same_seed_begins_with_the_same_adapter(policy: TransformersPolicy) -> None:
    random.seed(1)
    torch.manual_seed(1)
    starts = []
    for seed in (7, 7, 8):
        with learning(policy.handle.base, SHAPE, None, None, seed) as student:
            starts.append(student.tensors())
        torch.rand(3)
    name = next(name for name in starts[0] if "lora_A" in name)
    assert torch.equal(starts[0][name], starts[1][name])
    assert not torch.equal(starts[0][name], starts[2][name])
