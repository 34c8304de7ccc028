"""The one door to the lab: page and command reach sessions, searches and models through it.

Nothing here waits for a model. Runs happen in the worker's thread; reading shows what is on disk.
"""

import threading
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import msgspec

from engine import events as ev
from engine.days import today
from engine.errors import ParameterError, TaskError
from engine.models.base import Sampling
from engine.randomness import SEEDS, is_seed
from engine.search import driver
from engine.search.driver import Limits
from engine.search.parameters import ParameterInfo, describe
from engine.search.registry import ALGORITHMS, parameters
from engine.tasks.datasets import Dataset, read_dataset
from engine.tasks.grading import grade
from engine.tasks.problems import LONGEST_QUESTION, SPLITS, bundled_problems
from lab.adapters import Adapters
from lab.collection import Collection
from lab.evaluations import Evaluations
from lab.export import Exports
from lab.imports import Imports
from lab.live import LiveSession
from lab.model_choice import Choice
from lab.models import Loader, hint, load_models
from lab.refusals import of_batches
from lab.results import (
    AlgorithmInfo,
    BatchState,
    ModelSettings,
    Problem,
    RunState,
    SessionInfo,
    SessionResult,
    Settings,
)
from lab.round_phases import Parts
from lab.rounds import Rounds
from lab.solve import Sessions, Solver
from lab.steering import Steering
from lab.studies import Studies
from lab.verdicts import Verdicts
from lab.verifier_models import VerifierModels
from lab.view import session_result
from lab.worker import Worker
from sessions.batches import BatchProblem
from sessions.store import Store

__all__ = ["BatchState", "ModelSettings", "RunState", "Workbench"]

LONGEST_NAME = 200
LONGEST_NOTE = 10_000
_CLOSING_SECONDS = 30.0


class Workbench:
    """Sessions of one home folder, and the models that work on them.

    Safe to use from many threads. Models are loaded at the first run.

    Attributes:
        adapters: of the models, and which of them new sessions use.
        choice: which models are in use.
        collection: its sessions as a list that a person keeps in order.
        evaluations: methods compared at equal budgets.
        exports: training rows and documents out of sessions.
        imports: sessions out of files.
        steering: what a person does to a search.
        rounds: searching, learning from it, and whether that helped.
        studies: a session in time, beside another one, and replayed with something changed.
        verdicts: what a person says of steps and answers, and the rewards that follow.

    Args:
        home: folder of the store; created if missing.
        models: which models to load.
        load: loads them; another one may be given for models without weights.

    Raises:
        StoreError: the home folder or the store in it cannot be used.
    """

    def __init__(
        self, home: Path, models: ModelSettings | None = None, load: Loader = load_models
    ) -> None:
        self.home = home
        models = models or ModelSettings()
        self._store = Store(home)
        self.adapters = Adapters(self._store, models)
        self.exports = Exports(self._store)
        self.refused = partial(of_batches, self._store)
        self.imports = Imports(self._store, self._first)
        self._live: dict[str, LiveSession] = {}
        self._lock = threading.Lock()
        self._worker = Worker(self._store, models, load, grade, home)
        self.collection = Collection(self._store, self._worker.state, self._forget)
        self.steering = Steering(self._store, self._worker, self.adapters, self._current)
        self.verdicts = Verdicts(self._current, self.steering)
        self.studies = Studies(self._store, self._worker, self.adapters, self._current, grade)
        shared = Sessions(self._shared, self._let_go)
        self._solver = Solver(self._store, self._worker, shared, home, self.adapters)
        parts = Parts(self._store, self._worker, self._solver, self.adapters, home)
        self.rounds = Rounds(parts)
        asking = VerifierModels(self._worker, self.adapters)
        self.choice = Choice(self._worker, self.adapters, self._solver, self.rounds, asking, home)
        self.evaluations = Evaluations(self._store, self._solver, self.adapters, asking)

    def close(self) -> None:
        """End all runs, dropping unfinished iterations, and close the store."""
        self.rounds.close(_CLOSING_SECONDS)
        self.evaluations.close(_CLOSING_SECONDS)
        self._solver.close(_CLOSING_SECONDS)
        if self._worker.close(_CLOSING_SECONDS):
            self._store.close()

    @property
    def models(self) -> ModelSettings:
        """The models in use."""
        return self.adapters.settings

    def notices(self) -> list[str]:
        """What a person should know about the loaded models, a sentence each."""
        return self.choice.state().notices

    def algorithms(self) -> list[AlgorithmInfo]:
        """The search algorithms with their parameters."""
        known = ALGORITHMS.items()
        return [AlgorithmInfo(n, k.title, k.summary, parameters(n)) for n, k in known]

    def sampling_parameters(self) -> list[ParameterInfo]:
        """How the policy samples steps."""
        return describe(Sampling)

    def problems(self, split: str = "heldout", limit: int | None = None) -> list[Problem]:
        """Bundled problems of a split.

        Raises:
            TaskError: there is no such split.
        """
        if split not in SPLITS:
            raise TaskError(f"There is no split {split!r} of problems: take {', '.join(SPLITS)}.")
        return list(_problems(split)[:limit])

    def hint(self, question: str, params: Mapping[str, Any] | None = None) -> str | None:
        """Why the models in use cannot be expected to answer a question; None if they can."""
        return hint(self.models, question, params)

    # Sessions.

    def create(
        self,
        question: str,
        gold: str | None = None,
        algorithm: str = "mcts_star",
        params: Mapping[str, Any] | None = None,
        sampling: Mapping[str, Any] | None = None,
        seed: int = 0,
        name: str = "",
    ) -> str:
        """Make a session; nothing runs yet.

        Returns:
            Its id.

        Raises:
            TaskError: the question, the answer or the name is empty, too long or no text.
            ParameterError: an unknown algorithm or parameter, or a value out of range.
            StoreError: it cannot be written.
        """
        # A browser's text field knows one kind of line end and whole numbers up to 2**53.
        question = _text("question", question, LONGEST_QUESTION).replace("\r\n", "\n").strip()
        if not question:
            raise TaskError("The question is empty: write one, or pick a sample problem.")
        if gold is not None:
            gold = _text("answer", gold, LONGEST_QUESTION).strip() or None
        first = self._first(question, gold, algorithm, params, sampling, seed)
        return self._store.create(first, _text("name", name, LONGEST_NAME).strip())

    def _first(
        self,
        question: str,
        gold: str | None,
        algorithm: str,
        params: Mapping[str, Any] | None,
        sampling: Mapping[str, Any] | None,
        seed: int,
    ) -> ev.SearchCreated:
        """The first event of a session's log, with the models in use."""
        if not is_seed(seed):
            raise ParameterError(f"seed cannot be {seed!r}: it takes {SEEDS}.")
        if params and "sampling" in params:
            raise ParameterError(
                "There is no parameter 'sampling': give its settings on their own."
            )
        return driver.create(
            question,
            gold,
            algorithm,
            {**(params or {}), "sampling": dict(sampling or {})},
            seed,
            *self.adapters.labels(),
            date=today(),
            step_format=self.adapters.step_format(),
        )

    def sessions(self) -> list[SessionInfo]:
        """All sessions, the newest first."""
        return self.collection.sessions()

    def settings(self, session: str) -> Settings:
        """What a session was made with.

        Raises:
            StoreError: it does not exist or cannot be read.
        """
        with self._current(session).view.reading() as tree:
            params = dict(tree.params)
            sampling = params.pop("sampling", {})
            assert isinstance(sampling, dict)
            return Settings(
                tree.question, tree.gold, tree.algorithm, params, dict(sampling), tree.seed
            )

    def show(self, session: str) -> SessionResult:
        """The outcome of a session so far.

        Raises:
            StoreError: it does not exist or cannot be read.
        """
        with self._current(session).view.reading() as tree:
            return session_result(session, tree)

    def export(self, session: str) -> dict[str, Any]:
        """A session as JSON-able data: its outcome, its nodes and its whole log.

        Raises:
            StoreError: it does not exist or cannot be read.
        """
        return self.exports.document(session)

    def rename(self, session: str, name: str) -> None:
        """Give a session another name.

        Raises:
            TaskError: the name is too long or no text.
            StoreError: the session does not exist.
        """
        self._store.rename(session, _text("name", name, LONGEST_NAME).strip())

    def delete(self, session: str) -> None:
        """Delete a session for good.

        Raises:
            SessionInUseError: it is running, here or in another process.
            StoreError: it does not exist.
        """
        self.collection.delete(session)

    def note(self, session: str, node: int | None, text: str) -> None:
        """Put a note on a node, or on the session if `node` is None; an empty text removes it.

        Raises:
            TaskError: the note is too long or no text.
            EventError: there is no such node.
            SessionInUseError: another process works on the session.
            StoreError: it cannot be written.
        """
        text = _text("note", text, LONGEST_NOTE).strip()
        self.steering.annotate(session, [ev.Noted(node, text)])

    # Running. These return at once.

    def run(
        self,
        session: str,
        iterations: int | None = None,
        tokens: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """Run a session to the first limit reached; if it is running, again after that.

        Args:
            session: id.
            iterations: of this run.
            tokens: policy tokens generated in this run.
            seconds: of computing in this run.

        Raises:
            ParameterError: a limit is not positive, or the session needs other models.
            SessionInUseError: another process works on it.
            StoreError: it does not exist or cannot be read.
        """
        self._run(session, _limits(iterations, tokens, seconds))

    def step(self, session: str, phases: int = 1) -> None:
        """Run a session on for so many phases of an iteration (selected, expanded, evaluated,
        rolled out, backed up), and hold it there: the next run goes on from there.

        Raises as `run`.
        """
        if phases < 1:
            raise ParameterError(f"phases cannot be {phases}: it takes at least 1.")
        self._run(session, Limits(phases=phases))

    def _run(self, session: str, limits: Limits) -> None:
        live = self._current(session)
        with live.view.reading() as tree:
            self.adapters.check(session, tree)
        self._worker.run(live, limits)

    def pause(self, session: str) -> None:
        """End the run of a session after its present iteration."""
        self._worker.pause(session)

    def stop(self, session: str) -> None:
        """End a run at the next model call; an unfinished iteration is dropped."""
        self._worker.stop(session)

    def wait(self, session: str, timeout: float | None = None) -> RunState:
        """Wait until a session has nothing to do, at most `timeout` seconds; its state then."""
        return self._worker.wait(session, timeout)

    def state(self, session: str) -> RunState:
        """The present or last run of a session in this process."""
        return self._worker.state(session)

    def dataset(
        self,
        source: str,
        fields: Mapping[str, str] | None = None,
        split: str | None = None,
        limit: int | None = None,
    ) -> Dataset:
        """Problems of a file, a folder or a bundled split; see `engine.tasks.datasets`.

        Raises:
            TaskError: it cannot be read or holds no problem.
            ParameterError: a field that problems do not have.
        """
        return read_dataset(source, fields, split, limit)

    def solve(
        self,
        dataset: Dataset,
        algorithm: str = "mcts_star",
        params: Mapping[str, Any] | None = None,
        sampling: Mapping[str, Any] | None = None,
        seed: int = 0,
        iterations: int | None = None,
        tokens: int | None = None,
        parallel: int = 8,
        name: str = "",
        fresh: bool = False,
    ) -> str:
        """Search every problem of a dataset; go on if a batch of this work was begun before.

        The trees are those of `create` and `run` with the same seed, settings and limits.

        Args:
            dataset: the problems.
            algorithm: as for `create`, like `params`, `sampling` and `seed`.
            params: of the algorithm.
            sampling: of the policy.
            seed: of every search.
            iterations: limit of every search as a whole.
            tokens: limit of every search as a whole.
            parallel: searches at a time, from 1 to 1,024.
            name: for a batch that is new.
            fresh: begin a new one in any case.

        Returns:
            The batch's id.

        Raises:
            TaskError: the name is too long or no text.
            ParameterError: an unknown algorithm or parameter, or a value out of range.
            BatchInUseError: another process works on it.
            StoreError: it cannot be written.
        """
        return self._solver.start(
            dataset,
            self._first("", None, algorithm, params, sampling, seed),
            _limits(iterations, tokens, None),
            parallel,
            _text("name", name, LONGEST_NAME).strip(),
            fresh,
        )

    def batch(self, batch: str) -> BatchState:
        """How far a batch is; cheap.

        Raises:
            BatchNotFoundError: there is none with this id.
        """
        return self._solver.state(batch)

    def batches(self) -> list[BatchState]:
        """All batches, the newest first."""
        return self._solver.states()

    def batch_problems(self, batch: str) -> list[BatchProblem]:
        """The problems of a batch that were begun, with their sessions and results, in order."""
        return self._store.batches.problems(batch)

    def stop_batch(self, batch: str) -> None:
        """End this process's work on a batch at the next model call; it can go on from there."""
        self._solver.stop(batch)

    def wait_batch(self, batch: str, timeout: float | None = None) -> BatchState:
        """Wait until this process does not work on a batch, at most `timeout` seconds."""
        return self._solver.wait(batch, timeout)

    def delta(self, session: str, since: int) -> dict[str, Any]:
        """What changed in a session since a cursor (-1: everything), its name and its run.

        Raises:
            StoreError: it does not exist or cannot be read.
        """
        changes = self._current(session).view.delta(since)
        name = self._store.session(session).name
        return {**changes, "name": name, "run": msgspec.to_builtins(self.state(session))}

    def node(self, session: str, node: int) -> dict[str, Any]:
        """Everything about one node.

        Raises:
            EventError: there is no such node.
            StoreError: the session does not exist or cannot be read.
        """
        return self._current(session).view.node(node)

    def _current(self, session: str) -> LiveSession:
        """A session with everything that is on disk of it."""
        with self._lock:
            live = self._live.get(session)
        if live is None:
            opened = LiveSession(self._store, session)
            opened.catch_up()
            with self._lock:
                return self._live.setdefault(session, opened)
        if not self._store.leases.held(session):  # then another process may have gone on with it
            live.catch_up()
        return live

    def _shared(self, session: str) -> LiveSession:
        """A session for a batch, the same as for those who look at it meanwhile."""
        with self._lock:
            return self._live.setdefault(session, LiveSession(self._store, session))

    def _forget(self, session: str) -> None:
        self._worker.forget(session)
        with self._lock:
            self._live.pop(session, None)

    def _let_go(self, session: str) -> None:
        with self._lock:
            live = self._live.get(session)
            if live is not None and not live.seen:
                del self._live[session]


def _limits(iterations: int | None, tokens: int | None, seconds: float | None) -> Limits:
    for name, limit in (("iterations", iterations), ("tokens", tokens), ("seconds", seconds)):
        if limit is not None and not limit > 0:
            raise ParameterError(f"{name} cannot be {limit!r}: a limit is greater than 0.")
    return Limits(iterations, tokens, seconds)


@cache
def _problems(split: str) -> tuple[Problem, ...]:
    return tuple(
        Problem(found.id, found.content, found.answer)
        for found in bundled_problems(f"stories-{split}")
    )


def _text(what: str, text: str, longest: int) -> str:
    """A text that can be stored.

    Raises:
        TaskError: it is too long, or not Unicode.
    """
    if len(text) > longest:
        raise TaskError(f"The {what} has {len(text):,} characters; it can have {longest:,}.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise TaskError(f"The {what} is not valid Unicode text: {error.reason}.") from error
    return text
