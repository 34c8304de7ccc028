"""What a batch of a recipe makes small: a student's outputs put into the losses."""

from typing import TYPE_CHECKING

from engine.training import losses
from engine.training.student import Student

if TYPE_CHECKING:
    from torch import Tensor


def imitate(student: Student, batch: "dict[str, Tensor]") -> "Tensor":
    """Weighted supervised fine-tuning on solutions."""
    logits = student.logits(batch["tokens"], batch["attention"])
    logprobs = losses.token_logprobs(logits, batch["tokens"])
    return losses.imitation(logprobs, batch["learnt"], batch["weights"])


class ImitateNearby:
    """The same, plus `strength` times the divergence from the base (arXiv 2501.01478)."""

    def __init__(self, strength: float) -> None:
        self.strength = strength

    def __call__(self, student: Student, batch: "dict[str, Tensor]") -> "Tensor":
        reference = student.before(batch["tokens"], batch["attention"])
        logits = student.logits(batch["tokens"], batch["attention"])
        logprobs = losses.token_logprobs(logits, batch["tokens"])
        loss = losses.imitation(logprobs, batch["learnt"], batch["weights"])
        return loss + self.strength * losses.divergence(logits, reference, batch["learnt"])


def _scores(student: Student, batch: "dict[str, Tensor]") -> "Tensor":
    return student.scores(batch["tokens"], batch["attention"], batch["rows"], batch["places"])


def regress(student: Student, batch: "dict[str, Tensor]") -> "Tensor":
    """Squared error of values (ReST-MCTS*)."""
    return losses.squared_error(_scores(student, batch).sigmoid(), batch["targets"])


def classify(student: Student, batch: "dict[str, Tensor]") -> "Tensor":
    """Cross-entropy of values (Math-Shepherd; soft labels too)."""
    return losses.cross_entropy(_scores(student, batch).sigmoid(), batch["targets"])


def rank(student: Student, batch: "dict[str, Tensor]") -> "Tensor":
    """Pairwise ranking: rows come in twos, the better one first (rStar-Math)."""
    scores = _scores(student, batch)
    return losses.ranking(scores[0::2], scores[1::2], batch["weights"][0::2])


class Prefer:
    """Direct preference optimisation (Rafailov et al., 2023): rows come in twos, as for `rank`.

    -log sigmoid(beta ((log p - log p_0)(better) - (log p - log p_0)(worse))), p_0 the base.
    """

    def __init__(self, beta: float) -> None:
        self.beta = beta

    def __call__(self, student: Student, batch: "dict[str, Tensor]") -> "Tensor":
        learnt = batch["learnt"][:, 1:].float()

        def summed(logits: "Tensor") -> "Tensor":
            return (losses.token_logprobs(logits, batch["tokens"]) * learnt).sum(dim=-1)

        before = summed(student.before(batch["tokens"], batch["attention"]))
        gain = self.beta * (summed(student.logits(batch["tokens"], batch["attention"])) - before)
        return losses.ranking(gain[0::2], gain[1::2], batch["weights"][0::2])
