"""Options that several commands share, and the workbench that they open.

`--home` and the model options may stand before or after a subcommand; the last one given counts.
"""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from engine.errors import ParameterError
from engine.randomness import LARGEST_SEED
from lab import terminal

if TYPE_CHECKING:
    from lab.workbench import Workbench

MODEL_OPTIONS = (
    "policy",
    "prm",
    "quant",
    "device",
    "dtype",
    "kv_budget",
    "prm_format",
    "step_format",
)
APPLICATION = "rest-mcts-lab"


def _remember(ctx: typer.Context, param: typer.CallbackParam, value: Any) -> Any:
    """Keep an option for `home` and `workbench`, whatever level of the command line gave it."""
    if value is not None:
        ctx.meta[f"lab.{param.name}"] = value
    return value


def _kv_budget(text: str) -> str:
    """The text, if it is a K/V budget."""
    from lab.models import kv_budget

    try:
        kv_budget(text)
    except ParameterError as error:
        raise typer.BadParameter(str(error)) from error
    return text


def _shared(*names: str, text: str, panel: str | None = None, **extra: Any) -> Any:
    return typer.Option(
        *names, help=text, callback=_remember, rich_help_panel=panel, show_default=False, **extra
    )


Home = Annotated[
    Path | None,
    _shared(
        "--home",
        text="Folder of sessions. Default: LAB_HOME, else the user's data folder.",
        metavar="DIR",
    ),
]
_MODELS = "Models"
Policy = Annotated[
    str | None,
    _shared("--policy", text="Policy: bundled, a folder or a hub id.", panel=_MODELS),
]
Prm = Annotated[
    str | None,
    _shared("--prm", text="Process reward model: bundled, a folder or a hub id.", panel=_MODELS),
]
Quant = Annotated[
    Literal["nf4", "int8", "none"] | None,
    _shared("--quant", text="Weights of both models in 4 bits (nf4), 8 or whole.", panel=_MODELS),
]
Device = Annotated[
    str | None,
    _shared("--device", text="auto, cpu, cuda or cuda:N.", panel=_MODELS),
]
Dtype = Annotated[
    Literal["auto", "bf16", "fp16", "fp32"] | None,
    _shared("--dtype", text="Precision of everything that is not quantised.", panel=_MODELS),
]
KvBudget = Annotated[
    str | None,
    _shared(
        "--kv-budget",
        text="Memory for kept K/V rows: auto, unlimited, 0, or a size such as 2GB.",
        panel=_MODELS,
        metavar="SIZE",
        parser=_kv_budget,
    ),
]
PrmFormat = Annotated[
    str | None,
    _shared(
        "--prm-format",
        text="How a process reward model of others is read; auto looks at its files.",
        panel=_MODELS,
        metavar="NAME",
    ),
]
StepFormat = Annotated[
    str | None,
    _shared(
        "--step-format",
        text="How the policy is prompted and its words become steps: natural, numbered, code, "
        "reference, or a file; auto looks at its files.",
        panel=_MODELS,
        metavar="NAME|FILE",
    ),
]


def seed(what: str) -> Any:
    """The option `--seed`, which every command takes in the same range."""
    return typer.Option("--seed", min=0, max=LARGEST_SEED, help=f"Same seed, same {what}.")


Json = Annotated[
    bool,
    typer.Option("--json", help="Print exactly one JSON object on standard output."),
]


def home(ctx: typer.Context) -> Path:
    """Where sessions live: --home, else LAB_HOME, else the user's data folder."""
    given = ctx.meta.get("lab.home")
    if given is not None:
        return Path(given).expanduser().absolute()
    return usual_home()


def go_on(session: str, where: Path) -> str:
    """The command that goes on with a session of a home folder."""
    elsewhere = "" if where == usual_home() else f" --home {shlex.quote(str(where))}"
    return f"lab search --session {session}{elsewhere}"


def usual_home() -> Path:
    """Where sessions live without --home."""
    if os.environ.get("LAB_HOME"):
        return Path(os.environ["LAB_HOME"]).expanduser().absolute()
    from platformdirs import user_data_path

    return user_data_path(APPLICATION, appauthor=False)


def model_options(ctx: typer.Context) -> dict[str, str]:
    """The model options that were given."""
    given = {name: ctx.meta.get(f"lab.{name}") for name in MODEL_OPTIONS}
    return {name: value for name, value in given.items() if value is not None}


@contextmanager
def workbench(ctx: typer.Context) -> Iterator["Workbench"]:
    """The workbench of this command; what it has to say goes to standard error."""
    from lab.workbench import ModelSettings, Workbench

    bench = Workbench(home(ctx), ModelSettings(**model_options(ctx)))
    try:
        yield bench
        for text in bench.notices():
            terminal.notice(text)
    finally:
        bench.close()
