"""The verifiers that can be chosen by name."""

from collections.abc import Callable

import msgspec

from engine.errors import ParameterError
from engine.models.base import ProcessRewardModel
from engine.verifiers.judges import JUDGE, SELF_REWARD, YES_NO, Judge, Marker
from engine.verifiers.reward_models import FinalValue, StepValues
from engine.verifiers.verifying import Oracle, SelfConsistency, Verifier, Voting

VOTES = "+sc"
"""After a name: the solutions vote with the scores as weights."""

_WORDS = {
    "prm": "a process reward model",
    "orm": "an outcome reward model",
    "value": "a value model of its own (that of the process reward model is prm-last)",
    "marker": "a language model to ask",
    "own": "a policy that can be asked about its own solutions",
}


class Models(msgspec.Struct, frozen=True):
    """What verifiers may read; None where it is not there.

    Attributes:
        prm: values after steps; without one the values that solutions bring are taken.
        orm: outcome reward model.
        value: value model other than the process reward model.
        marker: language model that is asked.
        own: the policy whose solutions they are, as one that is asked.
    """

    prm: ProcessRewardModel | None = None
    orm: ProcessRewardModel | None = None
    value: ProcessRewardModel | None = None
    marker: Marker | None = None
    own: Marker | None = None


class Kind(msgspec.Struct, frozen=True):
    """A verifier by name.

    Attributes:
        name, title, summary: for commands, headings and one line of help.
        needs: the field of `Models` that it reads, "" for none.
        make: the verifier of the models.
        votes: whether it can be had with votes, too.
    """

    name: str
    title: str
    summary: str
    needs: str
    make: Callable[[Models], Verifier]
    votes: bool = True


def _steps(how: str, summary: str) -> Kind:
    return Kind(f"prm-{how}", f"PRM, {how}", summary, "", lambda m: StepValues(how, m.prm))


def _judge(name: str, title: str, summary: str) -> Kind:
    question = {"yes-no": YES_NO, "judge": JUDGE, "self-reward": SELF_REWARD}[name]
    needs = "own" if name == "self-reward" else "marker"

    def make(models: Models) -> Verifier:
        return Judge(getattr(models, needs), question)

    return Kind(name, title, summary, needs, make)


def _final(name: str, title: str, summary: str, needs: str, whole: bool) -> Kind:
    def make(models: Models) -> Verifier:
        model = getattr(models, needs)
        return FinalValue(model, whole)

    return Kind(name, title, summary, needs, make)


VERIFIERS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "oracle",
            "Oracle",
            "Knows the right answer: the most that any verifier can reach.",
            "",
            lambda _: Oracle(),
            votes=False,
        ),
        Kind(
            "self-consistency",
            "Self-consistency",
            "The answer that most solutions give.",
            "",
            lambda _: SelfConsistency(),
            votes=False,
        ),
        _final("value", "Value model", "A value model's value at the end.", "value", False),
        _final("orm", "ORM", "An outcome reward model on the whole solution.", "orm", True),
        _steps("last", "The process reward model's value after the last step."),
        _steps("min", "The smallest of the values after the steps."),
        _steps("product", "The product of the values after the steps."),
        _steps("mean", "The mean of the values after the steps."),
        _judge(
            "yes-no", "ORM, yes or no", "P(Yes) of a language model asked if the answer is right."
        ),
        _judge("judge", "LLM as judge", "A mark from 0 to 5 by a language model."),
        _judge("self-reward", "Self-rewarding", "The policy's points for its own solution."),
    )
}


def make_verifier(name: str, models: Models) -> Verifier:
    """The verifier of a name; with `VOTES` after it, its votes.

    Raises:
        ParameterError: there is none, it has no votes, or its model is not there.
    """
    plain = name.removesuffix(VOTES)
    kind = VERIFIERS.get(plain)
    if kind is None:
        raise ParameterError(
            f"There is no verifier {name[:60]!r}: there are {', '.join(VERIFIERS)}, most of them "
            f"with {VOTES!r} after the name, too."
        )
    if kind.needs and getattr(models, kind.needs) is None:
        raise ParameterError(
            f"The verifier {plain} needs {_WORDS[kind.needs]}, and none is loaded: name one."
        )
    made = kind.make(models)
    if plain == name:
        return made
    if not kind.votes:
        raise ParameterError(f"The verifier {plain} has no votes of its own: leave out {VOTES!r}.")
    return Voting(made)
