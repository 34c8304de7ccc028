"""The command: which parts are measured, on which device, and the report.

A figure is the median of the repetitions, with the smallest and the largest; every repetition does
the same amount of work and begins with nothing read.
"""

import json
import platform
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer

from engine.errors import LabError
from engine.models import hardware
from engine.models.loading import Quant
from engine.models.pool import ModelPool
from lab import terminal
from lab.bench import expansion, figures, logic, searches, shapes, speed, storage
from lab.bench.figures import Figure
from lab.bench.shapes import Pair, Shape


class Part(StrEnum):
    """What can be measured."""

    LOGIC = "logic"
    STORE = "store"
    LATENCY = "latency"
    TOKENS = "tokens"
    TREES = "trees"
    EXPANSION = "expansion"
    SPEED = "speed"


PARTS = {
    Part.LOGIC: "search logic, with models that say what is written",
    Part.STORE: "the disk",
    Part.LATENCY: "iterations with the bundled models",
    Part.TOKENS: "tokens of searches with the bundled models",
    Part.TREES: "many problems at once, with the bundled models",
    Part.EXPANSION: "expansion against other ways to write it",
    Part.SPEED: "prefill, decode, an iteration and many trees",
}
ON_CPU = (Part.LOGIC, Part.STORE, Part.LATENCY, Part.TOKENS, Part.TREES, Part.EXPANSION)
ON_GPU = (Part.LATENCY, Part.TOKENS, Part.TREES, Part.EXPANSION, Part.SPEED)
SHAPES_ON_CPU = ("qwen2-236m",)
SHAPES_ON_GPU = ("qwen2-1.5b", "llama-8b")


@dataclass
class Run:
    """One run of the benchmark: its settings, and the models once they are needed."""

    device: str
    quant: Quant
    repetitions: int
    problems: int
    iterations: int
    nodes: int
    tiny: bool
    models: Path
    _bundled: searches.Bundled | None = None

    @property
    def bundled(self) -> searches.Bundled:
        """The bundled models."""
        if self._bundled is None:
            self._bundled = searches.Bundled(self.device, self.quant)
        return self._bundled

    def measure(self, part: Part) -> list[Figure]:
        """The figures of a part that needs no random model."""
        times, count = self.repetitions, self.problems
        measures: dict[Part, Callable[[], list[Figure]]] = {
            Part.LOGIC: lambda: logic.figures(times, self.nodes),
            Part.STORE: lambda: storage.figures(times, self.nodes),
            Part.LATENCY: lambda: searches.latency(
                self.bundled, times, min(count, 10), self.iterations
            ),
            Part.TOKENS: lambda: searches.tokens(self.bundled, count, self.iterations),
            Part.TREES: lambda: searches.trees(
                self.bundled,
                times,
                min(count, searches.TREES),
                min(self.iterations, searches.TREES_ITERATIONS),
            ),
        }
        return measures[part]()

    def pair(self, shape: Shape) -> Pair:
        """Random models of a shape, made if they are not there.

        In four bits only where a kernel reads them so: elsewhere nobody would hold them that way.
        """
        device, quant = hardware.choose_device(self.device), self.quant
        if hardware.four_bit_kernel(device) not in ("cuda", "cpu-native"):
            quant = "none"
        directory = self.models / f"{shape.name}-{quant}"
        if not (directory / shapes.COMPLETE).exists():
            shapes.write(shape, directory, device, quant)
        return shapes.open_pair(directory, device, quant, ModelPool())

    def random(self, part: Part, pair: Pair, shape: Shape) -> list[Figure]:
        """The figures of a part that needs random models."""
        if part is Part.EXPANSION:
            setting = expansion.Setting(shape)
            if self.tiny:
                setting = replace(setting, prompt=24, depths=2)
            return expansion.figures(pair, setting, self.repetitions)
        work = speed.Work(shape)
        if self.tiny:
            work = replace(
                work,
                prompt=24,
                batches=(1, 3),
                steps=4,
                trees=(1, 2),
                iterations=2,
                copied=2**20,
            )
        return speed.figures(pair, work, self.repetitions)


def main(
    only: Annotated[
        list[Part] | None, typer.Option(help="Measure this part; may be given several times.")
    ] = None,
    repetitions: Annotated[int, typer.Option("--repeat", min=1, help="Repetitions.")] = 3,
    problems: Annotated[int, typer.Option(min=1, help="Held-out problems to search.")] = 50,
    iterations: Annotated[int, typer.Option(min=1, help="Iterations of each search.")] = 20,
    nodes: Annotated[int, typer.Option(min=2, help="Nodes of a large search.")] = 10_000,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    quant: Annotated[Literal["nf4", "none"], typer.Option(help="Weights.")] = "nf4",
    shape: Annotated[
        list[str] | None, typer.Option(help="Shape of the random models; may be repeated.")
    ] = None,
    tiny: Annotated[
        bool, typer.Option(help="A tiny shape and little work: does everything run?")
    ] = False,
    models: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the random models there.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there too.")
    ] = None,
) -> None:
    """Measure this machine."""
    hardware.prepare_environment()
    # What libraries say to those who write with them.
    warnings.simplefilter("ignore", FutureWarning)
    began = time.perf_counter()
    try:
        on_gpu = hardware.choose_device(device).startswith("cuda")
        parts = only or list(ON_GPU if on_gpu else ON_CPU)
        names = shape or list(SHAPES_ON_GPU if on_gpu else SHAPES_ON_CPU)
        wanted = [_shape(name) for name in (["tiny"] if tiny else names)]
        with tempfile.TemporaryDirectory() as temporary:
            run = Run(
                device,
                quant,
                repetitions,
                problems,
                iterations,
                nodes,
                tiny,
                models or Path(temporary),
            )
            report = _measure(run, parts, wanted)
    except LabError as error:
        terminal.error(str(error))
        raise typer.Exit(1) from error
    setting = _setting(run, time.perf_counter() - began)
    terminal.out().print(", ".join(f"{name} {value}" for name, value in setting.items()))
    if json_file is not None:
        content = {"setting": setting, "parts": msgspec.to_builtins(report)}
        json_file.write_text(json.dumps(content, indent=2) + "\n", "ascii")


def _shape(name: str) -> Shape:
    if name not in shapes.SHAPES:
        raise typer.BadParameter(
            f"There is no shape {name!r}. Known are: {', '.join(shapes.SHAPES)}."
        )
    return shapes.SHAPES[name]


def _measure(run: Run, parts: list[Part], wanted: list[Shape]) -> dict[str, list[Figure]]:
    """Figures by the title of their part; each is shown as soon as it is there."""
    report: dict[str, list[Figure]] = {}

    def keep(title: str, rows: list[Figure]) -> None:
        report[title] = rows
        figures.show(title, rows)

    for part in parts:
        if part not in (Part.EXPANSION, Part.SPEED):
            keep(f"{part}: {PARTS[part]}", run.measure(part))
    needed = [part for part in parts if part in (Part.EXPANSION, Part.SPEED)]
    for shape in wanted if needed else []:
        pair = run.pair(shape)
        for notice in pair.pool.notices:
            terminal.out().print(notice, markup=False, highlight=False)
        for part in needed:
            title = f"{part}: {PARTS[part]}; {shape.name}, {pair.precision}"
            keep(title, run.random(part, pair, shape))
        pair.pool.close()
    return report


def _setting(run: Run, seconds: float) -> dict[str, Any]:
    setting: dict[str, Any] = {
        "repetitions": run.repetitions,
        "problems": run.problems,
        "iterations": run.iterations,
        "cores": hardware.usable_cores(),
        "python": platform.python_version(),
        "minutes": round(seconds / 60, 1),
    }
    for card in hardware.cuda_devices():
        setting[f"cuda:{card.index}"] = card.name
    return setting


if __name__ == "__main__":
    typer.run(main)
