"""How likely the bundled policy finds steps, against a plain forward of the model."""

from pathlib import Path

import pytest
import torch

from engine.models.base import PrefixRequest, ProposalRequest, Sampling
from engine.models.likelihood import likelihoods
from engine.models.loading import ModelSpec
from engine.models.pool import ModelPool
from engine.models.transformers_policy import TransformersPolicy, load_policy
from engine.tasks.problems import bundled_problems
from tests.engine.worlds import World

MODEL = Path(__file__).resolve().parents[3] / "assets" / "models" / "tiny-policy"


@pytest.fixture(scope="module")
def policy() -> TransformersPolicy:
    spec = ModelSpec.model_validate({"path": str(MODEL), "quant": "none", "dtype": "fp32"})
    return load_policy(spec, ModelPool())


def sampled(policy: TransformersPolicy, question: str) -> list[tuple[ProposalRequest, str, float]]:
    """Steps of two levels: their requests, texts and log-probabilities as they were sampled."""
    made: list[tuple[ProposalRequest, str, float]] = []
    steps: tuple[str, ...] = ()
    for _ in range(2):
        requests = [
            ProposalRequest(question, steps, 1, slot, 0, Sampling(temperature=0.7))
            for slot in range(3)
        ]
        for request, reply in zip(requests, policy.propose(requests), strict=True):
            spelt = policy.prompter.text(reply.tokens, policy.prompter.proposal(question, steps))
            if reply.step and spelt == reply.step:
                made.append((request, reply.step, sum(reply.logprobs)))
        steps = (*steps, made[-1][1])
    return made


def plain(policy: TransformersPolicy, question: str, steps: tuple[str, ...]) -> float:
    """The same by one forward of the whole text."""
    before = len(policy.prompter.proposal(question, steps[:-1]))
    text = policy.prompter.proposal(question, steps)
    with policy.handle.using() as model, torch.no_grad():
        logits = model(input_ids=torch.tensor([text])).logits[0].double().log_softmax(-1)
    return float(sum(logits[k - 1, text[k]] for k in range(before, len(text))))


def test_the_same_as_sampled_and_as_a_plain_forward(policy: TransformersPolicy) -> None:
    question = bundled_problems("stories-heldout")[0].content
    made = sampled(policy, question)
    assert len(made) >= 4
    requests = [PrefixRequest(question, (*one.steps, step)) for one, step, _ in made]
    found = likelihoods(policy, requests)
    assert found is not None
    for request, (_, _, logprob), one in zip(requests, made, found, strict=True):
        assert one.logprob == pytest.approx(plain(policy, question, request.steps), abs=1e-4)
        assert one.logprob == pytest.approx(logprob, abs=1e-3)
        assert one.tokens > 0
    # A step that it would hardly write is told from one that it wrote.
    strange = likelihoods(policy, [PrefixRequest(question, ("purple purple purple\n",))])
    assert strange is not None
    assert strange[0].logprob < min(one.logprob for one in found) - 5


def test_a_policy_without_weights_cannot_be_asked() -> None:
    assert likelihoods(World(), [PrefixRequest("What?", ("step\n",))]) is None
