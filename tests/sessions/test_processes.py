"""Several processes on one file: leases, hammering, and reading what another process writes."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine import events as ev
from engine.tree import Tree
from sessions.errors import SessionInUseError
from sessions.rows import Digest
from sessions.store import Store

pytestmark = pytest.mark.timeout(600)  # processes start slowly on a busy machine

QUESTION = ev.SearchCreated("q", None, "mcts_star", {}, 0, "", "")

HOLD = """
import sys
from pathlib import Path
from sessions.store import Store
store = Store(Path(sys.argv[1]), "lab search")
store.leases.acquire(sys.argv[2])
print("held", flush=True)
sys.stdin.read()
store.close()
"""

HAMMER = """
import sys
from pathlib import Path
from engine.events import Noted
from engine.models.base import Valuation
from engine.randomness import address
from sessions.rows import Digest
from sessions.store import Store
store, sessions = Store(Path(sys.argv[1])), sys.argv[2:]
length = {session: store.length(session) for session in sessions}
for turn in range(20):
    for session in sessions:
        with store.leases.holding(session):
            notes = [Noted(0, f"{turn}.{i}") for i in range(5)]
            length[session] = store.append(session, length[session], notes, Digest(turn))
    store.archive.keep_values({address(turn, i): Valuation(turn / 20) for i in range(20)})
store.close()
"""


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> int:
    process.communicate()
    return process.returncode


@pytest.fixture
def store(tmp_path: Path):
    store = Store(tmp_path)
    yield store
    store.close()


def test_a_session_in_use_elsewhere_is_refused_until_its_process_ends(
    store: Store, tmp_path: Path
) -> None:
    session, free = store.create(QUESTION), store.create(QUESTION)
    other = start(HOLD, tmp_path, session)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    began = time.perf_counter()
    with pytest.raises(
        SessionInUseError,
        match=rf"Session {session} is in use by process {other.pid} \(lab search, since \d\d:\d\d\)"
        ": let it finish or close it there; until then it can be read here",
    ):
        store.leases.acquire(session)
    assert time.perf_counter() - began < 2
    with pytest.raises(SessionInUseError):
        store.delete(session)
    assert [*store.leases.holders()] == [session]
    assert store.leases.holders()[session].pid == other.pid
    assert store.events(session) == [QUESTION]
    with store.leases.holding(free):
        assert store.leases.held(free)

    other.kill()
    other.communicate()
    assert store.leases.holders() == {}
    with store.leases.holding(session):
        store.append(session, 1, [ev.Noted(0, "mine now")], Digest())
    store.delete(session)


def test_a_process_that_closes_gives_its_sessions_back(store: Store, tmp_path: Path) -> None:
    session = store.create(QUESTION)
    other = start(HOLD, tmp_path, session)
    other.communicate()
    assert other.returncode == 0
    assert store.leases.holders() == {}
    store.leases.acquire(session)


def test_two_stores_of_one_process_keep_each_other_out_too(store: Store, tmp_path: Path) -> None:
    session = store.create(QUESTION)
    other = Store(tmp_path)
    store.leases.acquire(session)
    with pytest.raises(SessionInUseError):
        other.leases.acquire(session)
    store.leases.release(session)
    other.leases.acquire(session)
    other.close()
    store.leases.acquire(session)


def test_a_lease_counts(store: Store) -> None:
    session = store.create(QUESTION)
    store.leases.acquire(session)
    with store.leases.holding(session):
        pass
    assert store.leases.held(session)
    store.leases.release(session)
    assert not store.leases.held(session)


def test_looking_who_holds_never_gets_in_the_way(store: Store, tmp_path: Path) -> None:
    session = store.create(QUESTION)
    watcher = Store(tmp_path)
    for _ in range(100):
        with store.leases.holding(session):
            assert [*watcher.leases.holders()] == [session]
        assert watcher.leases.holders() == {}
    watcher.close()


def test_processes_hammer_one_file(store: Store, tmp_path: Path) -> None:
    sessions = [store.create(QUESTION) for _ in range(6)]
    processes = [start(HAMMER, tmp_path, *sessions[i::3]) for i in range(3)]
    while any(process.poll() is None for process in processes):
        for session in sessions:
            Tree.fold(store.events(session))
        time.sleep(0.02)
    assert [ended(process) for process in processes] == [0, 0, 0]
    for session in sessions:
        log = store.events(session)
        notes = [event.text for event in log[1:] if isinstance(event, ev.Noted)]
        assert notes == [f"{turn}.{i}" for turn in range(20) for i in range(5)]
        assert store.session(session).digest.iterations == 19
    with store._reads.reading() as db:
        assert db.execute("SELECT count(*) FROM valuations").fetchone() == (400,)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_processes_create_one_store_together(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from sessions.store import Store\n"
        "from engine.events import SearchCreated\n"
        "store = Store(Path(sys.argv[1]))\n"
        "store.create(SearchCreated('q', None, 'mcts_star', {}, 0, '', '')); store.close()"
    )
    processes = [start(program, tmp_path / "new" / "home") for _ in range(4)]
    assert [ended(process) for process in processes] == [0] * 4
    store = Store(tmp_path / "new" / "home")
    assert len(store.sessions()) == 4
    store.close()
