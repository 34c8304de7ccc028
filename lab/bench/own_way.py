"""A chat model through the lab against the same model alone: greedy, the same prompt, graded alike.

    python -m lab.bench.own_way --policy FOLDER --dataset FILE --home FOLDER --out FILE.json

Says how often each is right and by how much they differ on the same problems, what share of
proposals gave a step or the end of the solution, and whether a search is without an answer that
the model alone gives. `--step-format numbered` measures another format against the same replies.
Goes on where it was ended.
"""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from engine.evaluation.statistics import Interval, accuracy, paired_difference
from engine.models import hardware
from engine.models.loading import locate
from engine.models.prompting import Prompter
from engine.tasks.datasets import DatasetProblem
from engine.tasks.final_answer import extract_answer
from engine.tasks.format_files import load_step_format
from engine.tasks.grading import grade
from lab import terminal
from lab.models import specs
from lab.results import ModelSettings
from lab.workbench import Workbench

_POLL_SECONDS = 20.0
_REPLY_TOKENS = 512
_ROWS = 25

app = typer.Typer(add_completion=False, help=__doc__)


class Reply(msgspec.Struct, frozen=True):
    """What the model alone wrote, and how it is judged."""

    text: str
    answer: str | None
    correct: bool


class Report(msgspec.Struct, frozen=True):
    """Both ways on n problems, as percentages with 95 % intervals.

    alone, lab: right answers; difference: lab minus alone on the same problems. proposals: how many
    were asked; refused: why those gave no step, by their number; unanswered: searches without an
    answer where the model alone gives one.
    """

    model: str
    step_format: str
    n: int
    alone: tuple[float, float, float]
    lab: tuple[float, float, float]
    difference: tuple[float, float, float]
    agree: int
    proposals: int
    refused: dict[str, int]
    unanswered: int
    seconds: float
    tokens: int


@app.command()
def main(
    policy: Annotated[str, typer.Option(help="Folder of a chat model.")],
    dataset: Annotated[str, typer.Option(help="Problems with answers.")],
    home: Annotated[Path, typer.Option(help="Folder of the searches and replies.")],
    out: Annotated[Path, typer.Option(help="The report, as JSON.")],
    limit: Annotated[int, typer.Option(min=1)] = 200,
    step_format: Annotated[str, typer.Option()] = "auto",
    dtype: Annotated[str, typer.Option()] = "bf16",
) -> None:
    """Measure, and write the report."""
    hardware.prepare_environment()
    home.mkdir(parents=True, exist_ok=True)
    settings = ModelSettings(policy=policy, quant="none", dtype=dtype, step_format=step_format)
    bench = Workbench(home, settings)
    try:
        problems = bench.dataset(dataset, limit=limit).problems
        replies = alone(settings, problems, home / "alone.json")
        params: dict[str, Any] = {"samples": 1}
        batch = bench.solve(
            bench.dataset(dataset, limit=limit),
            "sampling",
            params,
            sampling={"temperature": 0.0},
            tokens=2 * _REPLY_TOKENS,
            parallel=_ROWS,
        )
        while (state := bench.wait_batch(batch, _POLL_SECONDS)).active:
            terminal.notice(f"{state.done} of {state.problems} searched")
        rows = sorted(bench.batch_problems(batch), key=lambda row: row.position)
        refused = bench.refused(batch)
    finally:
        bench.close()
    ours, theirs = [row.correct is True for row in rows], [reply.correct for reply in replies]
    gap = paired_difference(ours, theirs)
    report = Report(
        model=Path(policy).name,
        step_format=step_format,
        n=len(rows),
        alone=_percent(accuracy(theirs)),
        lab=_percent(accuracy(ours)),
        difference=_percent(gap),
        agree=sum(one == other for one, other in zip(ours, theirs, strict=True)),
        proposals=refused.asked,
        refused=refused.reasons,
        unanswered=sum(
            row.answer is None and reply.answer is not None
            for row, reply in zip(rows, replies, strict=True)
        ),
        seconds=state.seconds,
        tokens=state.tokens,
    )
    out.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
    print(out.read_text("utf-8"))


def alone(settings: ModelSettings, problems: list[DatasetProblem], kept: Path) -> list[Reply]:
    """What `generate()` of transformers writes after the same prompts, at most 512 tokens."""
    if kept.exists():
        texts = msgspec.json.decode(kept.read_bytes(), type=list[str])
    else:
        texts = _generated(settings, problems)
        kept.write_bytes(msgspec.json.encode(texts))
    found = []
    for text, problem in zip(texts, problems, strict=True):
        answer = extract_answer(text)
        found.append(Reply(text, answer, grade(answer, problem.answer) is True))
    return found


def _generated(settings: ModelSettings, problems: list[DatasetProblem]) -> list[str]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    directory = locate(specs(settings)[0]).directory
    tokenizer = AutoTokenizer.from_pretrained(directory, padding_side="left")
    types = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
    model: Any = AutoModelForCausalLM.from_pretrained(directory, dtype=types[settings.dtype])
    ends = model.generation_config.eos_token_id
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    prompter = Prompter(tokenizer, load_step_format(directory, bool(tokenizer.chat_template)))
    prompts = [prompter.proposal(problem.content, ()) for problem in problems]
    texts = [""] * len(problems)
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    for start in range(0, len(order), _ROWS):
        chosen = order[start : start + _ROWS]
        batch = tokenizer.pad(
            {"input_ids": [list(prompts[i]) for i in chosen]}, return_tensors="pt"
        )
        with torch.inference_mode():
            written = model.generate(
                **batch,
                generation_config=GenerationConfig(  # type: ignore[no-untyped-call]
                    do_sample=False,
                    max_new_tokens=_REPLY_TOKENS,
                    eos_token_id=ends,
                    pad_token_id=pad,
                ),
            )
        for i, row in zip(chosen, written, strict=True):
            ids = row[batch["input_ids"].shape[1] :]
            texts[i] = str(tokenizer.decode(ids, skip_special_tokens=True))
        terminal.notice(f"{start + len(chosen)} of {len(order)} generated")
    return texts


def _percent(interval: Interval) -> tuple[float, float, float]:
    estimate, low, high = (
        round(100 * value, 1) for value in (interval.estimate, interval.low, interval.high)
    )
    return estimate, low, high


if __name__ == "__main__":
    app()
