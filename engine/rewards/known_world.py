"""A world whose truth is known: how likely every partial solution is to end in a correct answer.

The policy is a Markov process over steps. A solution is `sound`, has `slipped`, or is `lost`; a
slip can be repaired, what is lost cannot. After some steps it answers: correctly if sound, by luck
if it slipped, never if lost; or it is `stuck`, and nothing usable follows. Chances differ from
world to world. Success probability and reasoning distance of a state are computed exactly, from the
longest solutions backwards.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from engine.events import SearchCreated
from engine.models.base import (
    Asked,
    Completion,
    CriticMode,
    Judgement,
    PrefixRequest,
    ProposalRequest,
    Reply,
    Steps,
    Summary,
    Valuation,
)
from engine.randomness import generator
from engine.search.driver import Search, create

State = Literal["sound", "slipped", "lost", "stuck", "right", "wrong"]
GOLD = "yes"
SHORTEST, LONGEST = 4, 8
WORDINGS = 4
_STUCK = 0.05
_SURE = 0.01  # how near to 0 or 1 the PRM's truth gets before noise is added


class Move(NamedTuple):
    """A kind of step: its word, the state that it leads to, its probability."""

    word: str
    state: State
    chance: float


class KnownWorld:
    """Policy, self-critic and PRM in one, and the truth about all of them.

    Args:
        seed: of the world: other seeds, other chances.
        noise: standard deviation, in logits, of what the PRM adds to the true success probability;
            a function of the partial solution.
    """

    def __init__(self, seed: int, noise: float = 1.0) -> None:
        self.seed = seed
        self.noise = noise
        self.identity = f"known truth {seed}, noise {noise:g}"
        self.question = f"World {seed}"
        draw = generator("known truth", seed)
        self._slip = draw.uniform(0.05, 0.35, LONGEST)
        self._repair, self._lose = draw.uniform(0.05, 0.3), draw.uniform(0.1, 0.4)
        self._luck, self._answer = draw.uniform(0.05, 0.3), draw.uniform(0.3, 0.7)
        self._moves: dict[tuple[State, int], list[Move]] = {}
        self._success: dict[tuple[State, int], float] = {}
        self._left: dict[tuple[State, int], float] = {}
        for depth in range(LONGEST, -1, -1):
            for state in get_args(State):
                self._settle(state, depth)

    def _settle(self, state: State, depth: int) -> None:
        """Everything about a state, once it is known what follows it."""
        moves = self._possible(state, depth) if depth < LONGEST else []
        after = [(move.chance, (move.state, depth + 1)) for move in moves]
        self._moves[state, depth] = moves
        ended = float(state == "right")
        self._success[state, depth] = ended + math.fsum(c * self._success[at] for c, at in after)
        self._left[state, depth] = math.fsum(c * (1.0 + self._left[at]) for c, at in after)

    def moves(self, state: State, depth: int) -> list[Move]:
        """What the policy may do next after `depth` steps; [] if nothing follows."""
        return self._moves[state, depth]

    def _possible(self, state: State, depth: int) -> list[Move]:
        if state in ("stuck", "right", "wrong"):
            return []
        answers = 0.0 if depth + 1 < SHORTEST else 1.0 if depth + 1 == LONGEST else self._answer
        correct = {"sound": 1.0, "slipped": self._luck, "lost": 0.0}[state]
        on, stuck = (1.0 - answers) * (1 - _STUCK), (1.0 - answers) * _STUCK
        slip = float(self._slip[depth])
        going: dict[str, list[Move]] = {
            "sound": [Move("go", "sound", on * (1 - slip)), Move("slip", "slipped", on * slip)],
            "slipped": [
                Move("repair", "sound", on * self._repair),
                Move("stray", "lost", on * self._lose),
                Move("drift", "slipped", on * (1 - self._repair - self._lose)),
            ],
            "lost": [Move("roam", "lost", on)],
        }
        ends = [
            Move("mumble", "stuck", stuck),
            Move("answer yes", "right", answers * correct),
            Move("answer no", "wrong", answers * (1 - correct)),
        ]
        return [move for move in (*going[state], *ends) if move.chance > 0]

    def state(self, steps: Steps) -> State:
        """Where a partial solution has got to."""
        found: State = "sound"
        for depth, word in enumerate(kinds(steps)):
            found = next(move.state for move in self.moves(found, depth) if move.word == word)
        return found

    def success(self, steps: Steps) -> float:
        """The exact probability that the policy ends a partial solution with a correct answer."""
        return self._success[self.state(steps), len(steps)]

    def quality(self, steps: Steps) -> float:
        """The paper's v with the true r and m: on the tree of everything that can be said."""
        value, distance = 0.0, SHORTEST + 1
        for depth in range(1, len(steps) + 1):
            state = self.state(steps[:depth])
            hopeful = state not in ("lost", "stuck", "wrong")
            if hopeful:  # every other state can answer correctly as soon as it may answer
                distance = 1 if state == "right" else max(SHORTEST - depth, 1) + 1
            value = max(0.0, value + (1 - value) * (1 if hopeful else -1) / distance)
        return value

    def length(self) -> float:
        """The exact mean number of steps of a solution."""
        return self.steps_left(())

    def steps_left(self, steps: Steps) -> float:
        """The exact mean number of steps until a partial solution is finished."""
        return self._left[self.state(steps), len(steps)]

    def rollouts(self, steps: Steps, count: int, seed: int) -> list[bool]:
        """How `count` independent completions of a partial solution end."""
        draw = generator("roll-outs", self.seed, steps, seed)
        ends = []
        for _ in range(count):
            state, depth = self.state(steps), len(steps)
            while moves := self.moves(state, depth):
                state, depth = _drawn(moves, draw.random()).state, depth + 1
            ends.append(state == "right")
        return ends

    def search(self, algorithm: str, params: dict[str, object], seed: int) -> Search:
        """A new search in this world."""
        names = (self.identity, self.identity)
        first: SearchCreated = create(self.question, GOLD, algorithm, params, seed, *names)
        return Search([first], lambda answer: answer == GOLD)

    def propose(self, requests: Sequence[ProposalRequest]) -> list[Completion]:
        """A step counts as one token."""
        return [self._propose(request) for request in requests]

    def _propose(self, request: ProposalRequest) -> Completion:
        draw = generator(self.seed, request.steps, request.seed, request.slot, request.attempt)
        moves = self.moves(self.state(request.steps), len(request.steps))
        if not moves:
            return Completion(None, "", "nothing follows", (0,))
        step = f"{_drawn(moves, draw.random()).word} {draw.integers(WORDINGS)}\n"
        return Completion(step, step, "", (0,))

    def judge(self, requests: Sequence[PrefixRequest], mode: CriticMode) -> list[Judgement]:
        """Finished is what has answered."""
        ended = [bool(r.steps) and r.steps[-1].startswith("answer") for r in requests]
        return [Judgement("end" if end else "continue", "text") for end in ended]

    def summarise(self, requests: Sequence[PrefixRequest]) -> list[Summary]:
        """The answer is the second word of an answer's step."""
        lasts = [request.steps[-1] if request.steps else "" for request in requests]
        return [
            Summary(last, last.split()[1] if last.startswith("answer") else None) for last in lasts
        ]

    def score(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
        """The true success probability with noise on its logit."""
        return [Valuation(self._noisy(request.steps)) for request in requests]

    def _noisy(self, steps: Steps) -> float:
        truth = min(max(self.success(steps), _SURE), 1 - _SURE)
        error = self.noise * float(generator("prm", self.seed, steps).standard_normal())
        return 1 / (1 + math.exp(-math.log(truth / (1 - truth)) - error))

    def text(self, request: Asked, reply: Reply) -> Sequence[int]:
        """Nothing is read."""
        return ()


def kinds(steps: Steps) -> tuple[str, ...]:
    """The kinds of the steps: all that the truth depends on."""
    return tuple(step.rsplit(" ", 1)[0] for step in steps)


def _drawn(moves: Sequence[Move], uniform: float) -> Move:
    for move in moves:
        uniform -= move.chance
        if uniform < 0:
            return move
    return moves[-1]
