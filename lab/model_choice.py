"""Which models a running lab uses: told what they need, chosen, loaded, let go, remembered."""

import json
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from engine.errors import LabError, ModelError, ParameterError
from lab.adapters import Adapters
from lab.commands import Ending
from lab.models import check, format_of
from lab.results import ModelSettings
from lab.rounds import Rounds
from lab.solve import Solver
from lab.verifier_models import VerifierModels
from lab.worker import Worker

if TYPE_CHECKING:
    from lab.fit import Fit

Loaded = Literal["no", "loading", "yes", "failed"]

FILE_NAME = "models.json"
MOST_RECENT = 8

_CHOICES = {"quant": ("nf4", "int8", "none"), "dtype": ("auto", "bf16", "fp16", "fp32")}
_DEVICE = re.compile(r"auto|cpu|cuda(:\d{1,2})?", re.ASCII)
_LONGEST = 1_000
_PATIENCE_SECONDS = 20.0


class ModelsInUseError(LabError):
    """The models cannot be changed now."""


class ChoiceState(msgspec.Struct, frozen=True):
    """The models in use.

    Attributes:
        settings: which, and how they are held.
        loaded: whether they are in memory.
        message: how far loading is, or why it failed; "" for neither.
        notices: what a person should know about them once they are loaded.
        before: those in use before, but for such as could not be loaded; None for none.
    """

    settings: ModelSettings
    loaded: Loaded
    message: str
    notices: list[str]
    before: ModelSettings | None


class Choice:
    """See the module. Safe to use from many threads.

    Args:
        worker: has the models.
        adapters: know which models are in use.
        solver, rounds, asking: may be at work with the models.
        home: where choices are remembered.
    """

    def __init__(
        self,
        worker: Worker,
        adapters: Adapters,
        solver: Solver,
        rounds: Rounds,
        asking: VerifierModels,
        home: Path,
    ) -> None:
        self._worker = worker
        self._adapters = adapters
        self._path = home / FILE_NAME
        self._solver = solver
        self._rounds = rounds
        self._asking = asking
        self._failure = ""
        self._before: ModelSettings | None = None
        self._lock = threading.Lock()

    def state(self) -> ChoiceState:
        """The models in use, and whether they are loaded."""
        models, loading = self._worker.models, self._worker.loading
        loaded: Loaded = "yes" if models else "failed" if self._failure else "no"
        settings = self._adapters.settings
        before = self._before if self._before != settings else None
        if loading:
            return ChoiceState(settings, "loading", loading, [], before)
        notices = list(models.notices) if models else []
        message = self._failure if loaded == "failed" else ""
        return ChoiceState(settings, loaded, message, notices, before)

    def step_format(self) -> str:
        """How the policy in use is prompted and read, and where that comes from, in words."""
        try:
            form, source = format_of(self._adapters.settings)
        except ModelError as error:
            return str(error)
        return f"{form.kind}, {source}"

    def fit(self, settings: ModelSettings) -> "Fit":
        """What models would need; takes seconds, no memory to speak of and no network.

        Raises:
            ParameterError: there are no such settings, or no such folder.
            ModelError: a model is not on this machine, or what it takes cannot be told.
        """
        from lab.fit import fit

        _check(settings)
        return fit(settings)

    def use(self, settings: ModelSettings) -> None:
        """Let the models in use go and take others, which are loaded when they are first needed.

        Sessions that were made with others can be looked at, and gone on with once theirs are back.

        Raises:
            ParameterError: there are no such settings, or no such folder.
            ModelsInUseError: something is searching or training.
        """
        _check(settings)
        left = self._adapters.settings
        self._change(settings)
        self._remember(settings, left)

    def unload(self) -> None:
        """Let the models go; they are loaded again when they are next needed.

        Raises:
            ModelsInUseError: something is searching or training.
        """
        self._change(self._adapters.settings)

    def load(self) -> None:
        """Load the models in use; returns at once, `state` tells how far that is. A hub id that is
        not on this machine is fetched from the network.
        """
        self._failure = ""
        self._worker.load(self._loaded)

    def recent(self) -> list[ModelSettings]:
        """The last choices and what they took the place of, the newest first, from the home."""
        try:
            found = json.loads(self._path.read_text("utf-8"))
            return [msgspec.convert(one, ModelSettings) for one in found][:MOST_RECENT]
        except (OSError, ValueError, TypeError):  # none yet, or spoilt: only a convenience
            return []

    def _going_on(self) -> str:
        """What is done with the models besides single searches, "" for nothing."""
        if any(one.active for one in self._solver.states()):
            return "A batch is being searched"
        if any(one.active for one in self._rounds.states()):
            return "A round is being run"
        if self._asking.state.active:
            return "Models are being asked about samples"
        return ""

    def _change(self, settings: ModelSettings) -> None:
        with self._lock:
            if going := self._going_on():
                raise ModelsInUseError(f"{going}: pause or stop it, then change the models.")
            done = threading.Event()
            endings: list[Ending] = []

            def on_end(ending: Ending) -> None:
                if ending.finished:
                    if not self._failure and self._adapters.settings != settings:
                        self._before = self._adapters.settings
                    self._adapters.settings = settings
                endings.append(ending)
                done.set()

            self._worker.change(settings, on_end)
            if not done.wait(_PATIENCE_SECONDS):
                raise ModelsInUseError("The models are still at work: try again when they are not.")
            if not endings[0].finished:
                raise ModelsInUseError(f"{endings[0].error}: pause it, then change the models.")
            self._failure = ""

    def _loaded(self, ending: Ending) -> None:
        self._failure = "" if ending.finished else ending.error or "They were not loaded."

    def _remember(self, *newest: ModelSettings) -> None:
        recent = list(dict.fromkeys([*newest, *self.recent()]))[:MOST_RECENT]
        draft = self._path.with_suffix(".new")
        try:
            draft.write_text(json.dumps(msgspec.to_builtins(recent)), "utf-8")
            draft.replace(self._path)
        except OSError:  # the choice itself is made
            draft.unlink(missing_ok=True)


def _check(settings: ModelSettings) -> None:
    """Refuse settings that cannot be.

    Raises:
        ParameterError: a value is none of those there are, or a folder is missing or no model's.
    """
    for name, known in _CHOICES.items():
        if (value := getattr(settings, name)) not in known:
            raise ParameterError(f"{name} cannot be {value[:50]!r}: take {', '.join(known)}.")
    if not _DEVICE.fullmatch(settings.device):
        raise ParameterError(
            f"device cannot be {settings.device[:50]!r}: take auto, cpu, cuda or cuda:N."
        )
    for role in ("policy", "prm"):
        model = getattr(settings, role)
        if not model.strip() or len(model) > _LONGEST or "\0" in model:
            raise ParameterError(f"The {role} is a folder, a hub id or 'bundled'; name one.")
    check(settings)
