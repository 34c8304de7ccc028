"""What a batch of a recipe makes small: a student's outputs put into the losses.

Logits are computed from the last token before the first learnt one on: they are the largest tensor
of a training step.
"""

from typing import TYPE_CHECKING

from engine.training import losses
from engine.training.student import Student

if TYPE_CHECKING:
    from torch import Tensor


def imitate(student: Student, batch: "dict[str, Tensor]") -> "Tensor":
    """Weighted supervised fine-tuning on solutions."""
    start = _start(batch)
    logits = student.logits(batch["tokens"], batch["attention"], start)
    logprobs = losses.token_logprobs(logits, batch["tokens"][:, start:])
    return losses.imitation(logprobs, batch["learnt"][:, start:], batch["weights"])


def _start(batch: "dict[str, Tensor]") -> int:
    """The first place that predicts a learnt token."""
    learnt = batch["learnt"].any(dim=0).nonzero()
    return max(0, int(learnt[0]) - 1) if len(learnt) else 0


class ImitateNearby:
    """The same, plus `strength` times the divergence from the policy as it was.

    The loss of arXiv 2501.01478.
    """

    def __init__(self, strength: float) -> None:
        self.strength = strength

    def __call__(self, student: Student, batch: "dict[str, Tensor]") -> "Tensor":
        start = _start(batch)
        learnt = batch["learnt"][:, start:]
        reference = student.before(batch["tokens"], batch["attention"], start)
        logits = student.logits(batch["tokens"], batch["attention"], start)
        logprobs = losses.token_logprobs(logits, batch["tokens"][:, start:])
        loss = losses.imitation(logprobs, learnt, batch["weights"])
        return loss + self.strength * losses.divergence(logits, reference, learnt)


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

    -log sigmoid(beta ((log p - log p_0)(better) - (log p - log p_0)(worse))), p_0 the policy as it
    was. TRL's DPOTrainer computes the same number (a test compares them). It is not used here: it
    keeps p_0 as a second adapter on a base that searches share, replaces methods of the model for
    good, and knows neither our order of batches nor how to go on from a checkpoint of an adapter.
    """

    def __init__(self, beta: float) -> None:
        self.beta = beta

    def __call__(self, student: Student, batch: "dict[str, Tensor]") -> "Tensor":
        start = _start(batch)
        tokens, learnt = batch["tokens"][:, start:], batch["learnt"][:, start + 1 :].float()

        def summed(logits: "Tensor") -> "Tensor":
            return (losses.token_logprobs(logits, tokens) * learnt).sum(dim=-1)

        before = summed(student.before(batch["tokens"], batch["attention"], start))
        now = summed(student.logits(batch["tokens"], batch["attention"], start))
        gain = self.beta * (now - before)
        return losses.ranking(gain[0::2], gain[1::2], batch["weights"][0::2])
