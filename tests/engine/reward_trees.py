"""Trees for the tests of rewards: written as an indented outline, or drawn at random."""

from hypothesis import strategies as st

from engine import events as ev
from engine.rewards.preview import PersonsVerdict
from engine.search.driver import create
from engine.tree import Tree

GOLD = "yes"


class Outline:
    """A tree by hand: `add` makes a child, `finish` a leaf with an answer."""

    def __init__(self, **params: object) -> None:
        first = create("What?", GOLD, "mcts_star", params, 0, "policy", "prm")
        self.tree = Tree.fold([first])

    def add(self, parent: int, word: str = "") -> int:
        """A new child; its id. Its step is the word, else one of its own."""
        new = len(self.tree.nodes)
        children = [ev.NewNode(new, f"{word or f'step {new}'}\n")]
        self.tree.apply(ev.Expanded(parent, "expanded", children, []))
        return new

    def chain(self, parent: int, steps: int) -> list[int]:
        """New nodes, one below the other; their ids."""
        made = []
        for _ in range(steps):
            parent = self.add(parent)
            made.append(parent)
        return made

    def finish(self, node: int, correct: bool | None, answer: str | None = GOLD) -> None:
        """Say that a leaf is finished and what was found there."""
        self.tree.apply(ev.Judged(node, "end", "text"))
        self.tree.apply(ev.Answered(node, answer, correct))


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Up to 25 nodes, some with the same steps; leaves are right, wrong, without answer, not judged
    or unfinished.
    """
    outline = Outline()
    words = st.sampled_from(["", "", "one", "two"])
    for _ in range(draw(st.integers(0, 24))):
        outline.add(draw(st.integers(0, len(outline.tree.nodes) - 1)), draw(words))
    for node in outline.tree.nodes:
        if node.children:
            continue
        match draw(st.sampled_from(["right", "wrong", "answerless", "ungraded", "unfinished"])):
            case "right":
                outline.finish(node.id, True)
            case "wrong":
                outline.finish(node.id, False, "no")
            case "answerless":
                outline.finish(node.id, False, None)
            case "ungraded":
                outline.finish(node.id, None, "who knows")
    return outline.tree


@st.composite
def verdicts(draw: st.DrawFn, tree: Tree) -> list[PersonsVerdict]:
    """Up to six verdicts of a person that fit a tree."""
    found: list[PersonsVerdict] = []
    answered = [node.id for node in tree.nodes if node.answered]
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(["mark", "value", "grade"]))
        if kind == "grade" and answered:
            leaf = draw(st.sampled_from(answered))
            found.append(ev.Regraded(leaf, draw(st.none() | st.booleans())))
        elif len(tree.nodes) > 1 and kind != "grade":
            node = draw(st.integers(1, len(tree.nodes) - 1))
            if kind == "mark":
                mark = draw(st.sampled_from(["", "right", "wrong", "unclear"]))
                found.append(ev.Marked(node, mark, draw(st.text(max_size=5))))
            else:
                found.append(ev.Overruled(node, draw(st.none() | st.floats(0, 1))))
    return found
