"""What `lab doctor` says of models and memory before loading them."""

import shutil
from pathlib import Path

import pytest

from engine.errors import ParameterError
from engine.models import hardware
from engine.models.pool import ROWS_SHARE
from engine.sandbox.runner import in_words, protection
from lab import doctor, fit
from lab.results import ModelSettings
from tests.engine.models.test_footprint import write_hole
from tests.lab.test_cli import lab

GIB = 2**30
native = pytest.mark.skipif(
    hardware.four_bit_kernel("cpu") != "cpu-native",
    reason="this CPU has no AVX512-BF16, so NF4 is not used on it",
)


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Free memory in bytes, to be changed."""
    amount = [64 * GIB]
    monkeypatch.setattr(hardware, "free_memory", lambda device: (64 * GIB, amount[0]))
    return amount


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_hole(tmp_path_factory.mktemp("large"), num_hidden_layers=4))


def settings(model: str, **options: str) -> ModelSettings:
    return ModelSettings(policy=model, prm=model, device="cpu", **options)


def test_the_numbers_add_up(free: list[int]) -> None:
    found = fit.fit(ModelSettings(device="cpu", quant="none"))
    work = found.work
    assert found.verdict == "fits"
    assert not found.shared
    assert found.weights == found.policy.weights + found.prm.weights + found.value_head
    together = found.weights + work.rows + work.logits + work.activations
    assert found.needed == together > found.loading
    assert found.left == found.free - together
    assert found.kv_token == found.policy.kv_token + found.prm.kv_token
    share = int(ROWS_SHARE * (found.free - found.weights))
    assert found.kv_tokens == share // found.kv_token < found.left // found.kv_token
    assert found.advice == []


@pytest.mark.parametrize("quant", ["none", pytest.param("nf4", marks=native)])
def test_less_and_less_memory(large: str, free: list[int], quant: str) -> None:
    asked = settings(large, quant=quant, dtype="bf16")
    needed = fit.fit(asked).needed
    verdicts = []
    for amount in (3 * needed, needed + GIB // 16, needed - 1):
        free[0] = amount
        verdicts.append(fit.fit(asked).verdict)
    assert verdicts == ["fits", "tight", "does not fit"]
    free[0] = 0
    assert fit.fit(asked).verdict == "unknown"


@native
def test_what_would_fit_is_said(large: str, free: list[int]) -> None:
    free[0] = int(0.9 * fit.fit(settings(large, quant="none", dtype="bf16")).needed)
    found = fit.fit(settings(large, quant="none", dtype="bf16"))
    assert found.shared
    assert found.verdict == "does not fit"
    small = fit.fit(settings(large))
    assert small.verdict != "does not fit"
    assert found.advice[0].startswith(f"With --quant nf4 --dtype auto: {small.verdict}, ")
    free[0] = GIB
    assert fit.fit(settings(large)).advice == ["Take smaller models, or free memory."]


def test_without_the_fast_kernel_nf4_is_no_way_out(
    large: str, free: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.models.loading.four_bit_kernel", lambda device: "cpu-dequantise")
    free[0] = 2 * GIB
    found = fit.fit(settings(large))
    assert found.policy.quantised == "none"
    assert found.verdict == "does not fit"
    assert "instead of 4-bit NF4" in found.advice[0]
    assert found.advice[1] == "Take smaller models, or free memory."


def test_a_budget_counts(large: str, free: list[int]) -> None:
    asked = {"quant": "none", "dtype": "bf16"}
    free[0] = fit.fit(settings(large, **asked)).needed + 8 * GIB
    auto = fit.fit(settings(large, **asked))
    unlimited = fit.fit(settings(large, kv_budget="unlimited", **asked))
    assert unlimited.kv_tokens == unlimited.left // unlimited.kv_token > auto.kv_tokens
    nothing = fit.fit(settings(large, kv_budget="0", **asked))
    assert (nothing.kv_tokens, nothing.left) == (0, auto.left)
    some = fit.fit(settings(large, kv_budget="1GiB", **asked))
    assert some.verdict == "fits"
    assert some.kv_tokens == GIB // some.kv_token
    much = fit.fit(settings(large, kv_budget="20GiB", **asked))
    assert much.verdict == "tight"
    assert much.kv_tokens == unlimited.kv_tokens
    assert "--kv-budget auto" in much.advice[0]
    with pytest.raises(ParameterError):
        fit.fit(settings(large, kv_budget="much"))


def test_what_cannot_be_told_is_a_finding(
    tmp_path: Path, large: str, free: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_software", list)
    policy = shutil.copytree(large, tmp_path / "policy", copy_function=shutil.copyfile)
    (policy / "value_head.json").unlink()
    for model, says in (
        (str(policy), "no process reward model"),
        ("someone/some-model", "not known before it is fetched"),
    ):
        report = doctor.examine(tmp_path, settings(model))
        assert not report.healthy
        assert report.fit is None
        assert says in report.findings[-1].text
    assert doctor.examine(tmp_path, settings(large)).healthy


def test_the_command_predicts_the_bundled_models(tmp_path: Path) -> None:
    found = lab("doctor", "--json", "--device", "cpu", "--kv-budget", "1GB", home=tmp_path).json
    assert found["healthy"] is True
    assert found["fit"]["verdict"] in ("fits", "tight")
    assert found["fit"]["policy"]["name"] == "bundled"
    assert found["fit"]["kv_budget"] == "1GB"
    assert {"findings", "fit"} < set(found)
    told = {one["name"]: one for one in found["findings"]}["code of a model"]
    assert told["text"] == in_words()
    assert told["status"] == ("ok" if protection() else "note")


def test_the_command_fails_where_models_do_not_fit(tmp_path: Path) -> None:
    shape = {"hidden_size": 65536, "num_attention_heads": 512, "intermediate_size": 262144}
    huge = write_hole(tmp_path / "huge", num_hidden_layers=24, **shape)
    done = lab("doctor", "--policy", huge, "--prm", huge, "--device", "cpu", home=tmp_path)
    assert done.code == 1
    assert "does not fit: needs" in done.out
    assert "the same base, loaded once" in done.out
    assert "Take smaller models" in done.out
    assert "Traceback" not in done.err


def test_the_command_refuses_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert lab("doctor", "--policy", "nowhere", home=tmp_path).code == 2
