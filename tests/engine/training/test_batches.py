"""From examples to tokens: what is learnt, where values are read, and in which order."""

from collections import Counter

import pytest

from engine.errors import TrainingError
from engine.models.transformers_policy import TransformersPolicy
from engine.models.transformers_prm import TransformersPRM
from engine.training.batches import Encoder, Text, collate, plan
from engine.training.examples import Pair, Solution, Valued
from engine.training.learner import Schedule

QUESTION = "Mia has 4 cars. She buys 3 more. How many cars does Mia have now?"
STEPS = ("2. She buys 3 more: 4 + 3 = 7\n", "Answer: 7\n")


def encoder(policy: TransformersPolicy, context: int = 1024) -> Encoder:
    return Encoder(policy.prompter, policy.end_tokens[0], context)


def words(policy: TransformersPolicy, tokens: tuple[int, ...]) -> str:
    return policy.prompter.text(tokens)


def test_a_policy_learns_the_solution_and_its_end(policy: TransformersPolicy) -> None:
    text = encoder(policy).solution(Solution(QUESTION, STEPS))
    assert text is not None
    assert words(policy, text.tokens[text.learnt :]) == "".join(STEPS) + "<eos>"
    assert text.tokens[:-1] == policy.prompter.proposal(QUESTION, STEPS)


def test_given_steps_and_a_missing_end_are_not_learnt(policy: TransformersPolicy) -> None:
    text = encoder(policy).solution(Solution(QUESTION, STEPS, finished=False, given=1))
    assert text is not None
    assert words(policy, text.tokens[text.learnt :]) == STEPS[1]


def test_a_pair_learns_what_comes_after_the_common_steps(policy: TransformersPolicy) -> None:
    pair = Pair(QUESTION, STEPS[:1], STEPS[1:], ("Answer: 8\n",))
    both = encoder(policy).pair(pair)
    assert both is not None
    learnt = [words(policy, text.tokens[text.learnt :]) for text in both]
    assert learnt == ["Answer: 7\n", "Answer: 8\n"]
    ended = encoder(policy).pair(Pair(QUESTION, (), STEPS, STEPS[:1], finished=True))
    assert ended is not None
    assert all(words(policy, text.tokens).endswith("\n<eos>") for text in ended)
    assert all(words(policy, text.tokens[: text.places[0] + 1])[-1] == "\n" for text in ended)


def test_values_are_read_at_the_ends_of_steps(prm: TransformersPRM) -> None:
    found = Encoder(prm.prompter, None, 1024).valued(Valued(QUESTION, STEPS, (0.5, 1.0)))
    assert len(found) == 1
    text = found[0]
    for place, count in zip(text.places, (1, 2), strict=True):
        assert text.tokens[: place + 1] == prm.prompter.value(QUESTION, STEPS[:count])
    assert text.targets == (0.5, 1.0)


def test_what_is_longer_than_the_context_is_counted(policy: TransformersPolicy) -> None:
    size = len(policy.prompter.proposal(QUESTION, STEPS))
    examples = [
        Solution(QUESTION, STEPS),
        Valued(QUESTION, STEPS, (0.5, 1.0)),
        Pair(QUESTION, (), STEPS[:1], STEPS, finished=True),
    ]
    for context, groups, left_out in ((size + 1, 3, 0), (size, 1, 2), (size - 1, 1, 3), (5, 0, 3)):
        found, missing = encoder(policy, context).encode(examples)
        assert (len(found), missing) == (groups, left_out)
        assert all(len(text.tokens) <= context for group in found for text in group)


def test_a_batch_is_padded_on_the_right() -> None:
    long = Text((5, 6, 7), learnt=1, weight=0.5, places=(0, 2), targets=(0.25, 0.75))
    batch = collate([(long,), (Text((8,), places=(0,), targets=(1.0,)),)])
    assert batch["tokens"].tolist() == [[5, 6, 7], [8, 0, 0]]
    assert batch["attention"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["learnt"].tolist() == [[False, True, True], [True, False, False]]
    assert batch["weights"].tolist() == [0.5, 1.0]
    assert batch["rows"].tolist() == [0, 0, 1]
    assert batch["places"].tolist() == [0, 2, 0]
    assert batch["targets"].tolist() == [0.25, 0.75, 1.0]


def test_a_batch_of_nothing_is_refused() -> None:
    with pytest.raises(TrainingError, match="nothing to train on"):
        collate([])


def test_every_example_comes_once_before_any_comes_again() -> None:
    lengths = [3 * k % 50 + 1 for k in range(100)]
    batches = plan(lengths, updates=20, batch=10, seed=0)
    assert [len(batch) for batch in batches] == [10] * 20
    assert set(Counter(place for batch in batches for place in batch).values()) == {2}
    assert batches == plan(lengths, 20, 10, 0)
    assert batches != plan(lengths, 20, 10, 1)
    padded = sum(10 * max(lengths[k] for k in batch) for batch in batches)
    assert padded < 1.15 * 2 * sum(lengths)


def test_few_examples_make_small_batches() -> None:
    schedule = Schedule(batch=16, epochs=2, most_steps=100)
    assert (schedule.batch_of(5), schedule.updates(5)) == (5, 2)
    assert (schedule.batch_of(800), schedule.updates(800)) == (16, 100)
    assert schedule.updates(8000) == 100
