"""A workbench without models: its tree is drawn by a seeded script, one iteration after another.

For states that a real search reaches only slowly (1,000 nodes), for hostile text, and for failures.
It has the shape of `ui.interface.Workbench` and says of itself what it is.
"""

import math
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from tests.browser.fake_batches import FakeBatches
from tests.browser.fake_rewards import FakeRewards
from tests.browser.fake_rounds import FakeRounds
from tests.browser.fake_steering import FakeSteering

FAKE = "scripted, no model"


class Parameter(msgspec.Struct, frozen=True):
    name: str
    symbol: str
    kind: Literal["int", "float", "bool", "choice"]
    default: Any
    minimum: float | None
    maximum: float | None
    choices: list[str]
    help: str
    origin: str = "reference"
    advanced: bool = False


class Algorithm(msgspec.Struct, frozen=True):
    name: str
    title: str
    summary: str
    parameters: list[Parameter]


class Problem(msgspec.Struct, frozen=True):
    id: str
    content: str
    answer: str


class Models(msgspec.Struct, frozen=True):
    policy: str = FAKE
    prm: str = FAKE
    quant: str = "none"
    device: str = "cpu"


class Info(msgspec.Struct, frozen=True):
    id: str
    name: str
    question: str
    algorithm: str
    iterations: int
    nodes: int
    answer: str | None
    correct: bool | None
    in_use_by: str | None
    created: float
    gold: str | None = None
    batch: str | None = None
    tags: list[str] = []
    updated: float = 1.79e9
    deleted: float | None = None


class Settings(msgspec.Struct, frozen=True):
    question: str
    gold: str | None
    algorithm: str
    params: dict[str, Any]
    sampling: dict[str, Any]
    seed: int


ALGORITHMS = [
    Algorithm(
        "mcts_star",
        "MCTS*",
        "Tree search guided by the process reward model.",
        [
            Parameter("branch", "b", "int", 3, 1, 64, [], "Children asked for at an expansion."),
            Parameter(
                "exploration_constant", "c", "float", 0.7, 0, 1000, [], "Weight of exploration."
            ),
            Parameter(
                "final_choice", "", "choice", "vote", None, None, ["vote", "best"], "Vote or best."
            ),
            Parameter(
                "require_finished", "", "bool", True, None, None, [], "Only finished nodes answer."
            ),
            Parameter(
                "inf",
                "inf",
                "float",
                1.0,
                -1e6,
                1e6,
                [],
                "Bonus of an unvisited child.",
                advanced=True,
            ),
        ],
    ),
    Algorithm(
        "beam",
        "Step beam",
        "Keeps the best.",
        [Parameter("beams", "B", "int", 4, 1, 64, [], "Partial solutions kept.")],
    ),
]
PROBLEMS = [
    Problem(
        "one",
        "Frank has 27 stamps. He wins 15 in a game. He gives half of them away. "
        "Then 4 more arrive in the post. How many stamps has he now?",
        "25",
    ),
    Problem("two", "Yara has 26 balls. She gives each of 3 friends 5. How many has she?", "11"),
]


def equation(rng: random.Random) -> str:
    """A step of the kind that the bundled policy writes."""
    left, right = rng.randint(2, 60), rng.randint(2, 30)
    sign, result = rng.choice(
        [("+", left + right), ("-", left - right), ("*", left * right), ("/", left // right)]
    )
    return f"{left} {sign} {right} = {result}\n"


@dataclass
class Run:
    """One scripted session."""

    info: Settings
    rng: random.Random
    nodes: list[dict[str, Any]] = field(default_factory=list)
    children: dict[int, list[int]] = field(default_factory=dict)
    changed: dict[int, int] = field(default_factory=dict)
    cursor: int = 0
    iteration: int = 0
    path: list[int] = field(default_factory=lambda: [0])
    picks: list[dict[str, Any]] = field(default_factory=list)
    phase: str = ""
    rollout: dict[str, Any] | None = None
    status: str = "idle"
    message: str = ""
    done: int = 0
    target: int | None = None
    tokens: int = 0
    halt: bool = False
    name: str = ""


class FakeWorkbench(FakeBatches, FakeRewards, FakeRounds):
    """Grows random trees; `pace` seconds an iteration; `texts` are used as steps, if given."""

    def __init__(self, home: Path, pace: float = 0.02, texts: list[str] | None = None) -> None:
        super().__init__()
        self.home = home
        self.models = Models()
        self.pace = pace
        self.texts = texts or []
        self.runs: dict[str, Run] = {}
        self.made = 0
        self.steering = FakeSteering(self)
        self.lock = threading.RLock()
        self.learn()

    def notices(self) -> list[str]:
        return []

    def algorithms(self) -> list[Algorithm]:
        return ALGORITHMS

    def sampling_parameters(self) -> list[Parameter]:
        return [Parameter("temperature", "T", "float", 1.0, 0, 10, [], "Sampling temperature.")]

    def problems(self, split: str = "heldout", limit: int | None = None) -> list[Problem]:
        return PROBLEMS[:limit]

    def hint(self, question: str, params: dict[str, Any] | None = None) -> str | None:
        known = any(question.startswith(one.content[:6]) for one in PROBLEMS)
        return None if known else f"Nothing is known of questions like {question[:80]!r}."

    def create(
        self,
        question: str,
        gold: str | None = None,
        algorithm: str = "mcts_star",
        params: Any = None,
        sampling: Any = None,
        seed: int = 0,
        name: str = "",
    ) -> str:
        branch = (params or {}).get("branch", 3)
        if not 1 <= branch <= 64:
            raise ValueError(f"branch must be between 1 and 64, not {branch}.")
        with self.lock:
            self.made += 1
            session = f"fake-{self.made}"
            settings = Settings(question, gold, algorithm, params or {}, sampling or {}, seed)
            run = Run(settings, random.Random(seed), name=name)
            self.runs[session] = run
            self.add(run, None)
        return session

    def sessions(self) -> list[Info]:
        return [
            Info(
                key,
                run.name,
                run.info.question,
                run.info.algorithm,
                run.iteration,
                len(run.nodes),
                *self.verdict(run),
                None,
                1.79e9,
                run.info.gold,
                self.batch_of.get(key),
            )
            for key, run in reversed(list(self.runs.items()))
        ]

    def settings(self, session: str) -> Settings:
        if session not in self.runs:
            raise ValueError(f"There is no session {session[:40]!r}.")
        return self.runs[session].info

    def rename(self, session: str, name: str) -> None:
        if len(name) > 200:
            raise ValueError(f"The name has {len(name)} characters; it can have 200.")
        self.runs[session].name = name

    def delete(self, session: str) -> None:
        if self.runs[session].status == "running":
            raise ValueError(f"Session {session} is running: stop it, then delete it.")
        del self.runs[session]

    def note(self, session: str, node: int | None, text: str) -> None:
        run = self.runs[session]
        with self.lock:
            run.nodes[node or 0]["note"] = text
            self.touch(run, node or 0)

    def run(
        self,
        session: str,
        iterations: int | None = None,
        tokens: int | None = None,
        seconds: float | None = None,
    ) -> None:
        run = self.runs[session]
        if run.status == "running":
            run.target = (run.target or 0) + (iterations or 1)
            return
        run.status, run.done, run.target, run.halt = "running", 0, iterations, False
        threading.Thread(target=self.work, args=(run,), daemon=True).start()

    def step(self, session: str, phases: int = 1) -> None:
        self.run(session, iterations=1)

    def pause(self, session: str) -> None:
        self.runs[session].halt = True

    def stop(self, session: str) -> None:
        self.runs[session].halt = True

    def work(self, run: Run) -> None:
        while run.done < (run.target or 1) and not run.halt:
            time.sleep(self.pace)
            with self.lock:
                self.iterate(run)
                run.done += 1
        run.status = "idle"

    def grow(self, session: str, nodes: int) -> None:
        """Iterate at once until the tree has so many nodes."""
        run = self.runs[session]
        with self.lock:
            while len(run.nodes) < nodes:
                self.iterate(run)

    # -- the script ------------------------------------------------------------------------

    def add(self, run: Run, parent: int | None) -> int:
        above = run.nodes[parent] if parent is not None else None
        depth = above["depth"] + 1 if above else 0
        number = len(run.nodes)
        step = equation(run.rng)
        if self.texts and parent is not None:
            step = self.texts[(number - 1) % len(self.texts)]
        drift = run.rng.gauss(0.04, 0.16)
        value = min(0.99, max(0.02, (above["value"] if above else 0.45) + drift))
        node = {
            "id": number, "parent": parent, "depth": depth, "step": "" if parent is None else step,
            "value": value, "visits": 0, "prm": None if parent is None else value,
            "verdict": "unknown", "verdict_source": "", "closed": False, "expansions": 0,
            "answer": None, "correct": None, "iteration": run.iteration, "note": "",
            "mark": "", "regraded": None, "overruled": None, "locked": False, "pruned": False,
            "hidden": False, "made_by": "policy", "tags": [],
            "logprob": None if parent is None else -(number * 37 % 60) / 10,
        }  # fmt: skip
        if depth >= 5 and run.rng.random() < 0.55:
            self.finish(run, node)
        run.nodes.append(node)
        if parent is not None:
            run.children.setdefault(parent, []).append(number)
        self.touch(run, number)
        return number

    def finish(self, run: Run, node: dict[str, Any]) -> None:
        node["verdict"], node["verdict_source"] = "end", "logits"
        if run.rng.random() < 0.1:
            node["verdict_source"] = "dead_end"
            return
        good = run.rng.random() < node["value"]
        gold = run.info.gold
        node["answer"] = (gold or "25") if good else str(run.rng.randint(20, 29))
        node["correct"] = None if gold is None else node["answer"] == gold
        if self.texts:
            node["answer"] = self.texts[node["id"] % len(self.texts)]

    def hold(self, session: str, phase: str, rollout: dict[str, Any] | None = None) -> None:
        """Stand still after a phase."""
        run = self.runs[session]
        with self.lock:
            run.phase, run.rollout = phase, rollout
            self.touch(run, 0)

    def touch(self, run: Run, node: int) -> None:
        run.cursor += 1
        run.changed[node] = run.cursor

    def scores(self, run: Run, parent: int) -> list[dict[str, Any]]:
        visits = max(1, run.nodes[parent]["visits"])
        result = []
        for child in run.children.get(parent, []):
            node = run.nodes[child]
            bonus = (
                0.7 * math.sqrt(2 * math.log(visits) / node["visits"]) if node["visits"] else 1.0
            )
            result.append(
                {
                    "node": child,
                    "value": node["value"],
                    "exploration": bonus,
                    "total": node["value"] + bonus,
                }
            )
        return result

    def exhausted(self, run: Run, node: int) -> bool:
        """Whether nothing below can change any more."""
        children = run.children.get(node, [])
        if not children:
            return bool(run.nodes[node]["verdict"] == "end")
        return all(self.exhausted(run, child) for child in children)

    def iterate(self, run: Run) -> None:
        run.iteration += 1
        run.phase, run.rollout = "backed up", None
        here, run.path, run.picks = 0, [0], []
        while run.children.get(here):
            scores = [
                score for score in self.scores(run, here) if not self.exhausted(run, score["node"])
            ]
            if not scores:
                break
            best = max(scores, key=lambda score: score["total"])
            run.picks.append({"parent": here, "chosen": best["node"], "scores": scores})
            here = best["node"]
            run.path.append(here)
        node = run.nodes[here]
        if node["verdict"] != "end":
            node["expansions"] += 1
            for _ in range(run.info.params.get("branch", 3)):
                self.add(run, here)
        for identifier in reversed(run.path):
            node = run.nodes[identifier]
            node["visits"] += 1
            below = [run.nodes[child] for child in run.children.get(identifier, [])]
            weights = [child["visits"] + 1 for child in below]
            if below:
                mean = sum(c["value"] * w for c, w in zip(below, weights, strict=True)) / sum(
                    weights
                )
                node["value"] = 0.7 * node["value"] + 0.3 * mean
            self.touch(run, identifier)
        run.tokens += 38

    # -- reading ---------------------------------------------------------------------------

    def answers(self, run: Run) -> list[dict[str, Any]]:
        groups: dict[str, dict[str, Any]] = {}
        for node in run.nodes:
            if node["answer"] is None:
                continue
            group = groups.setdefault(node["answer"], {
                "answer": node["answer"], "count": 0, "weight": 0.0,
                "correct": node["correct"], "node": node["id"],
                "best": node["id"]})  # fmt: skip
            if node["value"] > run.nodes[group["best"]]["value"]:
                group["best"] = node["id"]
            group["count"] += 1
            group["weight"] += node["value"]
        return sorted(groups.values(), key=lambda group: -group["weight"])

    def verdict(self, run: Run) -> tuple[str | None, bool | None]:
        answers = self.answers(run)
        return (answers[0]["answer"], answers[0]["correct"]) if answers else (None, None)

    def ancestors(self, run: Run, node: int) -> list[int]:
        path = [node]
        while (parent := run.nodes[path[-1]]["parent"]) is not None:
            path.append(parent)
        return path[::-1]

    def best(self, run: Run) -> int:
        ended = [node for node in run.nodes if node["answer"] is not None] or run.nodes
        return int(max(ended, key=lambda node: node["value"])["id"])

    def delta(self, session: str, since: int) -> dict[str, Any]:
        run = self.runs[session]
        with self.lock:
            reset = since < 0 or since > run.cursor
            nodes = [
                {**node, "note": bool(node["note"])}
                for node in run.nodes
                if reset or run.changed[node["id"]] > since
            ]
            answer, correct = self.verdict(run)
            return {
                "session": session, "name": run.name, "cursor": run.cursor, "reset": reset,
                "nodes": nodes,
                "tree": {
                    "question": run.info.question, "gold": run.info.gold,
                    "algorithm": run.info.algorithm, "seed": run.info.seed,
                    "iteration": run.iteration, "phase": run.phase,
                    "range": [0.0, 1.0], "rollout": run.rollout,
                    "stop": "", "path": run.path, "picks": run.picks,
                    "best": self.best(run), "voted": None,
                    "best_path": self.ancestors(run, self.best(run)),
                    "answer": answer, "correct": correct, "answers": self.answers(run),
                    "cost": {"policy_forwarded": run.tokens * 3, "policy_generated": run.tokens,
                             "policy_unique": run.tokens * 3, "policy_cached": run.tokens * 40,
                             "policy_padded": 0, "prm_unique": run.tokens * 2,
                             "prm_forwarded": run.tokens * 2, "prm_cached": run.tokens * 30,
                             "prm_padded": 0, "seconds": run.iteration * 0.11},
                    "nodes": len(run.nodes),
                },
                "run": {"status": run.status, "message": run.message, "done": run.done,
                        "target": run.target, "tokens": run.tokens, "seconds": 0.0},
            }  # fmt: skip

    def node(self, session: str, node: int) -> dict[str, Any]:
        run = self.runs[session]
        with self.lock:
            this = run.nodes[node]
            parent = this["parent"]
            selection = None
            if parent is not None:
                scores = [
                    {**score, "visits": run.nodes[score["node"]]["visits"],
                     "step": run.nodes[score["node"]]["step"], "self": score["node"] == node}
                    for score in self.scores(run, parent)
                ]  # fmt: skip
                selection = {"parent_visits": run.nodes[parent]["visits"], "c": 0.7, "bonus": 1.0,
                             "scores": scores}  # fmt: skip
            return {
                **this, "steps": [run.nodes[i]["step"] for i in self.ancestors(run, node)[1:]],
                "verdict_probability": 0.93 if this["verdict"] == "end" else None,
                "analysis": self.texts[0] if self.texts else "", "summary": "", "slot": node % 3,
                "attempt": 0, "tokens": 9,
                "best_path": node in self.ancestors(run, self.best(run)), "selection": selection,
                "origin": {"policy": FAKE, "prm": FAKE, "seed": run.info.seed, "temperature": 1.0},
            }  # fmt: skip
