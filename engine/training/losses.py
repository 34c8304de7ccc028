"""What is made small, as pure functions of tensors. B texts of T tokens, vocabulary V.

`logits[:, t]` predicts token t + 1, as models give them; masks name the tokens that are predicted.
All sums are in fp32.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def token_logprobs(logits: "Tensor", tokens: "Tensor") -> "Tensor":
    """[B, T - 1] log-probability of tokens 1.. after those before them.

    Args:
        logits: [B, T, V].
        tokens: [B, T] int64.
    """
    chosen = logits[:, :-1].float()
    picked = chosen.gather(2, tokens[:, 1:, None])[..., 0]
    return picked - chosen.logsumexp(dim=-1)


def imitation(logprobs: "Tensor", mask: "Tensor", weights: "Tensor") -> "Tensor":
    """Mean negative log-likelihood of the learnt tokens, each text's scaled by its weight.

    The loss of supervised fine-tuning: with weights of 1 the mean over all learnt tokens.

    Args:
        logprobs: [B, T - 1], of `token_logprobs`.
        mask: [B, T] bool, tokens to learn.
        weights: [B].
    """
    learnt = mask[:, 1:].float()
    return -(logprobs * learnt * weights[:, None]).sum() / learnt.sum().clamp(min=1)


def divergence(logits: "Tensor", reference: "Tensor", mask: "Tensor") -> "Tensor":
    """Mean KL(policy || reference) over the places that predict learnt tokens, in nats.

    Args:
        logits: [B, T, V] of the policy.
        reference: [B, T, V] of the model that it is to stay near to.
        mask: [B, T] bool, tokens to learn.
    """
    now, then = (one[:, :-1].float().log_softmax(dim=-1) for one in (logits, reference))
    each = (now.exp() * (now - then)).sum(dim=-1)
    learnt = mask[:, 1:].float()
    return (each * learnt).sum() / learnt.sum().clamp(min=1)


def squared_error(values: "Tensor", targets: "Tensor") -> "Tensor":
    """Mean squared error of values in [0, 1] [N] (Eq. 4 of ReST-MCTS*)."""
    return (values - targets).square().mean()


def cross_entropy(values: "Tensor", targets: "Tensor") -> "Tensor":
    """Mean binary cross-entropy of values in (0, 1) [N] against targets in [0, 1].

    For hard labels the loss of Math-Shepherd; for soft ones it has the same minimum as the squared
    error and a gradient that does not vanish where a value is badly wrong.
    """
    from torch.nn.functional import binary_cross_entropy

    return binary_cross_entropy(values.clamp(1e-6, 1 - 1e-6), targets)


def ranking(better: "Tensor", worse: "Tensor", weights: "Tensor") -> "Tensor":
    """Mean of -log sigmoid(better - worse) over pairs of scores [N] before the sigmoid.

    The loss of rStar-Math's process preference model (after Bradley and Terry).
    """
    from torch.nn.functional import logsigmoid

    return -(logsigmoid(better - worse) * weights).sum() / weights.sum().clamp(min=1e-6)
