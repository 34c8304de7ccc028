"""The algorithms that can be chosen by name, with their parameters."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from engine.errors import ParameterError
from engine.events import StopReason
from engine.search import beam, mcts_star, sampling
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
        reopened: exhausted nodes below which these parameters leave something to do.
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
            beam.groups,
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


def parameters(name: str) -> list[ParameterInfo]:
    """The parameters of an algorithm; raises ParameterError for an unknown one."""
    return describe(algorithm(name).params)


def validate(name: str, values: Mapping[str, object]) -> Parameters:
    """Validated parameters of an algorithm.

    Raises:
        ParameterError: an unknown algorithm or parameter, or a value out of range.
    """
    return parse(algorithm(name).params, values)
