"""Proposals that are meant as independent draws share no address, in any search."""

from collections.abc import Sequence

import pytest

from engine import events as ev
from engine.models.base import Completion, ProposalRequest, Usage
from engine.randomness import generator
from engine.search import acts, fulfil
from engine.search.archive import MemoryArchive
from engine.search.driver import Driver, Limits, Search
from engine.search.registry import ALGORITHMS
from tests.engine.worlds import World, new_search, run


class FewWords(World):
    """Writes one of two steps three times over, then one of two answers; now and then nothing."""

    def _propose(self, request: ProposalRequest) -> Completion:
        draw = generator("few", request.steps, request.seed, request.slot, request.attempt)
        word = int(draw.integers(2))
        text = f"Answer: {word}\n" if len(request.steps) == 4 else f"step {word}\n"
        if draw.random() < 0.1:
            return Completion("?", "", "too short", (0,), (-0.5,), Usage(1))
        return Completion(text, text, "", (0, 1), (-0.5 - word,) * 2, Usage(5))


# A roll-out of MCTS* looks along the way that the search itself would go, and shares its replies
# on purpose; without roll-outs nothing is left to share.
PARAMETERS: list[tuple[str, dict[str, object]]] = [
    ("mcts_star", {"roll_forward_steps": 0}),
    ("mcts_star", {"roll_forward_steps": 0, "max_expansions": 4, "min_gain": 0.9}),
    ("sampling", {"samples": 24}),
    ("sampling", {"samples": 24, "at_once": 5}),
    ("beam", {"width": 4}),
    ("tree_of_thoughts", {"width": 8}),
    ("tree_of_thoughts", {"order": "dfs"}),
    ("tree_of_thoughts", {"keep": "sample", "width": 8}),
    ("lookahead", {"width": 4}),
    ("dvts", {"subtrees": 6}),
    ("rebase", {"width": 32}),
    ("rebase", {"width": 32, "balance": 5.0}),
    ("puct", {}),
    ("rstar_math", {}),
    ("rstar_math", {"guide": "terminal"}),
    ("uct", {"simulations": 30}),
]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[ProposalRequest]:
    """Every proposal that a search asks for, whether or not it is known already."""
    found: list[ProposalRequest] = []
    place = fulfil.proposal_address

    def noted(identity: str, request: ProposalRequest) -> str:
        found.append(request)
        return place(identity, request)

    monkeypatch.setattr(fulfil, "proposal_address", noted)
    return found


def shared(asked: Sequence[ProposalRequest]) -> list[tuple[object, ...]]:
    """Addresses that were asked for more than once; greedy proposals are no draws."""
    seen: set[tuple[object, ...]] = set()
    twice = []
    for one in asked:
        if one.sampling.temperature == 0:
            continue
        where = (one.seed, one.question, one.steps, one.slot, one.attempt, one.sampling.temperature)
        if where in seen:
            twice.append(where)
        seen.add(where)
    return twice


@pytest.mark.parametrize(("algorithm", "params"), PARAMETERS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_draw_has_an_address_of_its_own(
    algorithm: str, params: dict[str, object], seed: int, asked: list[ProposalRequest]
) -> None:
    search = new_search(algorithm=algorithm, seed=seed, **params)
    run(search, Limits(iterations=60), FewWords())
    assert len(asked) > 15
    assert not shared(asked)


def test_no_search_is_left_out() -> None:
    assert {name for name, _ in PARAMETERS} == set(ALGORITHMS)


@pytest.mark.parametrize(("algorithm", "params"), PARAMETERS)
def test_what_a_person_asks_for_is_drawn_anew_too(
    algorithm: str, params: dict[str, object], asked: list[ProposalRequest]
) -> None:
    search = new_search(algorithm=algorithm, **params)
    world = FewWords()
    driver = Driver(world, world, MemoryArchive(), clock=lambda: 0.0)

    def act(what: acts.Act) -> None:
        driver.act(search, what, lambda _, events: None)
        while driver.active:
            assert not driver.tick()

    driver.run([search], Limits(iterations=2), lambda _, events: None)
    act(acts.write_step(0, "step of mine\n"))
    for node in [n.id for n in search.tree.nodes if not n.finished][:12]:
        act(acts.expand(node, 3))
    driver.run([search], Limits(iterations=10), lambda _, events: None)
    assert any(isinstance(event, ev.Added) for event in search.log)
    assert not shared(asked)


def pairs_of_twins(search: Search) -> tuple[int, int]:
    """Pairs of expanded nodes with the same steps, and those of them with the same children."""
    tree, groups = search.tree, dict[tuple[str, ...], list[list[tuple[str, int]]]]()
    for node in tree.nodes[1:]:
        if node.children:
            below = [(tree.node(i).step, tree.node(i).slot) for i in node.children]
            groups.setdefault(tree.steps(node.id), []).append(below)
    pairs = [(a, b) for same in groups.values() for k, a in enumerate(same) for b in same[k + 1 :]]
    return len(pairs), sum(a[0] == b[0] for a, b in pairs)


def test_places_of_rebase_with_the_same_steps_go_their_own_ways() -> None:
    search = new_search(algorithm="rebase", width=32, balance=5.0)
    run(search, Limits(iterations=60), FewWords())
    pairs, identical = pairs_of_twins(search)
    assert pairs > 50
    assert identical == 0
