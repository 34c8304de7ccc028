"""What is refused is counted, and a search that found nothing usable says so."""

import pytest

from engine import events as ev
from engine.models.base import ENDED, Completion, ProposalRequest, Usage
from engine.refused import Refusals, in_words, refusals
from engine.search import fulfil
from engine.search.driver import Limits
from engine.search.registry import ALGORITHMS
from tests.engine.worlds import World, new_search, run


class Refusing(World):
    """From a length on every reply is refused."""

    def __init__(self, after: int) -> None:
        super().__init__(empty=0.0)
        self.after = after
        self.asked = 0

    def _propose(self, request: ProposalRequest) -> Completion:
        self.asked += 1
        if len(request.steps) >= self.after:
            return Completion("\\[", "", "too short", (0,), (-0.5,), Usage(1))
        text = f"step {request.slot} {len(request.steps)}\n"
        return Completion(text, text, "", (0,), (-0.5,), Usage(1))


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
@pytest.mark.parametrize("after", [0, 2])
def test_a_search_for_which_nothing_usable_came_says_so(algorithm: str, after: int) -> None:
    world = Refusing(after)
    params = {"roll_forward_steps": 0} if algorithm == "mcts_star" else {}
    search = new_search(algorithm=algorithm, **params)
    run(search, Limits(iterations=400), world)
    if algorithm == "uct" and after:  # it commits to steps and then walks on below them
        assert search.tree.refusals.refused
        return
    assert search.tree.stop == "unusable"
    concluded = search.log[-1]
    assert isinstance(concluded, ev.Concluded)
    assert concluded.reason == "unusable"
    found = search.tree.refusals
    assert found.asked >= world.asked  # a greedy reply may be asked for again
    assert set(found.reasons) == {"too short"}
    assert found.example == "\\["
    if not after:
        assert found.refused == found.asked


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_every_reply_is_counted_once(algorithm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    place = fulfil.proposal_address

    def noted(identity: str, request: ProposalRequest) -> str:
        asked.append(request)
        return place(identity, request)

    monkeypatch.setattr(fulfil, "proposal_address", noted)
    search = new_search(algorithm=algorithm)
    run(search, Limits(iterations=30), World(empty=0.3))
    found = search.tree.refusals
    assert found.asked == len(asked)
    assert 0.1 < found.refused / found.asked < 0.6
    assert sum(found.reasons.values()) == found.refused


def test_a_search_that_only_grows_too_long_is_unfinished() -> None:
    for algorithm in sorted(set(ALGORITHMS) - {"uct"}):
        search = new_search(algorithm=algorithm, max_depth=1)
        run(search, Limits(iterations=100), Refusing(after=9))
        assert search.tree.stop == "unfinished", algorithm
        assert not search.tree.refusals.refused


def test_the_end_of_a_solution_is_no_refusal() -> None:
    rejected = [ev.Rejected(0, 0, "", ENDED), ev.Rejected(1, 0, "", "too short: 1 character")]
    found = refusals(2, rejected)
    assert (found.asked, found.refused, found.reasons) == (4, 1, {"too short": 1})


def test_refusals_in_words() -> None:
    assert in_words(Refusals(9)) == ""
    found = refusals(388, [ev.Rejected(k, 0, "\\[\n", "too short") for k in range(8)])
    found += refusals(0, [ev.Rejected(k, 0, "x = 1\n", "repeated") for k in range(4)])
    assert in_words(found) == (
        "12 of 400 proposals (3 %): 8 too short, 4 repeated, such as '\\\\[' (too short)"
    )
    assert in_words(Refusals(5, 5, {"no reply": 5}, "", "no reply")).startswith("5 of 5")
    many = sum((refusals(0, [ev.Rejected(0, 0, "", f"r{k}")]) for k in range(99)), Refusals())
    assert len(many.reasons) <= 21
    assert many.refused == 99
