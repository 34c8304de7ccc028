"""A search that a person steers: whatever can be done to it, in any order."""

from hypothesis import strategies as st

from engine import events as ev
from engine.errors import LabError
from engine.history import end_before, items
from engine.search import acts
from engine.search.acts import Act
from engine.search.archive import MemoryArchive
from engine.search.driver import Driver, Limits, Search
from engine.tree import Tree
from tests.engine.worlds import World, grade, new_search

MOVES = st.sampled_from(
    [
        *["iterate"] * 5,
        *["phase"] * 3,
        *["overrule", "take back", "prune", "restore", "write", "expand", "roll out", "keep"],
        *["parameters", "say", "go back", "kill"],
    ]
)


class Player:
    """A search with all that is kept of it; `search.log` is what would be on disk."""

    def __init__(self, search: Search | None = None) -> None:
        self.search = search or new_search()
        self.world = World()
        self.archive = MemoryArchive()
        self.driver = self._driver()

    @property
    def log(self) -> list[ev.Event]:
        return self.search.log

    def tree(self) -> Tree:
        """What is on disk, folded."""
        return Tree.fold(self.log)

    def run(self, **limits: int) -> None:
        self.driver.start(self.search, Limits(**limits), lambda _, events: None)
        self.finish()

    def finish(self) -> None:
        while self.driver.active:
            for failure in self.driver.tick():
                raise failure.error

    def act(self, act: Act) -> list[ev.Event]:
        """Do something; the events that it made."""
        before = len(self.log)
        self.driver.act(self.search, act, lambda _, events: None)
        self.finish()
        return self.log[before:]

    def say(self, event: ev.Event) -> None:
        """Something that is written at once, also in the midst of an iteration."""
        self.search.tree.apply(event)
        self.search.log.append(event)

    def go_back(self, to: int) -> None:
        self.restart([*self.log, ev.Rewound(to)])

    def restart(self, log: list[ev.Event] | None = None) -> None:
        """In a new process, which knows what was kept."""
        self.search, self.driver = Search(log or self.log, grade), self._driver()

    def _driver(self) -> Driver:
        return Driver(self.world, self.world, self.archive, clock=lambda: 0.0)

    def move(self, kind: str, data: st.DataObject) -> None:
        """One thing drawn; what does not fit is refused, and changes nothing."""
        if kind == "iterate":
            self.run(iterations=data.draw(st.integers(1, 3)))
        elif kind == "phase":
            self.run(phases=data.draw(st.integers(1, 4)))
        elif kind == "go back":
            place = data.draw(st.integers(1, len(self.log)))
            self.go_back(end_before(self.log, place))
        elif kind == "kill":
            self.restart()
        elif kind == "say":
            self.say(data.draw(_said(len(self.tree().nodes))))
        else:
            act = data.draw(_act(kind, self.tree()))
            before = list(self.log)
            try:
                self.act(act)
            except LabError:
                assert self.log == before


@st.composite
def _act(draw: st.DrawFn, kind: str, tree: Tree) -> Act:
    fits = {
        "take back": [node.id for node in tree.nodes if node.overruled is not None],
        "restore": [node.id for node in tree.nodes if node.pruned],
        "keep": [node.id for node in tree.nodes if node.rolled_out],
    }
    node = draw(st.sampled_from(fits.get(kind) or range(len(tree.nodes))))
    match kind:
        case "overrule":
            return acts.overrule(node, draw(st.floats(0, 1)), draw(st.booleans()))
        case "take back":
            return acts.overrule(node, None)
        case "prune" | "restore":
            return acts.prune(node, kind == "prune")
        case "write":
            return acts.write_step(node, draw(st.sampled_from(["mine", "step 0", "Answer: 1"])))
        case "expand":
            return acts.expand(node, draw(st.integers(1, 3)), draw(st.none() | st.floats(0, 2)))
        case "roll out":
            return acts.roll_out(node, draw(st.integers(1, 4)))
        case "keep":
            return acts.keep_rollout(node)
    names = st.sampled_from(["branch", "max_expansions", "roll_forward_steps"])
    return acts.change_parameters({draw(names): draw(st.integers(1, 4))})


def _said(nodes: int) -> st.SearchStrategy[ev.Event]:
    node = st.integers(0, nodes - 1)
    return st.builds(ev.Noted, node | st.none(), st.text(max_size=5)) | st.builds(
        ev.Tagged, node | st.none(), st.lists(st.text(max_size=3), max_size=2)
    )


def undone(log: list[ev.Event]) -> list[int]:
    """The ends of the items that do not count now."""
    return [item.last for item in items(log) if not item.standing]
