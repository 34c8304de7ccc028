"""What a round learns from: examples out of the searched pool, kept in files of the round."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.exports.labels import LabelledTree
from engine.training import gathering
from engine.training.examples import Example, Pair, Solution, Valued
from engine.training.recipes import Recipe
from engine.training.verdict import Suspect, any_right, right_steps, suspect
from engine.tree import Tree
from sessions.adapters import Role
from sessions.store import Store

_KINDS: dict[str, type[Example]] = {kind.__name__: kind for kind in (Solution, Valued, Pair)}


class Gathered:
    """Examples of a recipe out of trees, and what is noticed on the way."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.examples: dict[Role, list[Example]] = {"policy": [], "prm": []}
        self.suspects: list[Suspect] = []
        self.trees = self.solved = 0

    def add(self, session: str, tree: Tree) -> None:
        """Take the examples of a searched tree."""
        policy, prm = self.recipe.policy, self.recipe.prm
        labelled = LabelledTree(tree, prm.rewards if prm else "paper")
        self.trees += 1
        self.solved += any_right(labelled.traces)
        doubted = suspect(labelled, session)
        if doubted is not None:
            self.suspects.append(doubted)
        if policy is not None:
            self.examples["policy"] += gathering.policy_examples(labelled, session, policy)
        if prm is not None:
            self.examples["prm"] += gathering.prm_examples(labelled, session, prm)

    def result(self) -> dict[str, Any]:
        """What the store keeps of it."""
        learnt = [one for one in self.examples["policy"] if isinstance(one, Solution)]
        return {
            "trees": self.trees,
            "solved": self.solved,
            "policy": len(self.examples["policy"]),
            "prm": len(self.examples["prm"]),
            "steps": msgspec.to_builtins(right_steps(learnt)) if learnt else None,
            "suspects": msgspec.to_builtins(self.suspects),
        }


def searched(store: Store, batch: str) -> Iterable[tuple[str, str, Tree]]:
    """(label, session, tree) of the finished searches of a batch."""
    for problem in store.batches.problems(batch):
        if problem.status == "done" and problem.session is not None:
            yield problem.label, problem.session, Tree.fold(store.log(problem.session))


def write_examples(path: Path, examples: Sequence[Example]) -> None:
    """One JSON object a line; the file is there whole or as it was before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    with draft.open("wb") as file:
        for example in examples:
            fields = {"kind": type(example).__name__, **msgspec.structs.asdict(example)}
            file.write(msgspec.json.encode(fields) + b"\n")
    draft.replace(path)


def read_examples(path: Path) -> list[Example]:
    """The examples of a file; none if there is no file."""
    if not path.exists():
        return []
    found = []
    for line in path.read_bytes().splitlines():
        fields = msgspec.json.decode(line)
        found.append(msgspec.convert(fields, _KINDS[fields.pop("kind")]))
    return found


def sources(examples: Iterable[Example]) -> dict[str, int]:
    """How many examples came from each session."""
    counted: dict[str, int] = {}
    for example in examples:
        if example.source is not None:
            counted[example.source.session] = counted.get(example.source.session, 0) + 1
    return counted
