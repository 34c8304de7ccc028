"""Every token once: prints of beginnings, and what whole searches with the bundled models read."""

import math
import random
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import events as ev
from engine.models.loading import ModelSpec
from engine.models.pool import ModelPool
from engine.models.transformers_policy import TransformersPolicy, load_policy
from engine.models.transformers_prm import TransformersPRM, load_prm
from engine.search.accounting import Ledger, decode, encode, prints
from engine.search.archive import Archive, MemoryArchive
from engine.search.driver import Driver, Limits, Search, create
from engine.tasks.problems import bundled_problems
from engine.tree import Node
from sessions.store import Store
from tests.engine.models.conftest import watched

TOKENS = st.lists(st.integers(0, 300_000), max_size=60)


@given(TOKENS)
def test_a_print_stands_for_a_beginning(tokens: list[int]) -> None:
    """It does not depend on what follows, and not on the other texts."""
    found = prints(tokens).tolist()
    assert len(set(found)) == len(found) == len(tokens)
    for k in range(len(tokens) + 1):
        assert prints(tokens[:k]).tolist() == found[:k]
    assert all(0 <= one < 2**48 for one in found)


@given(st.lists(st.integers(0, 50), min_size=2, max_size=12), st.randoms())
def test_other_orders_and_shifts_have_other_prints(tokens: list[int], rng: random.Random) -> None:
    other = tokens.copy()
    rng.shuffle(other)
    for changed in (other, tokens[1:], [*tokens[:1], *tokens], [one + 1 for one in tokens]):
        for mine, its, k in zip(prints(tokens), prints(changed), range(99), strict=False):
            assert (mine == its) == (tokens[: k + 1] == changed[: k + 1])


def test_small_tokens_and_repeated_ones_do_not_collide() -> None:
    """All texts of up to six of four tokens; long runs of one token; pairs exchanged anywhere."""
    texts: list[tuple[int, ...]] = [()]
    for _ in range(6):
        texts += [(*text, token) for text in texts for token in range(4)]
    distinct = {text for text in texts if text}
    assert len({int(prints(text)[-1]) for text in distinct}) == len(distinct)
    runs = {one for token in range(40) for one in prints([token] * 500).tolist()}
    assert len(runs) == 40 * 500
    text = list(range(100))
    ends = set()
    for a in range(99):
        text[a], text[a + 1] = text[a + 1], text[a]
        ends.add(int(prints(text)[-1]))
        text[a], text[a + 1] = text[a + 1], text[a]
    assert len(ends) == 99


@given(st.sets(st.integers(0, 2**48 - 1), max_size=40))
def test_prints_come_back_from_the_log(found: set[int]) -> None:
    text = encode(found)
    assert decode(text) == found
    assert text.isascii()
    assert len(text) == 8 * len(found)


@pytest.mark.parametrize("text", ["x", "AAAA", "AAAAAAA!", "AAAAAAAAAAAA", "é" * 8])
def test_what_was_not_written_by_it_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        decode(text)


@given(st.lists(TOKENS, max_size=6), st.integers(0, 6))
def test_a_ledger_counts_beginnings_once(texts: list[list[int]], closed: int) -> None:
    """Whatever was closed, written to a log, read from it, or dropped in between."""
    ledger, seen, written = Ledger(), set[tuple[int, ...]](), []
    for k, text in enumerate(texts):
        dropped = Ledger(written)
        dropped.add([1, 2, 3])
        dropped.drop()
        fresh = {tuple(text[: n + 1]) for n in range(len(text))} - seen
        assert ledger.add(text) == len(fresh)
        seen |= fresh
        if k >= closed:
            written.append(ledger.close())
            ledger = Ledger(written)


class Models(NamedTuple):
    policy: TransformersPolicy
    prm: TransformersPRM
    pool: ModelPool

    @property
    def world(self) -> tuple[str, str]:
        return self.policy.identity, self.prm.identity


@pytest.fixture(scope="module")
def models() -> Models:
    """The bundled ones in fp32, where batches change nothing that can be seen."""
    folder, pool = Path(str(resources.files("assets") / "models")), ModelPool(kv_budget=math.inf)
    spec = {"quant": "none", "dtype": "fp32", "device": "cpu"}
    policy = load_policy(ModelSpec(path=str(folder / "tiny-policy"), **spec), pool)
    return Models(policy, load_prm(ModelSpec(path=str(folder / "tiny-prm"), **spec), pool), pool)


@pytest.fixture(autouse=True)
def nothing_read(models: Models) -> Iterator[None]:
    """Rows of one test are not those of another."""
    models.pool.store.clear()
    yield
    models.pool.store.budget = math.inf


PROBLEMS = bundled_problems("stories-dev")[:4]
LIMITS = Limits(iterations=6)


def grade(answer: str | None) -> bool | None:
    return None


def searches(models: Models, **params: object) -> list[Search]:
    """One search a problem, from its beginning."""
    return [
        Search([create(one.content, None, "mcts_star", dict(params), k, *models.world)], grade)
        for k, one in enumerate(PROBLEMS)
    ]


def run(
    models: Models, found: list[Search], archive: Archive | None = None, limits: Limits = LIMITS
) -> None:
    driver = Driver(models.policy, models.prm, archive or MemoryArchive(), clock=lambda: 0.0)
    driver.run(found, limits, lambda _, events: None)


def shape(node: Node) -> tuple[object, ...]:
    """What of a node must be exactly the same."""
    fixed = (node.parent, node.step, node.visits, node.children, node.verdict, node.answer)
    return (*fixed, node.slot, node.attempt, node.tokens, node.closed, node.exhausted)


def same_trees(found: list[Search], expected: list[Search]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert list(map(shape, one.tree.depth_first())) == list(
            map(shape, other.tree.depth_first())
        )
        for mine, its in zip(one.tree.depth_first(), other.tree.depth_first(), strict=True):
            assert mine.value == pytest.approx(its.value, abs=1e-5)
            assert (mine.prm_value or 0.0) == pytest.approx(its.prm_value or 0.0, abs=1e-5)


def lasting(search: Search) -> tuple[int, ...]:
    cost = search.tree.cost
    return cost.policy_generated, cost.policy_unique, cost.prm_unique


@pytest.mark.parametrize("params", [{}, {"roll_branch": 3}])
@pytest.mark.parametrize("count", [1, 4])
def test_every_token_is_read_once(models: Models, count: int, params: dict[str, object]) -> None:
    """What went through the models, counted where it goes in, is what is said and what is needed.

    Searches that begin alike share that, so that together they read less than each for itself.
    """
    found = searches(models, **params)[:count]
    with watched(models.policy.handle) as policy, watched(models.prm.handle) as prm:
        run(models, found)
    for name, gate in (("policy", policy), ("prm", prm)):
        needed = [decode(getattr(read, name)) for one in found for read in one.tree.read]
        forwarded, unique, padded = (
            sum(getattr(one.tree.cost, f"{name}_{kind}") for one in found)
            for kind in ("forwarded", "unique", "padded")
        )
        assert gate.tokens == forwarded + padded
        assert forwarded == len(set().union(*needed)) > 0
        assert unique == sum(map(len, needed))


@pytest.mark.parametrize("budget", [0, 300_000])
def test_the_budget_changes_no_tree(models: Models, budget: int) -> None:
    expected = searches(models)
    run(models, expected)
    models.pool.store.clear()
    models.pool.store.budget = budget
    found = searches(models)
    run(models, found)
    same_trees(found, expected)
    assert [lasting(one) for one in found] == [lasting(one) for one in expected]
    assert models.pool.store.bytes <= budget
    forwarded = [sum(s.tree.cost.policy_forwarded for s in some) for some in (found, expected)]
    assert forwarded[0] > forwarded[1]


def test_many_at_once_are_as_one_by_one(models: Models) -> None:
    expected = searches(models)
    for search in expected:
        run(models, [search])
    models.pool.store.clear()
    found = searches(models)
    run(models, found)
    same_trees(found, expected)
    assert [lasting(one) for one in found] == [lasting(one) for one in expected]


def test_an_interrupted_search_counts_as_one_that_was_not(models: Models, tmp_path: Path) -> None:
    """Broken off at any call, with nothing left but the store on disk; the rows are gone."""
    whole = searches(models)[0]
    run(models, [whole])
    kept: list[ev.Event] = list(searches(models)[0].log)
    generated = 0
    for ticks in (1, 3, 7, 4, 11, 2):
        store = Store(tmp_path)
        models.pool.store.clear()
        search = Search(kept, grade)
        driver = Driver(models.policy, models.prm, store.archive, clock=lambda: 0.0)
        left = Limits(iterations=6 - search.tree.iteration)
        driver.start(search, left, lambda _, events: kept.extend(events))
        for _ in range(ticks):
            if driver.active:
                driver.tick()
        driver.abandon(search)
        store.close()
        generated = search.tree.cost.policy_generated
    store = Store(tmp_path)
    last = Search(kept, grade)
    run(models, [last], store.archive, Limits(iterations=6 - last.tree.iteration))
    store.close()
    same_trees([last], [whole])
    assert lasting(last) == lasting(whole)
    assert 0 < generated < last.tree.cost.policy_generated


def test_replaying_from_the_store_forwards_nothing(models: Models, tmp_path: Path) -> None:
    store = Store(tmp_path)
    first, second = searches(models), searches(models)
    run(models, first, store.archive)
    models.pool.store.clear()
    with watched(models.policy.handle) as policy, watched(models.prm.handle) as prm:
        run(models, second, store.archive)
    store.close()
    assert policy.sizes == prm.sizes == []
    same_trees(second, first)
    assert [lasting(one) for one in second] == [lasting(one) for one in first]
    assert {one.tree.cost.policy_forwarded for one in second} == {0}
