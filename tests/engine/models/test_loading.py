"""Finding and loading models: 4-bit, shared bases, adapters, refusals."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError

from engine.errors import ModelError
from engine.models import hardware, loading, pool
from engine.models.fingerprint import fingerprint
from engine.models.loading import ModelSpec
from engine.models.pool import ModelPool
from tests.engine.models.conftest import LINES, write_adapter, write_model

native = pytest.mark.skipif(
    hardware.four_bit_kernel("cpu") != "cpu-native",
    reason="this CPU has no AVX512-BF16, so NF4 is not used on it",
)


def bare(directory: Path, **options: object) -> ModelSpec:
    return ModelSpec(path=str(directory), quant="none", device="cpu", **options)


def linear_layers(base: pool.Base) -> list[str]:
    return [
        type(module).__name__
        for module in base.model.modules()
        if "Linear" in type(module).__name__
    ]


def test_importing_the_runtime_does_not_import_torch() -> None:
    code = (
        "import sys, engine.models.transformers_policy, engine.models.transformers_prm, "
        "engine.tasks.grading, engine.models.scripted\n"
        "print([n for n in ('torch', 'transformers', 'peft', 'sympy') if n in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@native
def test_nf4_is_really_4_bit(lines_model: Path) -> None:
    small = ModelPool().open(ModelSpec(path=str(lines_model), device="cpu")).base
    large = ModelPool().open(bare(lines_model)).base
    assert small.identity.endswith("/nf4-fp32")
    assert large.identity.endswith("/none-fp32")
    assert linear_layers(small).count("Linear4bit") == 14
    weight = next(m.weight for m in small.model.modules() if type(m).__name__ == "Linear4bit")
    assert weight.dtype == torch.uint8
    assert weight.quant_state.nested
    assert weight.numel() * 2 == weight.quant_state.shape.numel()
    assert small.memory_bytes < 0.45 * large.memory_bytes
    assert small.notices == []


@native
def test_nf4_values_are_close_to_the_exact_ones(lines_model: Path) -> None:
    ids = torch.tensor([[70, 80, 90]])
    logits = []
    for spec in (ModelSpec(path=str(lines_model), device="cpu"), bare(lines_model)):
        with ModelPool().open(spec).using() as model:
            logits.append(model(input_ids=ids).logits.float().flatten())
    assert torch.cosine_similarity(*logits, dim=0) > 0.8


@native
def test_a_shape_that_the_fast_kernel_cannot_pack_still_runs(tmp_path: Path) -> None:
    odd = write_model(tmp_path / "odd", hidden=72, head_dim=36)
    with ModelPool().open(ModelSpec(path=str(odd), device="cpu")).using() as model:
        assert model(input_ids=torch.tensor([[70, 71]])).logits.isfinite().all()


def test_without_the_fast_kernel_the_cpu_uses_full_weights_and_says_so(
    lines_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "four_bit_kernel", lambda device: "cpu-dequantise")
    models = ModelPool()
    base = models.open(ModelSpec(path=str(lines_model), device="cpu")).base
    models.open(ModelSpec(path=str(lines_model), device="cpu"))
    assert base.quantised == "none"
    assert len(models.notices) == 1
    assert "instead of 4-bit NF4" in models.notices[0]


def test_equal_bases_are_loaded_once_and_adapters_lie_side_by_side(
    lines_model: Path, tmp_path: Path
) -> None:
    first = write_adapter(tmp_path / "first", lines_model, seed=1)
    second = write_adapter(tmp_path / "second", lines_model, seed=2)
    models = ModelPool()
    handles = [
        models.open(bare(lines_model)),
        models.open(bare(lines_model, adapter=str(first))),
        models.open(bare(second)),  # a directory with only an adapter stands for its base with it
        models.open(bare(lines_model, adapter=str(first))),
    ]
    assert len({id(handle.base) for handle in handles}) == 1
    assert len({handle.identity for handle in handles}) == 3
    ids = torch.tensor([[70, 80, 90]])

    def logits(index: int) -> torch.Tensor:
        with handles[index].using() as model:
            return model(input_ids=ids).logits

    bare_base = ModelPool().open(bare(lines_model))
    with bare_base.using() as model:
        untouched = model(input_ids=ids).logits
    assert torch.equal(logits(0), untouched)
    before = logits(1)
    assert not torch.allclose(before, untouched)
    assert not torch.allclose(logits(2), before)
    assert torch.equal(logits(0), untouched)
    assert torch.equal(logits(1), before)
    assert torch.equal(logits(3), before)


def test_other_precision_is_another_base(lines_model: Path) -> None:
    models = ModelPool()
    assert (
        models.open(bare(lines_model)).base is not models.open(bare(lines_model, dtype="bf16")).base
    )
    models.close()
    assert models.bases == ()


def test_an_adapter_of_another_base_is_refused(lines_model: Path, tmp_path: Path) -> None:
    wider = write_model(tmp_path / "wider", hidden=128)
    deeper = write_model(tmp_path / "deeper", num_hidden_layers=3)
    for other in (wider, deeper):
        adapter = write_adapter(tmp_path / f"on-{other.name}", other)
        with pytest.raises(ModelError, match=f"on-{other.name}.*(does not fit|does not have)"):
            ModelPool().open(bare(lines_model, adapter=str(adapter)))


def test_an_adapter_that_names_another_base_of_equal_shape_is_mentioned(
    lines_model: Path, tmp_path: Path
) -> None:
    twin = write_model(tmp_path / "twin", seed=5)
    models = ModelPool()
    models.open(bare(twin, adapter=str(write_adapter(tmp_path / "a", lines_model))))
    assert len(models.notices) == 1
    assert "trained on" in models.notices[0]


def test_two_adapters_on_each_other_are_refused(lines_model: Path, tmp_path: Path) -> None:
    adapter = str(write_adapter(tmp_path / "a", lines_model))
    with pytest.raises(ModelError, match="itself an adapter"):
        ModelPool().open(ModelSpec(path=adapter, adapter=adapter))


def broken(tmp_path: Path, lines_model: Path, kind: str) -> Path:
    """A model directory with one thing wrong."""
    directory = tmp_path / "broken"
    if kind == "missing":
        return directory
    shutil.copytree(lines_model, directory)
    weights, config = directory / "model.safetensors", directory / "config.json"
    if kind == "pickle":
        weights.rename(directory / "pytorch_model.bin")
    elif kind == "no weights":
        weights.unlink()
    elif kind == "damaged":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif kind == "no tokenizer":
        for path in directory.glob("tokenizer*"):
            path.unlink()
    elif kind == "no config":
        config.unlink()
    elif kind == "unknown":
        config.write_text(json.dumps({"model_type": "abacus"}))
    elif kind == "code":
        fields = json.loads(config.read_text()) | {
            "model_type": "abacus",
            "auto_map": {"AutoConfig": "x.Config", "AutoModelForCausalLM": "x.Model"},
        }
        config.write_text(json.dumps(fields))
        (directory / "x.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    return directory


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "There is no model directory"),
        ("pickle", "as a pickle"),
        ("no weights", "no \\*.safetensors"),
        ("damaged", "cannot be loaded"),
        ("no tokenizer", "no usable tokenizer"),
        ("no config", "no config.json"),
        ("unknown", "abacus"),
        ("code", "trust_remote_code"),
    ],
)
def test_errors_say_what_is_wrong(tmp_path: Path, lines_model: Path, kind: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        ModelPool().open(bare(broken(tmp_path, lines_model, kind)))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"device": "cuda:99"}, "cuda:99"),
        ({"device": "tpu"}, "auto, cpu, cuda"),
        ({"device": "cpu", "quant": "int8"}, "int8 needs a CUDA device"),
        ({"adapter": "/nowhere"}, "There is no model directory"),
    ],
)
def test_impossible_settings_are_refused(
    lines_model: Path, options: dict[str, str], says: str
) -> None:
    with pytest.raises(ModelError, match=says):
        ModelPool().open(ModelSpec(path=str(lines_model), **options))


def test_a_local_directory_never_touches_the_network(
    lines_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("the network was asked for")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    assert ModelPool().open(bare(lines_model)).base.quantised == "none"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError("no route"), r"neither a directory here nor did the hub .* \(no route\)"),
        (LocalEntryNotFoundError("Got: ConnectError: [Errno -2]"), "the hub cannot be reached"),
    ],
)
def test_a_hub_id_that_cannot_be_fetched_says_so(
    monkeypatch: pytest.MonkeyPatch, error: Exception, says: str
) -> None:
    asked: list[str] = []

    def unreachable(name: str, allow_patterns: list[str]) -> str:
        asked.append(name)
        assert "*.py" not in allow_patterns
        assert "*.bin" not in allow_patterns
        raise error

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    with pytest.raises(ModelError, match=f"could not be fetched: .*{says}") as raised:
        ModelPool().open(ModelSpec(path="someone/some-model"))
    assert "Error" not in str(raised.value)
    assert asked == ["someone/some-model"]


def test_fingerprints_follow_the_content(lines_model: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(lines_model, tmp_path / "renamed")
    assert fingerprint(copy) == fingerprint(lines_model)
    (copy / "step_format.json").write_text(json.dumps({**LINES, "max_step_tokens": 13}))
    assert fingerprint(copy) != fingerprint(lines_model)


def test_fingerprints_of_large_files_see_scattered_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.models.fingerprint.WHOLE", 1000)
    path = tmp_path / "model.safetensors"
    path.write_bytes(bytes(4_000_000))
    before = fingerprint(tmp_path)
    path.write_bytes(bytes(3_000_000) + b"\1" * 1_000_000)
    assert fingerprint(tmp_path) != before


def test_the_survey_knows_this_machine() -> None:
    found = hardware.survey()
    assert found.threads >= 1
    assert found.kernel_cpu in ("cpu-native", "cpu-dequantise")
    assert (found.kernel_cuda is None) == (found.cuda == ())
    assert found.versions["torch"].startswith(torch.__version__.partition("+")[0])
