"""What the workbench says about sessions and runs: plain structs, ready for JSON."""

from pathlib import Path
from typing import Literal

import msgspec

from engine.search.parameters import ParameterInfo

Status = Literal["idle", "queued", "loading", "running", "pausing", "failed"]


class ModelSettings(msgspec.Struct, frozen=True):
    """Which models to load and how.

    Attributes:
        policy, prm: "bundled", a local directory or a hub id.
        quant: "nf4", "int8" or "none".
        device: "auto", "cpu", "cuda" or "cuda:<number>".
        dtype: "auto", "bf16", "fp16" or "fp32".
        kv_budget: "auto", "unlimited", "0" or a size such as "512MiB"; changes no result.
    """

    policy: str = "bundled"
    prm: str = "bundled"
    quant: str = "nf4"
    device: str = "auto"
    dtype: str = "auto"
    kv_budget: str = "auto"

    def label(self, model: str) -> str:
        """How a log names one of the models: enough to load it again."""
        place = str(Path(model).expanduser().resolve()) if Path(model).is_dir() else model
        return place if self.quant == "nf4" else f"{place} ({self.quant})"


class RunState(msgspec.Struct, frozen=True):
    """The present or last run of a session in this process.

    Attributes:
        status: what is going on; `failed` lasts until the next run.
        message: the error in words, "" if none.
        done: iterations finished in this run.
        target: iterations asked for, None without such a limit.
        tokens: policy tokens generated in this run.
        seconds: wall-clock time since the run was asked for.
    """

    status: Status = "idle"
    message: str = ""
    done: int = 0
    target: int | None = None
    tokens: int = 0
    seconds: float = 0.0

    @property
    def active(self) -> bool:
        """Whether the model thread has something left to do for the session."""
        return self.status not in ("idle", "failed")


class AlgorithmInfo(msgspec.Struct, frozen=True):
    """A search algorithm for menus and help texts."""

    name: str
    title: str
    summary: str
    parameters: list[ParameterInfo]


class Problem(msgspec.Struct, frozen=True):
    """A bundled problem: its id, its text and the right answer."""

    id: str
    content: str
    answer: str


class Settings(msgspec.Struct, frozen=True):
    """What a session was made with; `params` and `sampling` are complete."""

    question: str
    gold: str | None
    algorithm: str
    params: dict[str, object]
    sampling: dict[str, object]
    seed: int


class SessionInfo(msgspec.Struct, frozen=True):
    """A line in the list of sessions.

    `created` is Unix time; `state` that of this process; `in_use_by` names another process that
    works on it, None if there is none.
    """

    id: str
    name: str
    question: str
    gold: str | None
    algorithm: str
    created: float
    iterations: int
    nodes: int
    answer: str | None
    correct: bool | None
    state: RunState
    in_use_by: str | None


class PolicyTokens(msgspec.Struct, frozen=True):
    """Tokens that went through the policy, and those it sampled."""

    forwarded: int
    generated: int


class PrmTokens(msgspec.Struct, frozen=True):
    """Tokens that went through the process reward model."""

    forwarded: int


class Tokens(msgspec.Struct, frozen=True):
    """What the models of a session worked through."""

    policy: PolicyTokens
    prm: PrmTokens


class BestStep(msgspec.Struct, frozen=True):
    """A step of the chosen solution and its present value V."""

    text: str
    value: float


class BestSolution(msgspec.Struct, frozen=True):
    """The chosen solution: V of its last step, and its steps."""

    value: float
    steps: list[BestStep]


class ModelNames(msgspec.Struct, frozen=True):
    """The models that a session was made with."""

    policy: str
    prm: str


class SessionResult(msgspec.Struct, frozen=True):
    """A session's outcome: what `lab search --json` prints.

    Everything but `session` and `seconds` is the same for the same seed, wherever it runs.
    """

    session: str
    question: str
    answer: str | None
    gold: str | None
    correct: bool | None
    algorithm: str
    params: dict[str, object]
    seed: int
    iterations: int
    nodes: int
    tokens: Tokens
    best: BestSolution
    stop: str
    models: ModelNames
    seconds: float
