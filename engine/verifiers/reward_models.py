"""Verifiers that read process or outcome reward models."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from engine.errors import TaskError
from engine.models.base import NO_USAGE, PrefixRequest, ProcessRewardModel, Valuation
from engine.verifiers.traces import Trace
from engine.verifiers.verifying import Group, Scored, Verifier, aggregate


class StepValues(Verifier):
    """A process reward model's values after all steps, made into one value.

    All steps of a solution, and of solutions that begin alike, are read in one forward.

    Args:
        how: see `engine.verifiers.verifying.AGGREGATES`.
        prm: the model; None takes the values that the traces bring.
    """

    def __init__(self, how: str, prm: ProcessRewardModel | None = None) -> None:
        self.how = how
        self.prm = prm

    def score(self, groups: Sequence[Group]) -> list[Scored]:
        """See `Verifier`.

        Raises:
            TaskError: there is no model, and a trace brings no values.
            ModelError: a solution is longer than the model's context.
        """
        if self.prm is None:
            return [Scored(tuple(self._known(trace) for trace in group)) for group in groups]
        asked = [
            PrefixRequest(trace.question, trace.steps[:k], date=trace.date)
            for group in groups
            for trace in group
            for k in range(1, len(trace.steps) + 1)
        ]
        replies = iter(self.prm.score(asked))
        return [self._read(group, replies) for group in groups]

    def _known(self, trace: Trace) -> float:
        if trace.values is None:
            raise TaskError(
                "A solution has no values of its steps: name a process reward model to read them."
            )
        return aggregate(trace.values, self.how)

    def _read(self, group: Group, replies: Iterator[Valuation]) -> Scored:
        scores, usage = [], NO_USAGE
        for trace in group:
            found = list(islice(replies, len(trace.steps)))
            scores.append(aggregate([one.value for one in found], self.how))
            usage = sum((one.usage for one in found), usage)
        return Scored(tuple(scores), usage)


class FinalValue(Verifier):
    """One value at the end of a solution.

    Args:
        model: of values, or an outcome reward model: any format that a process reward model can
            have, as what it says of a solution's end.
        whole: the solution goes in as one step, as an outcome reward model was trained on it;
            otherwise by its steps, as a value model.
    """

    def __init__(self, model: ProcessRewardModel, whole: bool) -> None:
        self.model = model
        self.whole = whole

    def score(self, groups: Sequence[Group]) -> list[Scored]:
        """See `Verifier`.

        Raises:
            ModelError: a solution is longer than the model's context.
        """
        asked = [self._request(trace) for group in groups for trace in group]
        replies = iter(self.model.score(asked))
        found = []
        for group in groups:
            own = list(islice(replies, len(group)))
            usage = sum((one.usage for one in own), NO_USAGE)
            found.append(Scored(tuple(one.value for one in own), usage))
        return found

    def _request(self, trace: Trace) -> PrefixRequest:
        whole = self.whole and trace.steps
        steps = ("".join(trace.steps),) if whole else trace.steps
        return PrefixRequest(trace.question, steps, date=trace.date)


Text = tuple[str, tuple[str, ...], str]
"""See `Trace.text`."""


class Known(Verifier):
    """Scores that a model has given before.

    Args:
        scores: of solutions by their text.
    """

    def __init__(self, scores: Mapping[Text, float]) -> None:
        self.scores = scores

    def knows(self, groups: Sequence[Group]) -> bool:
        """Whether all solutions have a score."""
        return all(trace.text in self.scores for group in groups for trace in group)

    def score(self, groups: Sequence[Group]) -> list[Scored]:
        """See `Verifier`; only where it `knows` them all."""
        return [Scored(tuple(self.scores[trace.text] for trace in group)) for group in groups]
