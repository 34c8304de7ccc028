"""The methods that can be compared, as data: how each searches within a budget, and how its answer
is read.

Three kinds share work where that is fair. All readings of independent samples (chain of thought
aside) take the same samples of one run, drawn one after the other: those of a smaller budget are
the first ones. A search that goes on for as long as it may is run once, to the largest budget, and
cut for the smaller ones: up to there it is the same search. A search whose width fixes its length
is run anew for every budget, its width such that it is likely to end within it.

Branches and thresholds are those that did best on 100 dev problems of the bundled models
(docs/evaluation.md).
"""

from typing import Any, Literal

import msgspec

from engine.errors import ParameterError
from engine.search.registry import algorithm, validate

Kind = Literal["samples", "anytime", "width"]


class Contender(msgspec.Struct, frozen=True):
    """A method.

    Attributes:
        name, title: for commands and tables.
        kind: see the module.
        algorithm: name.
        params: of the algorithm, the policy's under "sampling".
        width: kind "width": the parameter that grows with the budget.
        price: kind "width": how many solutions one of its width costs for each of its branch.
        reading: kind "samples": which of them answers: majority, best or vote.
        aggregate: kind "samples": how the PRM's values of the steps become one.
        summary: one line of help.
    """

    name: str
    title: str
    kind: Kind
    algorithm: str
    params: dict[str, Any] = {}
    width: str = ""
    price: float = 1.0
    reading: Literal["", "majority", "best", "vote"] = ""
    aggregate: Literal["last", "min", "product", "mean"] = "min"
    summary: str = ""

    @property
    def oracle(self) -> bool:
        """Whether it asks the right answer while it searches: it makes data, and cannot be compared
        with what does not.
        """
        own = {name: value for name, value in self.params.items() if name != "sampling"}
        return algorithm(self.algorithm).asks_oracle(validate(self.algorithm, own))

    def at(self, budget: int, solution: float) -> dict[str, Any]:
        """The parameters for a budget. One that does not hold even a width of 1 narrows the branch.

        Args:
            budget: policy tokens of a problem.
            solution: tokens of a long solution.
        """
        if self.kind != "width":
            return self.params
        branch = int(self.params.get("branch", 1))
        solutions = budget / (max(1.0, solution) * self.price)
        params = {**self.params, self.width: max(1, int(solutions / branch))}
        return {**params, "branch": max(1, min(branch, int(solutions)))} if branch > 1 else params


_SAMPLES: dict[str, Any] = {"samples": 1024, "at_once": 1, "final_choice": "best"}


def _samples(
    name: str,
    title: str,
    summary: str,
    reading: Literal["majority", "best", "vote"],
    aggregate: Literal["last", "min", "product", "mean"] = "min",
) -> Contender:
    return Contender(
        name,
        title,
        "samples",
        "sampling",
        _SAMPLES,
        reading=reading,
        aggregate=aggregate,
        summary=summary,
    )


def _wide(
    name: str, title: str, summary: str, algorithm: str, width: str, price: float, **params: Any
) -> Contender:
    return Contender(name, title, "width", algorithm, params, width, price, summary=summary)


def _anytime(name: str, title: str, summary: str, algorithm: str, **params: Any) -> Contender:
    return Contender(name, title, "anytime", algorithm, params, summary=summary)


CONTENDERS: dict[str, Contender] = {
    one.name: one
    for one in (
        _anytime(
            "cot",
            "Chain of thought",
            "One solution, always the likeliest token; no search, no PRM.",
            "sampling",
            samples=1,
            sampling={"temperature": 0.0},
        ),
        _samples(
            "majority", "Self-consistency", "The most frequent answer of all samples.", "majority"
        ),
        _samples(
            "best_of_n",
            "Best of N, PRM min",
            "The sample whose worst step the PRM values highest.",
            "best",
            "min",
        ),
        _samples(
            "best_of_n_last",
            "Best of N, PRM last",
            "The sample whose last step the PRM values highest.",
            "best",
            "last",
        ),
        _samples(
            "best_of_n_product",
            "Best of N, PRM product",
            "The sample of the highest product of values.",
            "best",
            "product",
        ),
        _samples(
            "best_of_n_mean",
            "Best of N, PRM mean",
            "The sample of the highest mean of values.",
            "best",
            "mean",
        ),
        _samples(
            "vote",
            "PRM-weighted vote, min",
            "Samples vote, each with the value of its worst step.",
            "vote",
            "min",
        ),
        _samples(
            "vote_last",
            "PRM-weighted vote, last",
            "Samples vote, each with the value of its last step.",
            "vote",
            "last",
        ),
        _wide(
            "beam",
            "Step beam",
            "The best partial solutions grow by a step.",
            "beam",
            "width",
            1,
            branch=8,
        ),
        _wide(
            "lookahead",
            "Lookahead, k = 2",
            "A beam that values a step by what two more lead to.",
            "lookahead",
            "width",
            3,
            branch=4,
            steps=2,
        ),
        _wide(
            "dvts",
            "DVTS",
            "Independent subtrees, each keeps its best step.",
            "dvts",
            "subtrees",
            1,
            branch=4,
        ),
        _wide(
            "rebase",
            "REBASE",
            "Places shared out among open nodes by their value.",
            "rebase",
            "width",
            1,
        ),
        _wide(
            "tot_bfs",
            "Tree of Thoughts, BFS",
            "The best states of a depth, level by level.",
            "tree_of_thoughts",
            "width",
            1,
            branch=5,
        ),
        _anytime(
            "tot_dfs",
            "Tree of Thoughts, DFS",
            "The best child first, back below a threshold.",
            "tree_of_thoughts",
            order="dfs",
            branch=3,
        ),
        _anytime(
            "puct", "PUCT", "Tree search with the policy's log-probabilities as prior.", "puct"
        ),
        _anytime(
            "mcts_star",
            "MCTS*",
            "Tree search guided by the PRM, with roll-outs and self-critic.",
            "mcts_star",
        ),
        _anytime(
            "uct_oracle",
            "UCT with the oracle's rewards",
            "Tree search by full roll-outs that the right answer rewards.",
            "uct",
        ),
        _anytime(
            "rstar_math",
            "rStar-Math, PPM-guided",
            "Tree search by roll-outs, Q the mean of what the PRM says of node and ends.",
            "rstar_math",
            branch=4,
        ),
    )
}
USUAL = ("cot", "majority", "best_of_n", "vote", "beam", "tot_bfs", "dvts", "rebase", "mcts_star")
"""What is compared if nobody says otherwise."""


def contender(name: str) -> Contender:
    """The method of this name, with other parameters if it names some: `beam:branch=8`.

    Raises:
        ParameterError: there is none, or it does not take them.
    """
    known, *changes = name.split(":")
    if known not in CONTENDERS:
        raise ParameterError(
            f"There is no method {known!r} to compare: take {', '.join(CONTENDERS)}."
        )
    method = CONTENDERS[known]
    return _changed(method, name, changes) if changes else method


def _changed(method: Contender, name: str, changes: list[str]) -> Contender:
    if method.kind == "samples":
        raise ParameterError(
            f"{method.name} reads the samples that all of its kind share, and takes no parameters "
            f"of its own: not {name!r}."
        )
    params, price = dict(method.params), method.price
    for change in changes:
        key, _, text = change.partition("=")
        value = _value(text)
        if method.kind == "width" and key == "price" and isinstance(value, int | float):
            price = value
        elif key == "sampling":
            raise ParameterError(f"How {method.name} samples is the same for all: leave it out.")
        elif key == method.width:
            raise ParameterError(f"{key} of {method.name} follows from the budget: leave it out.")
        else:
            params[key] = value
    if not price > 0:
        raise ParameterError(f"The price of {method.name} cannot be {price}: it is more than 0.")
    validate(method.algorithm, {key: v for key, v in params.items() if key != "sampling"})
    words = ", ".join(change.replace("=", " ").replace("_", " ") for change in changes)
    title = f"{method.title} ({words})"
    return msgspec.structs.replace(method, name=name, title=title, params=params, price=price)


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text.encode())
    except msgspec.DecodeError:
        return text
