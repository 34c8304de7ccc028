"""What is predicted of models before loading them, against what they then really take."""

import json
import shutil
from importlib.resources import files
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    DynamicCache,
    Gemma3TextConfig,
    GPT2Config,
    MistralConfig,
    Phi3Config,
    PreTrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

from engine.errors import ModelError
from engine.models import footprint, hardware
from engine.models.footprint import predict
from engine.models.loading import ModelSpec
from engine.models.pool import Base, ModelPool
from engine.models.transformers_prm import load_prm
from tests.engine.models.conftest import make_tokenizer, write_adapter, write_head, write_model

native = pytest.mark.skipif(
    hardware.four_bit_kernel("cpu") != "cpu-native",
    reason="this CPU has no AVX512-BF16, so NF4 is not used on it",
)
QUANTS = ["none", pytest.param("nf4", marks=native)]
BUNDLED = {name: str(files("assets").joinpath("models", name)) for name in ("policy", "prm")}
BUNDLED = {name: path.replace(name, f"tiny-{name}") for name, path in BUNDLED.items()}

IDS = {"vocab_size": 320, "eos_token_id": 0, "pad_token_id": 1, "bos_token_id": None}
SHAPE = {
    **IDS,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 1,
    "max_position_embeddings": 512,
}
FAMILIES: dict[str, PreTrainedConfig] = {
    "qwen3": Qwen3Config(**SHAPE, head_dim=32),
    "mistral": MistralConfig(**SHAPE),
    "phi3": Phi3Config(**SHAPE),
    "gemma3": Gemma3TextConfig(
        **SHAPE, sliding_window=4, layer_types=["sliding_attention", "full_attention"]
    ),
    "gpt2": GPT2Config(**IDS, n_embd=64, n_layer=2, n_head=2, n_positions=512),
}


def spec(path: str | Path, **options: object) -> ModelSpec:
    return ModelSpec.model_validate({"path": str(path), "device": "cpu", **options})


def random_model(directory: Path, config: PreTrainedConfig) -> Path:
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(directory)
    make_tokenizer().save_pretrained(directory)
    write_head(directory)
    return directory


def held(base: Base) -> int:
    """Memory of everything of a base, in use: parameters, buffers, quantisation constants."""
    with base.using(None) as model:
        model(input_ids=torch.tensor([[70, 80]]))  # native layers take their final form
    states = [
        module.weight.quant_state
        for module in base.model.modules()
        if type(module).__name__ == "Linear4bit"
    ]
    scales = sum(state.absmax.nbytes for state in states)
    return base.memory_bytes + scales + sum(s.state2.absmax.nbytes for s in states if s.nested)


def qwen(**settings: object) -> Qwen2Config:
    return Qwen2Config(
        vocab_size=1000,
        hidden_size=64,
        intermediate_size=160,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        **settings,
    )


@pytest.mark.parametrize("quant", QUANTS)
@pytest.mark.parametrize("dtype", ["auto", "bf16"])
def test_the_bundled_models_take_what_was_predicted(quant: str, dtype: str) -> None:
    options = {"quant": quant, "dtype": dtype}
    pair = predict(spec(BUNDLED["policy"], **options), spec(BUNDLED["prm"], **options))
    assert not pair.shared
    models = ModelPool()
    for found in (pair.policy, pair.prm):
        base = models.open(spec(found.directory, **options)).base
        assert found.weights == pytest.approx(held(base), rel=0.01)
        assert found.weights == pytest.approx(base.memory_bytes, rel=0.06)
    assert pair.weights == pair.policy.weights + pair.prm.weights + pair.head
    assert (pair.loading > pair.weights) == (quant == "nf4")


@pytest.mark.parametrize("quant", QUANTS)
@pytest.mark.parametrize("tied", [True, False])
def test_a_head_takes_memory_unless_it_is_tied(quant: str, tied: bool, tmp_path: Path) -> None:
    model = random_model(tmp_path, qwen(tie_word_embeddings=tied))
    options = {"quant": quant, "dtype": "bf16"}
    found = predict(spec(model, **options), spec(model, **options)).policy
    base = ModelPool().open(spec(model, **options)).base
    assert found.weights == pytest.approx(held(base), rel=0.01)
    assert found.parameters == sum(p.numel() for p in random_parameters(model))


def random_parameters(directory: Path) -> list[torch.nn.Parameter]:
    return list(AutoModelForCausalLM.from_pretrained(directory).parameters())


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_of_a_token_are_those_of_the_real_cache(family: str, tmp_path: Path) -> None:
    model = random_model(tmp_path, FAMILIES[family])
    found = predict(spec(model, quant="none"), spec(model, quant="none")).policy
    base = ModelPool().open(spec(model, quant="none")).base
    cache = DynamicCache(config=base.model.config)
    with base.using(None) as loaded:
        loaded(input_ids=torch.tensor([[70, 80, 90]]), past_key_values=cache)
    rows = [row for layer in cache.layers for row in (layer.keys, layer.values)]
    assert found.kv_token == sum(row.nbytes for row in rows) / 3
    assert found.token == found.kv_token + 4 * found.hidden
    assert found.weights == pytest.approx(held(base), rel=0.01)


def test_a_model_that_cannot_run_empty_is_told_by_its_config(
    lines_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = shutil.copytree(lines_model, tmp_path / "model")
    write_head(model)
    specs = [spec(model, quant="none")] * 2
    found = predict(*specs)

    def forward(self: object, input_ids: torch.Tensor, **_: object) -> None:
        assert (input_ids > 0).all()

    monkeypatch.setattr("transformers.LlamaForCausalLM.forward", forward)
    assert predict(*specs) == found


def test_a_shared_base_is_counted_once_with_both_adapters(
    lines_model: Path, tmp_path: Path
) -> None:
    policy, prm = (write_adapter(tmp_path / n, lines_model, seed=i) for i, n in enumerate("ab"))
    write_head(prm)
    specs = [spec(path, quant="none", dtype="bf16") for path in (policy, prm)]
    pair = predict(*specs)
    assert pair.shared
    models = ModelPool()
    head = load_prm(specs[1], models).head
    base = models.open(specs[0]).base
    assert len(models.bases) == 1
    really = base.memory_bytes + head.weight.nbytes + head.bias.nbytes
    assert pair.weights == pytest.approx(really, rel=0.01)
    same = predict(specs[1], specs[1])
    assert pair.adapters == 2 * same.adapters > 0


def test_another_precision_is_another_base(lines_model: Path, tmp_path: Path) -> None:
    prm = shutil.copytree(lines_model, tmp_path / "prm")
    write_head(prm)
    pair = predict(spec(prm, quant="none"), spec(prm, quant="none", dtype="bf16"))
    assert not pair.shared
    assert pair.policy.weights == pytest.approx(2 * pair.prm.weights, rel=0.01)


def write_hole(directory: Path, **changes: object) -> Path:
    """A model of the shape of Llama 8B with a value head, whose weights are a hole in the disk."""
    config: dict[str, object] = {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 128256,
        "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 8192,
    }  # fmt: skip
    directory.mkdir(exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config | changes))
    size = 128256 * 4096 * 2
    head = {"dtype": "BF16", "shape": [128256, 4096], "data_offsets": [0, size]}
    text = json.dumps({"lm_head.weight": head}).encode()
    with (directory / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + size)
    return write_head(directory, width=int(str((config | changes)["hidden_size"])))


def test_an_8b_model_is_told_without_reading_its_weights(tmp_path: Path) -> None:
    write_hole(tmp_path)
    whole = predict(*[spec(tmp_path, quant="none", dtype="bf16")] * 2)
    assert whole.policy.parameters == 8_030_261_248
    assert whole.weights == pytest.approx(2 * 8_030_261_248, rel=0.001)
    assert whole.policy.kv_token == 32 * 2 * 8 * 128 * 2
    assert whole.token == 2 * (whole.policy.kv_token + 4096 * 2)


@pytest.mark.parametrize("place", ["config", "weights", "shard", "index", "head"])
def test_what_is_wrong_is_said(place: str, lines_model: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(lines_model, model)
    write_head(model)
    weights = model / "model.safetensors"
    if place == "config":
        (model / "config.json").write_text('{"model_type": "abacus"}')
    elif place == "weights":
        weights.write_bytes(weights.read_bytes()[:-1000])
    elif place == "head":
        (model / "value_head.safetensors").unlink()
    else:
        weights.rename(model / "model-00001-of-00002.safetensors")
        named = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
        index = {"weight_map": named if place == "shard" else []}
        (model / "model.safetensors.index.json").write_text(json.dumps(index))
    says = {
        "config": "abacus",
        "weights": "not copied to its end .*before its tensors do",
        "shard": r"1 of 2 weight file\(s\) are not there, such as model-00002-of-00002",
        "index": "names no weights",
        "head": "no process reward model",
    }
    with pytest.raises(ModelError, match=says[place]):
        predict(spec(model), spec(model))


def test_a_hub_id_is_looked_up_in_the_cache_alone(
    lines_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    refused = []
    monkeypatch.setattr("socket.getaddrinfo", lambda *where, **_: refused.append(where))
    named = spec("someone/some-model", quant="none")
    with pytest.raises(ModelError, match="not known before it is fetched"):
        predict(named, named)
    folder = tmp_path / "models--someone--some-model"
    copy = folder / "snapshots" / "0123456789abcdef"
    shutil.copytree(lines_model, copy)
    write_head(copy)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(copy.name)
    found = predict(named, named)
    assert found.policy.name == "someone/some-model"
    assert found.policy.directory == copy
    adapter = write_adapter(tmp_path / "adapter", lines_model)
    config = json.loads((adapter / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "someone/some-model"
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    assert predict(spec(adapter, quant="none"), named).policy.directory == copy
    assert not refused


def test_the_work_follows_the_stated_formula(lines_model: Path, tmp_path: Path) -> None:
    model = shutil.copytree(lines_model, tmp_path / "model")
    write_head(model)
    found = predict(*[spec(model, quant="none", dtype="fp32")] * 2)
    rows, length = footprint.ROWS, footprint.LENGTH
    work = found.policy.work
    assert work.rows == rows * length * found.policy.kv_token
    assert work.logits == rows * 320 * footprint.LOGIT_BYTES
    assert work.activations == 4 * length * (6 * 64 + 3 * 128 + 4 * 2 * length)
    assert found.work.bytes == work.bytes


def test_a_larger_policy_and_prm_add_up(tmp_path: Path) -> None:
    small = random_model(tmp_path / "small", qwen())
    large = write_model(tmp_path / "large", hidden=128)
    pair = predict(spec(large, quant="none"), spec(small, quant="none"))
    assert pair.weights == pair.policy.weights + pair.prm.weights + pair.head
    assert pair.token == pair.policy.token + pair.prm.token
