"""What `lab doctor` looks at: versions, memory, GPU, 4-bit kernel, models and their fit, the home,
and what protects this machine from a model's code.

Every finding is measured or looked up now. Nothing is repaired, and nothing is written except a
temporary folder that tells whether the home can be written.
"""

import platform
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from rich.text import Text

from engine.errors import ModelError
from engine.models import hardware
from engine.sandbox.runner import in_words as sandbox_in_words
from engine.sandbox.runner import protection
from lab import __version__, render, terminal
from lab.fit import Fit, fit, in_words
from lab.models import format_of
from lab.results import ModelSettings

if TYPE_CHECKING:
    import torch

Status = Literal["ok", "note", "missing"]
BUNDLED = ("tiny-policy", "tiny-prm")
KERNELS = {
    "cuda": "fused CUDA kernel",
    "cpu-native": "native AVX512-BF16 kernel",
    "cpu-dequantise": "unpacks the weights at every call: --quant none is faster here",
    "missing": "bitsandbytes cannot be imported: only --quant none works",
}
SIZE, ROWS, REPEATS = 1024, 4, 15
"""The measured layer: SIZE x SIZE weights, ROWS prefixes at once, the median of REPEATS calls."""


class Finding(msgspec.Struct, frozen=True):
    """One line of the report; `missing` is what the lab cannot do without."""

    name: str
    text: str
    status: Status = "ok"


class FourBit(msgspec.Struct, frozen=True):
    """A 4-bit layer measured against the same one whole: milliseconds a call, relative error."""

    device: str
    nf4_ms: float
    whole_ms: float
    error: float


class Report(msgspec.Struct, frozen=True):
    """What was found; `fit` is None where it cannot be told, and a finding says why."""

    findings: list[Finding]
    fit: Fit | None = None

    @property
    def healthy(self) -> bool:
        """Whether nothing is missing that the lab needs."""
        return all(finding.status != "missing" for finding in self.findings)

    def as_dict(self) -> dict[str, object]:
        """For `--json`."""
        return {"healthy": self.healthy, **msgspec.to_builtins(self)}


def examine(home: Path, settings: ModelSettings) -> Report:
    """Look at everything, and predict whether the models of the settings fit.

    Raises:
        ParameterError: the K/V budget is no size.
    """
    findings = [*_software(), *_models(), _step_format(settings), _home(home), _sandbox()]
    try:
        found = fit(settings)
    except (ModelError, ImportError, OSError) as error:  # the latter two: torch does not work
        return Report([*findings, Finding("fit", str(error), "missing")])
    return Report([*findings, _fit(found)], found)


def _step_format(settings: ModelSettings) -> Finding:
    """How the policy is prompted and read."""
    try:
        form, source = format_of(settings)
    except ModelError as error:
        return Finding("step format", str(error), "missing")
    return Finding("step format", f"{form.kind}, {source}")


def _sandbox() -> Finding:
    """What protects this machine where a search runs a model's code (`run_code`)."""
    return Finding("code of a model", sandbox_in_words(), "ok" if protection() else "note")


def _fit(found: Fit) -> Finding:
    """The prediction in a line."""
    status: Status = "ok" if found.verdict == "fits" else "note"
    return Finding(
        "fit",
        f"{found.verdict}: needs {in_words(found.needed)} of {in_words(found.free)} free on "
        f"{found.device}",
        "missing" if found.verdict == "does not fit" else status,
    )


def show(report: Report) -> None:
    """Print the report as a table and one line of judgement."""
    marks = {
        "ok": Text("ok", style="green"),
        "note": Text("note", style="yellow"),
        "missing": Text("missing", style="bold red"),
    }
    rows = [(marks[one.status], one.name, one.text) for one in report.findings]
    terminal.out().print(render.table([("", "left"), ("what", "left"), ("found", "left")], rows))
    if report.fit is not None:
        _show_fit(report.fit)
    verdict = (
        "Everything that the lab needs is here."
        if report.healthy
        else "It does not work like this: see what is marked as missing."
    )
    terminal.out().print(f"\n{verdict}")


def _show_fit(found: Fit) -> None:
    """Print how the prediction comes about, and what to do."""
    work, out = found.work, terminal.out()
    models = {"policy": found.policy, "PRM": found.prm}
    rows = [
        (
            f"{role}: {model.name}",
            in_words(model.weights),
            f"{model.parameters / 1e6:,.1f} million parameters, {model.quantised}, "
            f"otherwise {model.dtype}",
        )
        for role, model in models.items()
    ]
    if found.shared:
        rows[1] = (rows[1][0], "", "the same base, loaded once")
    batch = f"{work.batch} texts of {work.length:,} tokens"
    rows += [
        ("adapters and value head", in_words(found.adapters + found.value_head), ""),
        ("most while loading", in_words(found.loading), "weights, and what is on its way"),
        ("K/V rows of a batch", in_words(work.rows), batch),
        ("logits and activations", in_words(work.logits + work.activations), ""),
        ("left for kept rows", in_words(found.left), _rows_in_words(found)),
    ]
    out.print()
    out.print(terminal.plain("What the models take", style="bold"))
    out.print(render.table([("", "left"), ("memory", "right"), ("", "left")], rows))
    for sentence in found.advice:
        out.print(terminal.plain(sentence))


def _rows_in_words(found: Fit) -> str:
    room = f"{in_words(found.kv_token)} a token of both models"
    return f"{room}; with --kv-budget {found.kv_budget}: {found.kv_tokens:,} tokens"


def _software() -> list[Finding]:
    system = f"{platform.system()} {platform.machine()}"
    found = [
        Finding("lab", f"{__version__} on Python {platform.python_version()}, {system}"),
        Finding("SQLite", sqlite3.sqlite_version),
    ]
    try:
        machine = hardware.survey()
    except (ImportError, OSError) as error:  # OSError: a shared library of torch is missing
        return [*found, Finding("torch", f"cannot be imported: {error}", "missing")]
    found += [
        Finding(name, version, "missing" if version == "missing" else "ok")
        for name, version in machine.versions.items()
    ]
    total, free = (
        f"{size / 2**30:.1f} GiB" for size in (machine.memory_total, machine.memory_free)
    )
    found.append(Finding("processor", f"{machine.cores} cores, torch on {machine.threads} threads"))
    found.append(Finding("memory", f"{total}, {free} free"))
    found += [
        Finding(
            f"cuda:{gpu.index}",
            f"{gpu.name}, {gpu.total / 2**30:.1f} GiB, {gpu.free / 2**30:.1f} GiB free",
        )
        for gpu in machine.cuda
    ] or [Finding("GPU", "none that torch can use; models run on the processor", "note")]
    found.append(_four_bit("cpu", machine.kernel_cpu))
    if machine.kernel_cuda is not None:
        found.append(_four_bit("cuda", machine.kernel_cuda))
    return found


def _four_bit(device: str, kernel: hardware.FourBitKernel) -> Finding:
    """The 4-bit kernel of a device, with a measurement where it runs."""
    name, words = f"4-bit on {device}", KERNELS[kernel]
    if kernel == "missing":
        return Finding(name, words, "note")
    try:
        measured = measure(device)
    except RuntimeError as error:
        return Finding(name, f"{words}, but it fails: {error}", "note")
    return Finding(
        name,
        f"{words}; a {SIZE} x {SIZE} layer on {ROWS} rows: NF4 {measured.nf4_ms:.2f} ms, "
        f"bfloat16 {measured.whole_ms:.2f} ms, error {measured.error:.1%}",
        "ok" if kernel in ("cuda", "cpu-native") else "note",
    )


def measure(device: str) -> FourBit:
    """Time one 4-bit linear layer against the same in bfloat16."""
    import torch

    hardware.import_bitsandbytes()
    from bitsandbytes.nn import Linear4bit

    torch.manual_seed(0)
    whole = torch.nn.Linear(SIZE, SIZE, bias=False)
    four = Linear4bit(
        SIZE,
        SIZE,
        bias=False,
        compute_dtype=torch.bfloat16,
        compress_statistics=True,
        quant_type="nf4",
    )
    four.load_state_dict(whole.state_dict())
    four = four.to(device).eval()  # quantises
    whole = whole.to(device, torch.bfloat16).eval()
    rows = torch.randn(ROWS, SIZE).to(device, torch.bfloat16)
    with torch.inference_mode():
        expected, got = whole(rows), four(rows)
        error = float((got - expected).norm() / expected.norm())
        return FourBit(device, _median(four, rows), _median(whole, rows), error)


def _median(layer: Callable[["torch.Tensor"], "torch.Tensor"], rows: "torch.Tensor") -> float:
    """Median milliseconds of a call."""
    import torch

    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        layer(rows)
        if rows.is_cuda:
            torch.cuda.synchronize()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def _models() -> list[Finding]:
    """The bundled models, by the files that make them."""
    found = []
    for name in BUNDLED:
        weights = files("assets").joinpath("models", name, "model.safetensors")
        if weights.is_file():
            size = len(weights.read_bytes()) / 2**20
            found.append(Finding(name, f"bundled, {size:.1f} MiB of weights"))
        else:
            found.append(Finding(name, "not in this installation", "missing"))
    return found


def _home(home: Path) -> Finding:
    """Whether sessions can be written; a home that does not exist is not made."""
    existing = home
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    try:
        with tempfile.TemporaryDirectory(dir=existing, prefix=".lab-"):
            pass
    except OSError as error:
        return Finding("home", f"{home}: {error.strerror or error}", "missing")
    free = shutil.disk_usage(existing).free / 2**30
    state = "writable" if existing == home else "not made yet"
    return Finding("home", f"{home}, {state}, {free:.1f} GiB free")
