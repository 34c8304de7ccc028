"""Asking models about samples that are on disk: outcome and value models, and language models.

The models are loaded beside those in use, in the model thread, and let go afterwards. What they say
of a sample is kept as long as the lab runs, so that it is asked once.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from engine.errors import LabError, ModelError, ParameterError
from engine.models.base import Policy
from engine.verifiers.registry import VERIFIERS, Models, make_verifier
from engine.verifiers.reward_models import Text
from engine.verifiers.traces import Trace
from lab.adapters import Adapters
from lab.commands import Ending
from lab.drivers import Drivers
from lab.models import BUNDLED, check, kv_budget, specs
from lab.results import ModelSettings
from lab.worker import Worker

if TYPE_CHECKING:
    from engine.models.pool import ModelPool
    from engine.models.transformers_prm import TransformersPRM
    from engine.verifiers.judges import PolicyMarker

ASKED = ("orm", "yes-no", "value", "judge", "self-reward")
"""Verifiers that read a model of their own."""

_AT_ONCE = 64
"""Samples between two looks at whether to end."""

_OPTIONS = {
    "orm": "no outcome reward model is named",
    "value": "no value model is named besides the process reward model",
    "judge": "no language model is named, and the policy is not to be asked",
}


class Asked(msgspec.Struct, frozen=True):
    """Which models are asked; each a folder or a hub id, "" for none.

    Attributes:
        orm, orm_format: outcome reward model, and how it is read ("auto" looks at its files).
        value, value_format: value model, likewise.
        judge: language model that is asked about solutions.
        policy: ask the policy in use about its own solutions, and as judge where none is named.
    """

    orm: str = ""
    orm_format: str = "auto"
    value: str = ""
    value_format: str = "auto"
    judge: str = ""
    policy: bool = False


class LeftOut(msgspec.Struct, frozen=True):
    """A verifier that was not asked, and why."""

    name: str
    why: str


class AskState(msgspec.Struct, frozen=True):
    """How far the asking is.

    Attributes:
        active: whether it goes on.
        about: the evaluation or batch whose samples they are.
        doing: which verifier, or what is loaded.
        done, total: samples of it.
        message: why it failed, "" if it did not.
        left_out: verifiers that could not be asked.
        seconds: that each of the verifiers took.
    """

    active: bool = False
    about: str = ""
    doing: str = ""
    done: int = 0
    total: int = 0
    message: str = ""
    left_out: list[LeftOut] = []
    seconds: dict[str, float] = {}


class VerifierModels:
    """See the module. Safe to use from many threads.

    Args:
        worker: has the model thread.
        adapters: of the models in use.
    """

    def __init__(self, worker: Worker, adapters: Adapters) -> None:
        self._worker = worker
        self._adapters = adapters
        self._scores: dict[str, dict[Text, float]] = {}
        self._readers: dict[str, str] = {}
        self._state = AskState()
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()

    @property
    def state(self) -> AskState:
        """The present or last asking."""
        return self._state

    @property
    def scores(self) -> Mapping[str, Mapping[Text, float]]:
        """What was said so far, by verifier and sample."""
        with self._lock:
            return {name: dict(found) for name, found in self._scores.items()}

    @property
    def readers(self) -> dict[str, str]:
        """Which model each verifier has asked."""
        with self._lock:
            return dict(self._readers)

    def ask(
        self,
        traces: Sequence[Trace],
        asked: Asked,
        wanted: Sequence[str] = (),
        about: str = "",
    ) -> None:
        """Ask about samples in the model thread; returns at once.

        Args:
            traces: the samples.
            asked: which models.
            wanted: verifiers that must be asked; those that cannot be are otherwise left out.
            about: whose samples they are.

        Raises:
            ParameterError: nothing is to be asked, a folder is no model's, a verifier that is
                wanted has no model, or another asking goes on.
        """
        check_asked(asked, wanted, self._adapters.settings)
        with self._lock:
            if self._state.active:
                raise ParameterError("Models are being asked already: wait, or stop that first.")
            self._state = AskState(active=True, about=about, doing="waiting for the models")
        self._stopping.clear()
        self._ended.clear()

        def work(drivers: Drivers) -> None:
            self._ask(drivers, traces, asked, wanted)

        self._worker.task("asking verifiers", work, self._end)

    def request(self, **models: Any) -> Asked:
        """What is to be asked, by the names of `Asked`."""
        return Asked(**models)

    def title(self, name: str) -> str:
        """Of a verifier."""
        return VERIFIERS[name].title

    def stop(self) -> None:
        """End the asking; what was said is kept."""
        self._stopping.set()

    def wait(self, timeout: float | None = None) -> AskState:
        """Wait until nothing is asked, at most `timeout` seconds."""
        if self._state.active:
            self._ended.wait(timeout)
        return self._state

    def _end(self, ending: Ending) -> None:
        message = "" if ending.finished else ending.error or "It was ended."
        self._tell(active=False, doing="", message=message)
        self._ended.set()

    def _tell(self, **changes: object) -> None:
        self._state = msgspec.structs.replace(self._state, **changes)

    def _ask(
        self, drivers: Drivers, traces: Sequence[Trace], asked: Asked, wanted: Sequence[str]
    ) -> None:
        from engine.models.pool import ModelPool

        settings = self._adapters.settings
        policy, _ = drivers.models_of(*self._adapters.labels())
        self._tell(doing="loading models")
        models, reasons = opened(asked, settings, policy, ModelPool(kv_budget(settings.kv_budget)))
        left_out = [
            LeftOut(name, reasons[VERIFIERS[name].needs])
            for name in ASKED
            if getattr(models, VERIFIERS[name].needs) is None
        ]
        self._tell(left_out=left_out)
        for one in left_out:
            if one.name in wanted:
                raise ModelError(f"The verifier {one.name} cannot be asked: {one.why}")
        names = [one for one in ASKED if getattr(models, VERIFIERS[one].needs) is not None]
        for name in [one for one in names if not wanted or one in wanted]:
            reader = getattr(models, VERIFIERS[name].needs).identity
            known = self._known(name, reader)
            missing = list(dict.fromkeys(t.text for t in traces if t.text not in known))
            began = time.monotonic()
            verifier = make_verifier(name, models)
            for chunk in self._chunks(VERIFIERS[name].title, missing):
                group = [Trace(question, steps, date=day) for question, steps, day in chunk]
                (found,) = verifier.score([group])
                with self._lock:
                    known.update(zip(chunk, found.scores, strict=True))
            spent = {**self._state.seconds, name: time.monotonic() - began}
            self._tell(seconds=spent)

    def _known(self, name: str, reader: str) -> dict[Text, float]:
        """What a verifier has said; nothing if another model said it."""
        with self._lock:
            if self._readers.get(name) != reader:
                self._readers[name], self._scores[name] = reader, {}
            return self._scores[name]

    def _chunks(self, title: str, texts: Sequence[Text]) -> Iterator[Sequence[Text]]:
        for start in range(0, len(texts), _AT_ONCE):
            if self._stopping.is_set() or self._worker.closing:
                return
            self._tell(doing=title, done=start, total=len(texts))
            yield texts[start : start + _AT_ONCE]


def check_asked(asked: Asked, wanted: Sequence[str], settings: ModelSettings) -> None:
    """Refuse what cannot be asked, before anything is loaded.

    Raises:
        ParameterError: no model is named, a folder is no model's, or a verifier that is wanted has
            none.
    """
    if asked == Asked():
        raise ParameterError(
            "No model is named to ask: name an outcome reward model, a value model or a judge, or "
            "ask the policy."
        )
    named = {
        "orm": bool(asked.orm),
        "value": bool(asked.value),
        "yes-no": bool(asked.judge) or asked.policy,
        "judge": bool(asked.judge) or asked.policy,
        "self-reward": asked.policy,
    }
    for name in wanted:
        if not named[name]:
            what = _OPTIONS[name if name in _OPTIONS else "judge"]
            raise ParameterError(f"The verifier {name} cannot be asked: {what}.")
    if asked.orm == BUNDLED:
        raise ParameterError(
            "The bundled process reward model is no outcome reward model: its value at the end of "
            "a solution is the verifier prm-last."
        )
    for model in (asked.orm, asked.value):
        if model:
            check(msgspec.structs.replace(settings, policy=BUNDLED, prm=model))
    if asked.judge:
        check(msgspec.structs.replace(settings, policy=asked.judge, prm=BUNDLED))


def opened(
    asked: Asked, settings: ModelSettings, policy: Policy, pool: "ModelPool"
) -> tuple[Models, dict[str, str]]:
    """The models that are asked, and why those that are not there are not, by what needs them.

    Raises:
        ModelError: one that is named cannot be loaded, or is not of its kind.
    """
    from engine.models.transformers_policy import load_policy
    from engine.models.transformers_prm import load_prm
    from engine.verifiers.judges import PolicyMarker

    def reward(model: str, form: str) -> "TransformersPRM | None":
        changed = msgspec.structs.replace(settings, prm=model, prm_format=form)
        return load_prm(specs(changed)[1], pool) if model else None

    reasons = {
        "orm": f"{_OPTIONS['orm']}.",
        "value": f"{_OPTIONS['value']}.",
        "marker": f"{_OPTIONS['judge']}.",
        "own": "the policy is not to be asked.",
    }
    judge = own = None
    if asked.judge:
        changed = msgspec.structs.replace(settings, policy=asked.judge)
        judge = PolicyMarker(load_policy(specs(changed)[0], pool))
    if asked.policy:
        try:
            own = own_marker(policy)
        except LabError as error:
            reasons["own"] = reasons["marker"] = str(error)
    orm, value = reward(asked.orm, asked.orm_format), reward(asked.value, asked.value_format)
    return Models(orm=orm, value=value, marker=judge or own, own=own), reasons


def own_marker(policy: Policy) -> "PolicyMarker":
    """The policy in use as one that is asked.

    Raises:
        ModelError: it cannot be.
    """
    from engine.models.transformers_policy import TransformersPolicy
    from engine.verifiers.judges import PolicyMarker

    if not isinstance(policy, TransformersPolicy):
        raise ModelError("The policy in use cannot be asked about solutions.")
    return PolicyMarker(policy)
