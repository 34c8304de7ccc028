"""The algorithms that can be chosen by name, with their parameters."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from engine.errors import ParameterError
from engine.events import StopReason
from engine.sandbox.runner import in_words
from engine.search import (
    beam,
    chains,
    dvts,
    lookahead,
    mcts_star,
    puct,
    rebase,
    rstar_math,
    sampling,
    tree_of_thoughts,
    uct,
)
from engine.search.answers import AnswerGroup
from engine.search.parameters import ParameterInfo, Parameters, describe, parse
from engine.search.requests import Script
from engine.tree import Tree


class Algorithm(msgspec.Struct, frozen=True):
    """A search algorithm.

    Attributes:
        name, title, summary: for commands, headings and one line of help.
        params: its typed parameters.
        iterate: one iteration as a script of requests and events.
        stopped: why it has nothing more to do, "" if it has.
        conclude: choose the answer after a run of iterations.
        end_leaves: ids of the finished solutions, depth-first.
        groups: the answers found so far, the one that wins the vote first.
        selects: the path that the next iteration would select, None where V does not choose one.
        reopened: exhausted nodes below which something is left to do after all.
        version: of what it does; another one searches another way from the same seed.
        asks_oracle: whether a search by these parameters is told what is right while it goes on.
    """

    name: str
    title: str
    summary: str
    params: type[Parameters]
    iterate: Callable[[Tree, Any], Script]
    stopped: Callable[[Tree, Any], StopReason]
    conclude: Callable[[Tree, Any, StopReason], Script]
    end_leaves: Callable[[Tree, Any], list[int]]
    groups: Callable[[Tree, Any], list[AnswerGroup]]
    reopened: Callable[[Tree, Any], list[int]] = lambda tree, params: []
    selects: Callable[[Tree, Any], list[int]] | None = None
    asks_oracle: Callable[[Any], bool] = lambda params: False
    version: int = 1


ALGORITHMS: dict[str, Algorithm] = {
    algorithm.name: algorithm
    for algorithm in (
        Algorithm(
            "mcts_star",
            "MCTS*",
            "Tree search guided by the process reward model (ReST-MCTS*).",
            mcts_star.MctsStarParams,
            mcts_star.iterate,
            mcts_star.stopped,
            mcts_star.conclude,
            mcts_star.end_leaves,
            mcts_star.groups,
            mcts_star.reopened,
            mcts_star.selects,
        ),
        Algorithm(
            "sampling",
            "Sampling",
            "Independent solutions: chain of thought, self-consistency, best-of-N.",
            sampling.SamplingParams,
            sampling.iterate,
            sampling.stopped,
            sampling.conclude,
            sampling.end_leaves,
            sampling.groups,
        ),
        Algorithm(
            "beam",
            "Step beam",
            "Keeps the best partial solutions of each length.",
            beam.BeamParams,
            beam.iterate,
            beam.stopped,
            beam.conclude,
            beam.end_leaves,
            chains.groups,
            version=3,
        ),
        Algorithm(
            "tree_of_thoughts",
            "Tree of Thoughts",
            "Breadth-first or depth-first over states valued by the PRM (ToT).",
            tree_of_thoughts.TreeOfThoughtsParams,
            tree_of_thoughts.iterate,
            tree_of_thoughts.stopped,
            tree_of_thoughts.conclude,
            tree_of_thoughts.end_leaves,
            tree_of_thoughts.groups,
            version=3,
        ),
        Algorithm(
            "lookahead",
            "Lookahead",
            "A beam whose candidates are valued by where a greedy roll-out leads.",
            lookahead.LookaheadParams,
            lookahead.iterate,
            lookahead.stopped,
            lookahead.conclude,
            lookahead.end_leaves,
            chains.groups,
            version=3,
        ),
        Algorithm(
            "dvts",
            "DVTS",
            "Independent subtrees, each keeping its best candidate at every step.",
            dvts.DvtsParams,
            dvts.iterate,
            dvts.stopped,
            dvts.conclude,
            dvts.end_leaves,
            chains.groups,
        ),
        Algorithm(
            "rebase",
            "REBASE",
            "Places shared out among partial solutions by their values.",
            rebase.RebaseParams,
            rebase.iterate,
            rebase.stopped,
            rebase.conclude,
            rebase.end_leaves,
            chains.groups,
            version=2,
        ),
        Algorithm(
            "puct",
            "PUCT",
            "Tree search with the policy's probabilities as prior, valued by the PRM.",
            puct.PuctParams,
            puct.iterate,
            puct.stopped,
            puct.conclude,
            puct.end_leaves,
            chains.groups,
            selects=puct.selects,
        ),
        Algorithm(
            "rstar_math",
            "rStar-Math",
            "Roll-outs through steps with code; Q counts the right ends (rStar-Math).",
            rstar_math.RStarMathParams,
            rstar_math.iterate,
            rstar_math.stopped,
            rstar_math.conclude,
            rstar_math.end_leaves,
            chains.groups,
            asks_oracle=rstar_math.asks_oracle,
            version=3,
        ),
        Algorithm(
            "uct",
            "UCT with roll-outs",
            "Step by step, roll-outs scored by the oracle (MCTS process supervision).",
            uct.UctParams,
            uct.iterate,
            uct.stopped,
            uct.conclude,
            uct.end_leaves,
            chains.groups,
            selects=uct.selects,
            asks_oracle=lambda params: True,
            version=3,
        ),
    )
}


def algorithm(name: str) -> Algorithm:
    """The algorithm of this name.

    Raises:
        ParameterError: there is none.
    """
    if name not in ALGORITHMS:
        raise ParameterError(f"There is no algorithm {name!r}. Known are: {', '.join(ALGORITHMS)}.")
    return ALGORITHMS[name]


def params_of(tree: Tree) -> Parameters:
    """The parameters that a tree is searched with.

    Raises:
        ParameterError: an unknown algorithm or parameter, or a value out of range.
    """
    values = {name: value for name, value in tree.params.items() if name != "sampling"}
    return validate(tree.algorithm, values)


def stop_reason(tree: Tree, params: Parameters) -> StopReason:
    """Why a search has nothing more to do, "" if it has.

    Without a finished solution it is not what the algorithm calls its end, but that nothing usable
    came, or that no solution came to its end.
    """
    reason = algorithm(tree.algorithm).stopped(tree, params)
    if reason not in ("complete", "exhausted"):
        return reason
    ends = [tree.node(end) for end in tree.ends]
    if any(end.verdict_source not in ("dead_end", "depth") for end in ends):
        return reason
    return "unusable" if any(end.id in tree.blocked for end in ends) else "unfinished"


def parameters(name: str) -> list[ParameterInfo]:
    """The parameters of an algorithm; of one that runs code, what this machine offers for that.

    Raises:
        ParameterError: there is no such algorithm.
    """
    infos = describe(algorithm(name).params)
    return [
        msgspec.structs.replace(info, help=f"{info.help} {in_words()}")
        if info.name == "run_code"
        else info
        for info in infos
    ]


def validate(name: str, values: Mapping[str, object]) -> Parameters:
    """Validated parameters of an algorithm.

    Raises:
        ParameterError: an unknown algorithm or parameter, or a value out of range.
    """
    return parse(algorithm(name).params, values)
