"""The log of a session: what goes in comes out, nothing changes it, nobody overwrites it."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import events as ev
from engine.errors import EventError
from engine.tree import Tree
from sessions.errors import (
    EventDamagedError,
    LogConflictError,
    SessionNotFoundError,
    StoreError,
)
from sessions.rows import Digest
from sessions.store import Store

HOSTILE = (
    "'); DROP TABLE sessions; --\n<img src=x onerror=alert(1)> ${1+1} \x00 \U0001f600 ../../etc"
)


def first(question: str = "What is 2 + 3?", **changes: object) -> ev.SearchCreated:
    fields = {
        "question": question,
        "gold": "5",
        "algorithm": "mcts_star",
        "params": {"branch": 3, "sampling": {"temperature": 0.7}},
        "seed": 7,
        "policy": "scripted",
        "prm": "scripted",
    } | changes
    return ev.SearchCreated(**fields)  # type: ignore[arg-type]


def iteration(number: int, first_node: int, parent: int = 0) -> list[ev.Event]:
    children = [ev.NewNode(id=first_node + i, step=f"step {number}.{i}\n") for i in range(2)]
    return [
        ev.IterationStarted(number),
        ev.Selected([0], [], terminal=False),
        ev.Expanded(parent, "expanded", children, [c.step for c in children]),
        ev.Evaluated([ev.NodeValue(c.id, 0.1 * number) for c in children]),
        ev.BackedUp([ev.Backup(0, 0.5, number)]),
        ev.IterationFinished(number, ev.Cost(10, 5, 10, 0.25)),
    ]


@pytest.fixture
def store(tmp_path: Path):
    store = Store(tmp_path)
    yield store
    store.close()


def raw(store: Store) -> sqlite3.Connection:
    connection = sqlite3.connect(store.path)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def session_locks(store: Store) -> list[str]:
    return [path.name for path in (store.path.parent / "locks").iterdir() if path.stem != "store"]


def state(tree: Tree) -> dict[str, object]:
    return dict(vars(tree))


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
value = st.floats(-1e6, 1e6)


@st.composite
def logs(draw: st.DrawFn) -> list[ev.Event]:
    """Any sequence of events that fits together, whether or not a search would write it."""
    log: list[ev.Event] = [
        ev.SearchCreated(
            question=draw(text),
            gold=draw(st.none() | text),
            algorithm=draw(text),
            params=draw(st.dictionaries(text, st.integers(-9, 9) | st.booleans() | text)),
            seed=draw(st.integers(0, 2**63 - 1)),
            policy=draw(text),
            prm=draw(text),
        )
    ]
    tree = Tree.fold(log)
    for _ in range(draw(st.integers(0, 25))):
        event = draw(_events(tree))
        log.append(event)
        tree.apply(event)
    return log


def _events(tree: Tree) -> st.SearchStrategy[ev.Event]:
    node = st.integers(0, len(tree.nodes) - 1)
    count = st.integers(0, 2**40)
    children = st.lists(st.tuples(text, st.integers(0, 9), st.none() | value), max_size=3).map(
        lambda items: [
            ev.NewNode(len(tree.nodes) + i, step, slot, 0, 3, logprob)
            for i, (step, slot, logprob) in enumerate(items)
        ]
    )
    verdict = st.sampled_from(["unknown", "continue", "end"])
    score = st.builds(ev.Score, node, value, value, value)
    pick = st.builds(ev.Pick, node, st.lists(score, max_size=3), node)
    return st.one_of(
        st.just(ev.IterationStarted(tree.iteration + 1)),
        st.builds(ev.Selected, st.lists(node), st.lists(pick, max_size=2), st.booleans()),
        st.builds(ev.Closed, node),
        st.builds(ev.Judged, node, verdict, st.just("text"), st.none() | value, text),
        st.builds(ev.Expanded, node, st.just("expanded"), children, st.lists(text)),
        st.builds(ev.Evaluated, st.lists(st.builds(ev.NodeValue, node, value))),
        st.builds(
            ev.RolledOut,
            node,
            pick,
            st.lists(
                st.builds(
                    ev.RolloutStep,
                    st.lists(text),
                    st.none() | st.lists(value),
                    count,
                    value,
                    verdict,
                ),
                max_size=2,
            ),
            value,
            value,
            value,
            count,
        ),
        st.builds(ev.BackedUp, st.lists(st.builds(ev.Backup, node, value, count))),
        st.builds(ev.Exhausted, st.lists(node)),
        st.builds(ev.Answered, node, st.none() | text, st.none() | st.booleans(), text),
        st.builds(
            ev.IterationFinished,
            st.just(tree.iteration),
            st.builds(ev.Cost, count, count, count, value),
            st.sampled_from(["", "gate", "exhausted"]),
            st.lists(text, max_size=3),
        ),
        st.builds(ev.Concluded, st.just("iterations"), node, st.none() | node, node),
        st.builds(ev.Noted, st.none() | node, text),
    )


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory):
    store = Store(tmp_path_factory.mktemp("home"))
    yield store
    store.close()


@settings(max_examples=40, deadline=None)
@given(log=logs(), data=st.data())
def test_any_prefix_of_any_log_folds_and_survives_the_store(
    shared: Store, log: list[ev.Event], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(1, len(log)))
    session = shared.create(log[0])
    shared.append(session, 1, log[1:cut], Digest())
    assert shared.events(session) == log[:cut]
    assert state(Tree.fold(shared.events(session))) == state(Tree.fold(log[:cut]))

    shared.append(session, cut, log[cut:], Digest())
    assert shared.events(session, after=cut) == log[cut:]
    assert state(Tree.fold(shared.events(session))) == state(Tree.fold(log))


def test_a_list_shows_the_digest_of_the_last_append(store: Store) -> None:
    older = store.create(first("first question"), name="one", tags=["a", "b"])
    newer = store.create(first(HOSTILE, gold=None))
    store.append(older, 1, iteration(1, 1), Digest(1, 3, "5", True))
    rows = store.sessions()
    assert [row.id for row in rows] == [newer, older]
    assert rows[0].question == HOSTILE
    assert rows[0].gold is None
    assert rows[0].digest == Digest()
    assert rows[1] == store.session(older)
    assert rows[1].tags == ["a", "b"]
    assert rows[1].events == store.length(older) == 7
    assert rows[1].digest == Digest(1, 3, "5", True)
    assert rows[1].updated >= rows[1].created


def test_names_and_tags_change(store: Store) -> None:
    session = store.create(first())
    store.rename(session, HOSTILE)
    store.tag(session, [HOSTILE])
    assert store.session(session).name == HOSTILE
    assert store.session(session).tags == [HOSTILE]


def test_an_append_at_the_wrong_place_is_refused_whole(store: Store) -> None:
    session = store.create(first())
    store.append(session, 1, iteration(1, 1), Digest(1, 3))
    with pytest.raises(LogConflictError, match="has 7 events, not 1"):
        store.append(session, 1, iteration(1, 1), Digest(9, 9))
    assert store.length(session) == len(store.events(session)) == 7
    assert store.session(session).digest == Digest(1, 3)


@pytest.mark.parametrize(
    "event", [ev.Evaluated([ev.NodeValue(0, float("nan"))]), ev.Noted(0, "\ud800")]
)
def test_what_could_not_be_read_back_is_not_appended(store: Store, event: ev.Event) -> None:
    session = store.create(first())
    with pytest.raises(EventError):
        store.append(session, 1, [ev.Noted(0, "good"), event], Digest())
    assert store.length(session) == 1


def test_a_question_that_is_no_text_makes_no_session(store: Store) -> None:
    with pytest.raises(EventError, match="surrogate"):
        store.create(first("\ud800"))
    assert store.sessions() == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET body = '{}'",
        "DELETE FROM events WHERE seq = 2",
        "INSERT OR REPLACE INTO events VALUES ((SELECT id FROM sessions), 2, 0, '{}')",
        "INSERT INTO events VALUES ((SELECT id FROM sessions), 9, 0, '{}')",
        "INSERT INTO events VALUES ('00000000', 1, 0, '{}')",
    ],
)
def test_the_database_itself_keeps_a_log_append_only(store: Store, statement: str) -> None:
    session = store.create(first())
    store.append(session, 1, iteration(1, 1), Digest())
    before = store.events(session)
    connection = raw(store)
    with pytest.raises(sqlite3.IntegrityError), connection:
        connection.execute(statement)
    connection.close()
    assert store.events(session) == before


def test_a_deleted_session_takes_its_log_along(store: Store) -> None:
    kept, gone = store.create(first()), store.create(first())
    store.append(gone, 1, iteration(1, 1), Digest())
    store.delete(gone)
    assert [row.id for row in store.sessions()] == [kept]
    connection = raw(store)
    assert connection.execute("SELECT DISTINCT session FROM events").fetchall() == [(kept,)]
    connection.close()
    assert session_locks(store) == []


def tamper(store: Store, statement: str, *values: object) -> None:
    """Change a log as a damaged disk would: the triggers do not ask a disk."""
    connection = raw(store)
    connection.execute("DROP TRIGGER events_never_change")
    connection.execute("DROP TRIGGER events_go_with_their_session")
    with connection:
        connection.execute(statement, values)
    connection.close()


@pytest.mark.parametrize("body", ["{", '{"kind":"from_the_future"}', '{"kind":"closed"}', ""])
def test_a_damaged_event_is_named(store: Store, body: str) -> None:
    session = store.create(first())
    store.append(session, 1, iteration(1, 1), Digest())
    tamper(store, "UPDATE events SET body = ? WHERE seq = 3", body)
    with pytest.raises(EventDamagedError, match=f"Event 3 of session {session}"):
        store.events(session)
    assert len(store.events(session, after=3)) == 4


def test_bytes_that_are_no_text_are_a_damaged_event(store: Store) -> None:
    session = store.create(first())
    tamper(store, "UPDATE events SET body = CAST(X'7BFF' AS TEXT)")
    with pytest.raises(EventDamagedError, match="Event 1"):
        store.events(session)


@pytest.mark.parametrize("seq", [1, 4, 7])
def test_a_missing_event_is_named(store: Store, seq: int) -> None:
    session = store.create(first())
    store.append(session, 1, iteration(1, 1), Digest())
    tamper(store, "DELETE FROM events WHERE seq = ?", seq)
    with pytest.raises(EventDamagedError, match=f"Event {seq} of session {session} is missing"):
        store.events(session)


@pytest.mark.parametrize("session", ["00000000", "../../x", "", "ABCDEF01", "0" * 99, HOSTILE])
def test_an_unknown_session_is_named(store: Store, session: str) -> None:
    for call in (
        lambda: store.session(session),
        lambda: store.events(session),
        lambda: store.length(session),
        lambda: store.append(session, 1, [], Digest()),
        lambda: store.rename(session, "x"),
        lambda: store.delete(session),
        lambda: store.leases.acquire(session),
    ):
        with pytest.raises(SessionNotFoundError, match="There is no session"):
            call()
    assert session_locks(store) == []


def test_a_full_disk_is_said_and_nothing_is_half_written(store: Store) -> None:
    session = store.create(first())
    with store._log.reading() as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages}")
    long = [ev.Noted(0, "x" * 100_000)]
    with pytest.raises(StoreError, match="Check the free space"):
        store.append(session, 1, [*iteration(1, 1), *long], Digest(1, 3))
    assert store.length(session) == len(store.events(session)) == 1
