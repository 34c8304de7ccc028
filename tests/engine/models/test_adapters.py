"""The base stays the base, whatever adapters are put on it, refused, or taken off."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaForCausalLM

from engine.errors import ModelError, TrainingError
from engine.models import hardware
from engine.models.loading import ModelSpec
from engine.models.pool import Handle, ModelPool
from engine.models.transformers_policy import load_policy
from engine.models.transformers_prm import load_prm
from engine.training.student import LoraSettings, learning

IDS = torch.tensor([[70, 80, 90, 100]])
QUANTS = [
    "none",
    pytest.param(
        "nf4",
        marks=pytest.mark.skipif(
            hardware.four_bit_kernel("cpu") != "cpu-native", reason="this CPU has no AVX512-BF16"
        ),
    ),
]
LORA: dict[str, Any] = {"r": 4, "target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM"}
ATTENTION = {"target_modules": ["q_proj", "v_proj"]}

TAKEN: dict[str, dict[str, Any]] = {
    "plain": {},
    "gaussian": {"init_lora_weights": "gaussian"},
    "random": {"init_lora_weights": False},
    "orthogonal": {"init_lora_weights": "orthogonal"},
    "mica": {"init_lora_weights": "mica"},
    "rslora": {"use_rslora": True},
    "all layers": {"target_modules": "all-linear"},
    "by pattern": {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"v_proj": 3}},
    "one layer": {"layers_to_transform": [1]},
    "a pattern": {"target_modules": r".*\.(q|k)_proj"},
    "all but some": {"target_modules": "all-linear", "exclude_modules": ["down_proj"]},
    "dropout": {"lora_dropout": 0.3},
    "rank of one layer": {"rank_pattern": {"layers.0.self_attn.q_proj": 2}},
    "stored the other way round": {"fan_in_fan_out": True},
    "own bias": {"lora_bias": True, "init_lora_weights": True},
    "embedding": {"target_modules": ["embed_tokens", "q_proj"]},
    "head": {"target_modules": ["lm_head", "up_proj"]},
}
"""Kinds of LoRA that leave the layers below as they are."""

REFUSED: dict[str, tuple[Callable[[], peft.PeftConfig], str]] = {
    **{
        name: (lambda name=name: peft.LoraConfig(**LORA, init_lora_weights=name), cure)
        for name, cure in {
            "pissa": "path_initial_model_for_weight_conversion",
            "pissa_niter_4": "path_initial_model_for_weight_conversion",
            "olora": "path_initial_model_for_weight_conversion",
        }.items()
    },
    "bias all": (lambda: peft.LoraConfig(**LORA, bias="all"), "biases"),
    "bias lora_only": (lambda: peft.LoraConfig(**LORA, bias="lora_only"), "biases"),
    "dora": (lambda: peft.LoraConfig(**LORA, use_dora=True), "use_dora"),
    "modules": (lambda: peft.LoraConfig(**LORA, modules_to_save=["lm_head"]), "modules_to_save"),
    "tokens": (
        lambda: peft.LoraConfig(**LORA, trainable_token_indices=[3, 4]),
        "trainable_token_indices",
    ),
    "replicated": (
        lambda: peft.LoraConfig(**LORA, layer_replication=[(0, 2), (1, 2)]),
        "layer_replication",
    ),
    "ia3": (lambda: peft.IA3Config(**ATTENTION, feedforward_modules=[]), "IA3"),
    "layer norms": (lambda: peft.LNTuningConfig(task_type="CAUSAL_LM"), "LN_TUNING"),
    "vera": (lambda: peft.VeraConfig(target_modules=["q_proj"], r=4), "VERA"),
    "loha": (lambda: peft.LoHaConfig(**ATTENTION, r=4), "LOHA"),
    "lokr": (lambda: peft.LoKrConfig(**ATTENTION, r=4), "LOKR"),
    "adalora": (lambda: peft.AdaLoraConfig(**ATTENTION, total_step=10), "ADALORA"),
    "oft": (lambda: peft.OFTConfig(**ATTENTION, oft_block_size=4), "OFT"),
    "rows": (
        lambda: peft.TrainableTokensConfig(target_modules=["embed_tokens"], token_indices=[70]),
        "TRAINABLE_TOKENS",
    ),
    "prompt": (
        lambda: peft.PromptTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM"),
        "PROMPT_TUNING",
    ),
    "prefix": (
        lambda: peft.PrefixTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM"),
        "PREFIX_TUNING",
    ),
}
"""Kinds that PEFT itself writes and that change more than what LoRA adds."""

NAMED = {
    "pissa": {"init_lora_weights": "pissa"},
    "pissa_niter_16": {"init_lora_weights": "pissa_niter_16"},
    "olora": {"init_lora_weights": "olora"},
    "OLORA": {"init_lora_weights": "OLoRA"},
    "corda": {"init_lora_weights": "corda"},
    "loftq": {"init_lora_weights": "loftq", "loftq_config": {"loftq_bits": 4, "loftq_iter": 1}},
    "lora_ga": {"init_lora_weights": "lora_ga"},
    "unknown start": {"init_lora_weights": "something_new"},
    "number": {"init_lora_weights": 2},
    "parameters": {"target_parameters": ["mlp.experts.gate_up_proj"]},
    "qalora": {"use_qalora": True},
    "kasa": {"kasa_config": {"gamma": 1}},
    "arrow": {"arrow_config": {"top_k": 2}},
    "activated": {"alora_invocation_tokens": [5]},
    "unknown field": {"rewrites_the_base": True},
    "other type": {"peft_type": "NEW_TUNING"},
    "enormous rank": {"r": 10**9},
    "rank in words": {"r": "four"},
    "no rank": {"r": 0},
    "enormous rank of a layer": {"rank_pattern": {"q_proj": 10**9}},
}
"""Fields of a configuration, written over those of a plain adapter."""


def save(
    config: peft.PeftConfig,
    base: Path,
    directory: Path,
    seed: int = 0,
    kind: Any = LlamaForCausalLM,
) -> Path:
    torch.manual_seed(seed)
    model = peft.get_peft_model(kind.from_pretrained(base), config)
    for name, weight in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.3)
    model.save_pretrained(directory)
    return directory


def spec(base: Path, quant: str, adapter: Path | None = None) -> ModelSpec:
    return ModelSpec(
        path=str(base), quant=quant, device="cpu", adapter=str(adapter) if adapter else None
    )


def logits(handle: Handle) -> torch.Tensor:
    with handle.using() as model:
        return model(input_ids=IDS).logits.clone()


def state(handle: Handle) -> dict[str, torch.Tensor]:
    return {name: one.clone() for name, one in handle.base.model.state_dict().items()}


def same_state(handle: Handle, before: dict[str, torch.Tensor]) -> bool:
    now = handle.base.model.state_dict()
    return now.keys() == before.keys() and all(torch.equal(now[n], before[n]) for n in before)


def held(handle: Handle) -> list[str]:
    """Where the base's modules are, of which kind, and the adapters that they name."""
    return [f"{path} {type(one).__name__}" for path, one in handle.base.model.named_modules()]


@pytest.mark.parametrize("quant", QUANTS)
@pytest.mark.parametrize("kind", TAKEN)
def test_a_base_is_the_same_for_others_before_beside_and_after_an_adapter(
    kind: str, quant: str, lines_model: Path, tmp_path: Path
) -> None:
    first, second = (
        save(peft.LoraConfig(**{**LORA, **TAKEN[kind]}), lines_model, tmp_path / str(k), k)
        for k in (1, 2)
    )
    models = ModelPool()
    bare = models.open(spec(lines_model, quant))
    before, weights = logits(bare), state(bare)
    one = models.open(spec(lines_model, quant, first))
    adapted = logits(one)
    assert one.base is bare.base
    assert not torch.allclose(adapted, before)
    assert torch.equal(logits(bare), before)
    two = models.open(spec(lines_model, quant, second))
    beside = logits(two)
    assert not torch.allclose(beside, adapted)
    assert torch.equal(logits(one), adapted)
    assert torch.equal(logits(bare), before)
    one.close()
    assert torch.equal(logits(bare), before)
    assert torch.equal(logits(two), beside)
    two.close()
    assert torch.equal(logits(bare), before)
    assert same_state(bare, weights)


def test_an_adapter_does_what_peft_says_it_does(lines_model: Path, tmp_path: Path) -> None:
    for kind, fields in TAKEN.items():
        adapter = save(peft.LoraConfig(**{**LORA, **fields}), lines_model, tmp_path / kind)
        plain = peft.PeftModel.from_pretrained(
            LlamaForCausalLM.from_pretrained(lines_model), adapter
        ).eval()
        with torch.no_grad():
            expected = plain(input_ids=IDS).logits
        found = logits(ModelPool().open(spec(lines_model, "none", adapter)))
        assert torch.allclose(found, expected, atol=1e-5), kind


def spoilt(adapter: Path, fields: dict[str, Any]) -> Path:
    config = adapter / "adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **fields}))
    return adapter


def refuse(base: Path, quant: str, adapter: Path, match: str) -> None:
    """An adapter is refused before, beside and after others, and leaves no trace."""
    alone = ModelPool()
    with pytest.raises(ModelError, match=match):
        alone.open(spec(base, quant, adapter))
    assert alone.bases == ()
    good = save(peft.LoraConfig(**LORA), base, adapter.parent / "good", 7)
    models = ModelPool()
    bare = models.open(spec(base, quant))
    before, weights = logits(bare), state(bare)
    with pytest.raises(ModelError, match=match):
        models.open(spec(base, quant, adapter))
    with pytest.raises(ModelError, match=match):
        bare.base.add_adapter(adapter)
    assert torch.equal(logits(bare), before)
    assert same_state(bare, weights)
    with (
        pytest.raises(TrainingError, match=match),
        learning(bare.base, LoraSettings(rank=2), adapter, None, 0),
    ):
        pass
    other = models.open(spec(base, quant, good))
    adapted, carrying = logits(other), state(other)
    with pytest.raises(ModelError, match=match):
        bare.base.add_adapter(adapter)
    assert torch.equal(logits(other), adapted)
    assert torch.equal(logits(bare), before)
    assert same_state(other, carrying)
    other.close()
    assert torch.equal(logits(bare), before)
    assert same_state(bare, weights)
    assert models.bases == (bare.base,)


@pytest.mark.parametrize("quant", QUANTS)
@pytest.mark.parametrize("kind", REFUSED)
def test_an_adapter_that_changes_more_is_refused_with_the_cure(
    kind: str, quant: str, lines_model: Path, tmp_path: Path
) -> None:
    config, match = REFUSED[kind]
    adapter = save(config(), lines_model, tmp_path / "adapter")
    refuse(lines_model, quant, adapter, match)
    with pytest.raises(ModelError, match="merge_and_unload"):
        ModelPool().open(spec(lines_model, quant, adapter))


@pytest.mark.parametrize("kind", NAMED)
def test_a_configuration_that_says_more_than_lora_is_refused(
    kind: str, lines_model: Path, tmp_path: Path
) -> None:
    adapter = save(peft.LoraConfig(**LORA), lines_model, tmp_path / "adapter")
    name, value = next(iter(NAMED[kind].items()))
    says = {"peft_type": str(value), "r": "has the rank", "rank_pattern": "has the rank"}
    refuse(lines_model, "none", spoilt(adapter, NAMED[kind]), says.get(name, name))


@pytest.mark.parametrize("quant", QUANTS)
@pytest.mark.parametrize(
    ("damage", "match"),
    [
        ("missing A", r"layers\.1\.self_attn\.v_proj\.lora_A\.weight"),
        ("missing B", r"layers\.0\.self_attn\.q_proj\.lora_B\.weight"),
        ("a layer missing", r"layers\.1\..*and 3 more"),
        ("all missing", r"lora_.*and 7 more"),
        ("unexpected", r"layers\.9\.self_attn\.q_proj\.lora_A\.weight"),
        ("misnamed", r"q_proj\.lora_A"),
        ("wrong shape", r"layers\.0\.self_attn\.q_proj\.lora_A\.weight has the shape \[4, 3\]"),
        ("wrong rank", r"lora_A\.weight has the shape \[4, 64\], and the base asks for \[8, 64\]"),
        ("base weight", r"base_model\.model\.model\.embed_tokens\.weight"),
        ("base bias", r"q_proj\.bias"),
        ("layer of the base", r"q_proj\.base_layer\.weight"),
        ("larger embedding", r"embed_tokens\.weight"),
        ("no pattern", r"does not fit the base|cannot be trained"),
        ("no such layer", "no_such_layer"),
        ("half of the layers unfit", "LlamaRMSNorm"),
        ("no file", "safetensors cannot be read"),
    ],
)
def test_an_adapter_with_wrong_tensors_is_refused_by_their_name(
    damage: str, match: str, quant: str, lines_model: Path, tmp_path: Path
) -> None:
    adapter = save(peft.LoraConfig(**LORA), lines_model, tmp_path / "adapter")
    file = adapter / "adapter_model.safetensors"
    tensors = load_file(file)
    first = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    assert first in tensors
    match damage:
        case "missing A":
            del tensors["base_model.model.model.layers.1.self_attn.v_proj.lora_A.weight"]
        case "missing B":
            del tensors[first.replace("lora_A", "lora_B")]
        case "a layer missing":
            tensors = {name: one for name, one in tensors.items() if ".layers.1." not in name}
        case "all missing":
            tensors = {}
        case "unexpected":
            tensors[first.replace("layers.0", "layers.9")] = tensors[first].clone()
        case "misnamed":
            tensors[first.replace("lora_A", "lora_A.default")] = tensors.pop(first)
        case "wrong shape":
            tensors[first] = torch.zeros(4, 3)
        case "wrong rank":
            spoilt(adapter, {"r": 8})
        case "base weight":
            tensors["base_model.model.model.embed_tokens.weight"] = torch.zeros(320, 64)
        case "base bias":
            tensors["base_model.model.model.layers.0.self_attn.q_proj.bias"] = torch.zeros(64)
        case "layer of the base":
            place = "base_model.model.model.layers.0.self_attn.q_proj.base_layer.weight"
            tensors[place] = torch.zeros(64, 64)
        case "larger embedding":
            tensors["base_model.model.model.embed_tokens.weight"] = torch.zeros(322, 64)
        case "no pattern":
            spoilt(adapter, {"target_modules": "(("})
        case "no such layer":
            spoilt(adapter, {"target_modules": ["no_such_layer"]})
        case "half of the layers unfit":
            spoilt(adapter, {"target_modules": ["q_proj", "v_proj", "input_layernorm"]})
    save_file(tensors, file)
    if damage == "no file":
        file.write_bytes(b"\x00" * 40)
    refuse(lines_model, quant, adapter, match)


def test_a_half_way_failure_leaves_nothing_beside_another(
    lines_model: Path, tmp_path: Path
) -> None:
    models = ModelPool()
    other = models.open(
        spec(lines_model, "none", save(peft.LoraConfig(**LORA), lines_model, tmp_path / "a"))
    )
    before, layers = logits(other), held(other)
    rank = 10**12  # more than there is room for, wherever this runs
    config = peft.LoraConfig(**{**LORA, "r": rank}, lora_dropout=0.1)
    with pytest.raises(RuntimeError):
        other.base.begin_adapter("huge", config)
    assert held(other) == layers
    assert torch.equal(logits(other), before)


def test_an_adapter_by_pattern_is_trained_further(lines_model: Path, tmp_path: Path) -> None:
    fields = {**LORA, "target_modules": r".*\.(q|k)_proj"}
    parent = save(peft.LoraConfig(**fields), lines_model, tmp_path / "parent")
    models = ModelPool()
    bare = models.open(spec(lines_model, "none"))
    with learning(bare.base, LoraSettings(rank=2), parent, None, 0) as student:
        student.save(tmp_path / "child", lines_model)
    written = json.loads((tmp_path / "child" / "adapter_config.json").read_text())
    assert written["target_modules"] == r".*\.(q|k)_proj"
    two = [models.open(spec(lines_model, "none", tmp_path / one)) for one in ("parent", "child")]
    assert torch.equal(*map(logits, two))


def test_a_pissa_adapter_can_be_had_once_it_is_converted(lines_model: Path, tmp_path: Path) -> None:
    """The cure that the refusal names."""
    torch.manual_seed(0)
    config = peft.LoraConfig(**LORA, init_lora_weights="pissa")
    model = peft.get_peft_model(LlamaForCausalLM.from_pretrained(lines_model), config)
    initial = tmp_path / "initial"
    model.peft_config["default"].init_lora_weights = True
    model.save_pretrained(initial)
    model.peft_config["default"].init_lora_weights = "pissa"
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight += 0.1 * torch.randn_like(weight)
        expected = model.eval()(input_ids=IDS).logits
    model.save_pretrained(tmp_path / "plain", path_initial_model_for_weight_conversion=str(initial))
    models = ModelPool()
    bare = models.open(spec(lines_model, "none"))
    before = logits(bare)
    found = logits(models.open(spec(lines_model, "none", tmp_path / "plain")))
    assert torch.allclose(found, expected, atol=1e-3)
    assert torch.equal(logits(bare), before)


@pytest.mark.parametrize("quant", QUANTS)
def test_an_adapter_stays_while_somebody_else_uses_it(
    quant: str, lines_model: Path, tmp_path: Path
) -> None:
    adapter = save(peft.LoraConfig(**LORA), lines_model, tmp_path / "adapter")
    models = ModelPool()
    bare = models.open(spec(lines_model, quant))
    before = logits(bare)
    one, two = (models.open(spec(lines_model, quant, adapter)) for _ in range(2))
    adapted = logits(one)
    two.close()
    assert torch.equal(logits(one), adapted)
    with learning(bare.base, LoraSettings(rank=2), adapter, None, 0) as student, torch.no_grad():
        for parameter in student.parameters().values():
            parameter += 1.0
    assert torch.equal(logits(one), adapted)
    assert torch.equal(logits(bare), before)
    one.close()
    assert torch.equal(logits(bare), before)


def test_a_handle_that_was_closed_says_so_and_takes_nothing_from_another(
    lines_model: Path, tmp_path: Path
) -> None:
    adapter = save(peft.LoraConfig(**LORA), lines_model, tmp_path / "adapter")
    models = ModelPool()
    bare = models.open(spec(lines_model, "none"))
    before, layers = logits(bare), held(bare)
    one, two = (models.open(spec(lines_model, "none", adapter)) for _ in range(2))
    adapted = logits(one)
    for _ in range(3):
        one.close()
    with pytest.raises(ModelError, match=r"taken off.*open the model again"):
        logits(one)
    assert torch.equal(logits(two), adapted)
    two.close()
    with pytest.raises(ModelError, match="taken off"):
        logits(two)
    with pytest.raises(ModelError, match="taken off"):
        two.logits(torch.zeros(1, 64))
    assert torch.equal(logits(bare), before)
    assert held(bare) == layers
    again = models.open(spec(lines_model, "none", adapter))
    assert torch.equal(logits(again), adapted)
    with pytest.raises(ModelError, match="taken off"):
        logits(one)


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("load", [load_policy, load_prm])
def test_a_model_that_cannot_be_made_of_its_adapter_leaves_none(
    load: Callable[[ModelSpec, ModelPool], object],
    beside: bool,
    lines_model: Path,
    tmp_path: Path,
) -> None:
    adapter = save(peft.LoraConfig(**LORA), lines_model, tmp_path / "adapter")
    models = ModelPool()
    bare = models.open(spec(lines_model, "none"))
    other = models.open(spec(lines_model, "none", adapter)) if beside else bare
    before, layers = logits(other), held(bare)
    if load is load_policy:
        (adapter / "step_format.json").write_text('{"kind": "no such kind"}')
    # Without a value head of its own it is no process reward model.
    with pytest.raises(ModelError, match=r"step_format|value_head"):
        load(spec(lines_model, "none", adapter), models)
    assert held(bare) == layers
    assert torch.equal(logits(other), before)
