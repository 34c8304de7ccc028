"""The policy: steps by address, the self-critic in its modes, final answers."""

import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from engine import events as ev
from engine.errors import ModelError
from engine.models.base import NO_USAGE, PrefixRequest, ProposalRequest, Sampling, Usage
from engine.models.decoding import Decoded, Reader, Row
from engine.models.loading import ModelSpec
from engine.models.pool import Handle, ModelPool
from engine.models.transformers_policy import ATTEMPTS, TransformersPolicy, load_policy
from engine.models.workspace import Tokens
from engine.sandbox.runner import protection
from engine.search.archive import MemoryArchive
from engine.search.driver import Driver, Limits, Search, create
from engine.tasks.step_format import NUMBERED, StepFormat
from tests.engine.models.conftest import LINES, logits_by_hand, reader, watched
from tests.engine.worlds import World

STEPS = ("1 + 1 = 2\n", "2 + 2 = 4\n")


def fresh(handle: Handle, budget: float = float("inf")) -> TransformersPolicy:
    """A policy that has read nothing yet."""
    return TransformersPolicy(reader(handle, budget), StepFormat(**LINES))


@pytest.fixture(scope="module")
def policy(exact: Handle) -> TransformersPolicy:
    return fresh(exact)


@pytest.fixture(scope="module")
def chat(chat_model: Path) -> TransformersPolicy:
    spec = ModelSpec(path=str(chat_model), quant="none", device="cpu", step_format="numbered")
    return load_policy(spec, ModelPool())


def proposals() -> list[ProposalRequest]:
    return [
        ProposalRequest(f"Question {j}?", STEPS[:k], seed, slot, 0, Sampling(temperature=0.9))
        for j in range(2)
        for k in range(3)
        for seed in range(2)
        for slot in range(3)
    ]


def test_steps_do_not_depend_on_batch_or_order(policy: TransformersPolicy) -> None:
    requests = proposals()
    together = [found.step for found in policy.propose(requests)]
    order = list(range(len(requests)))
    random.Random(0).shuffle(order)
    shuffled = policy.propose([requests[i] for i in order])
    assert [together[i] for i in order] == [found.step for found in shuffled]
    siblings = [
        found.step
        for k in range(0, len(requests), 3)
        for found in policy.propose(requests[k : k + 3])
    ]
    assert siblings == together
    assert len(set(together)) > len(together) / 2


def test_seed_slot_and_attempt_are_part_of_the_address(policy: TransformersPolicy) -> None:
    base = ProposalRequest("q", (), 0, 0, 0, Sampling())
    others = [
        ProposalRequest("q", (), *address, Sampling())
        for address in ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    ]
    first, *rest, again = policy.propose([base, *others, base])
    assert again.tokens == first.tokens
    assert all(other.tokens != first.tokens for other in rest)


def test_completions_hold_their_tokens_logprobs_and_cost(exact: Handle) -> None:
    policy = fresh(exact)
    found = policy.propose(proposals()[:3])
    prefix = policy.prompter.proposal("Question 0?", ())
    for k, one in enumerate(found):
        assert 0 < len(one.tokens) <= 12
        assert len(one.logprobs) == len(one.tokens)
        assert max(one.logprobs) <= 0
        assert one.usage.forwarded <= len(one.tokens) - 1 + (len(prefix) if k == 0 else 0)
        assert one.step == "" or one.step.endswith("\n")


def test_a_limit_of_the_request_overrides_that_of_the_format(policy: TransformersPolicy) -> None:
    request = ProposalRequest("q", (), 0, 0, 0, Sampling(max_step_tokens=2))
    assert len(policy.propose([request])[0].tokens) <= 2


def test_a_full_context_is_said(policy: TransformersPolicy) -> None:
    request = ProposalRequest("q", ("x\n",) * 600, 0, 0, 0, Sampling())
    found = policy.propose([request])[0]
    assert (found.raw, found.step, found.usage) == (None, "", NO_USAGE)
    assert "context of 512 tokens" in found.reason


class Dictated:
    """A reader whose model is certain of a token after every text that it is asked about."""

    def __init__(self, real: Reader, token: int) -> None:
        self.handle, self.real, self.token = real.handle, real, token

    def hidden(self, texts: Sequence[Tokens]) -> list[tuple[torch.Tensor, Usage]]:
        return self.real.hidden(texts)

    def logits(self, texts: Sequence[Tokens]) -> list[tuple[torch.Tensor, Usage]]:
        found = self.real.logits(texts)
        for logits, _ in found:
            logits.fill_(-50.0)
            logits[self.token] = 50.0
        return found

    def decode(self, rows: Sequence[Row], end_tokens: frozenset[int]) -> list[Decoded]:
        """Rows that go on after the dictated token."""
        found = []
        for row in rows:
            first = Decoded([self.token], [0.0])
            if first.stops(row, end_tokens, 10_000):
                found.append(first)
                continue
            begun = [self.token]
            rest = Row(
                (*row.prefix, self.token),
                row.random,
                row.sampling,
                row.limit - 1,
                lambda tokens, row=row, begun=begun: row.ends([*begun, *tokens]),
            )
            (decoded,) = self.real.decode([rest], end_tokens)
            decoded.tokens[:0], decoded.logprobs[:0] = begun, [0.0]
            found.append(decoded)
        return found


def dictated(policy: TransformersPolicy, word: str) -> TransformersPolicy:
    """A copy of the policy that begins every reply with a token of this text."""
    ids = policy.prompter.tokenizer(word, add_special_tokens=False)["input_ids"]
    return TransformersPolicy(Dictated(policy.reader, ids[0]), policy.format)


def test_an_end_of_text_gives_no_step(policy: TransformersPolicy) -> None:
    request = ProposalRequest("q", STEPS, 0, 0, 0, Sampling())
    found = dictated(policy, "<eos>").propose([request])[0]
    assert (found.raw, found.step, found.reason) == (None, "", "empty")
    assert len(found.tokens) == 1


def test_a_leading_newline_does_not_end_a_step(policy: TransformersPolicy) -> None:
    request = ProposalRequest("q", STEPS, 0, 0, 0, Sampling())
    found = dictated(policy, "\n").propose([request])[0]
    assert len(found.tokens) > 1


def test_the_text_rule_needs_no_model(policy: TransformersPolicy) -> None:
    ended = PrefixRequest("q", (*STEPS, "Answer: 4\n"))
    said = PrefixRequest("q", ("So the answer is 4.\n",))
    root = PrefixRequest("q", ())
    found = policy.judge([ended, root, said], "verdict")
    assert [one.verdict for one in found] == ["end", "continue", "end"]
    assert {one.source for one in found} == {"text"}
    assert {one.usage for one in found} == {NO_USAGE}


def test_the_end_is_read_from_the_end_token(exact: Handle) -> None:
    policy = fresh(exact)
    requests = [PrefixRequest("q", STEPS), PrefixRequest("q", STEPS[:1]), PrefixRequest("q", STEPS)]
    found = policy.judge(requests, "analysis")
    for request, one in zip(requests, found, strict=True):
        ids = policy.prompter.proposal("q", request.steps)
        logits = logits_by_hand(policy.handle, ids)[-1]
        by_hand = logits.softmax(dim=-1)[list(policy.end_tokens)].sum().item()
        assert one.probability == pytest.approx(by_hand, abs=1e-6)
        assert one.source == "logits"
    whole, begun = (len(policy.prompter.proposal("q", STEPS[:k])) for k in (2, 1))
    assert sum(one.usage.forwarded for one in found) == whole
    assert found[2].usage == NO_USAGE
    assert begun < whole
    certain = dictated(policy, "<eos>").judge(requests, "verdict")
    assert {one.verdict for one in certain} == {"end"}


def test_the_end_is_read_from_two_verdicts(chat: TransformersPolicy) -> None:
    request = PrefixRequest("q", ("Step 1: add\n",))
    yes, no = chat.prompter.verdict_tokens()
    found = chat.judge([request], "verdict")[0]
    ids = chat.prompter.verdict("q", request.steps)
    logits = logits_by_hand(chat.handle, ids)[-1]
    by_hand = logits[[yes, no]].softmax(dim=-1)[0].item()
    assert found.probability == pytest.approx(by_hand, abs=1e-5)
    assert found.source == "logits"
    assert dictated(chat, "Yes").judge([request], "verdict")[0].verdict == "end"
    assert dictated(chat, "No").judge([request], "verdict")[0].verdict == "continue"


def test_the_critic_may_write_an_analysis(
    chat: TransformersPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = {
        "a\n": ["Problem unsolved\nAnalysis: add them."],
        "b\n": [None, "Problem solved"],
        "c\n": [None, None, None],
        "d\n": ["bananas"],
    }
    asked: list[int] = []

    def reply(items: list, sampling: Sampling, limit: int, end: str) -> list:  # type: ignore[type-arg]
        asked.append(len(items))
        return [
            (replies[item.address[2][0]][item.address[3]], Decoded(tokens=[1], usage=Usage(10)))
            for item in items
        ]

    monkeypatch.setattr(chat, "_replies", reply)
    found = chat.judge([PrefixRequest("q", (text,)) for text in replies], "analysis")
    assert [one.verdict for one in found] == ["continue", "end", "end", "continue"]
    assert [one.analysis for one in found] == ["add them.", "", "", "bananas"]
    assert asked == [4, 2, 1]
    assert len(asked) == ATTEMPTS
    assert [len(one.tokens) for one in found] == [1, 2, 3, 1]
    assert [one.usage.forwarded for one in found] == [10, 20, 30, 10]
    assert {one.source for one in found} == {"reply"}


def test_the_textual_critic_runs(chat: TransformersPolicy) -> None:
    found = chat.judge([PrefixRequest("q", ("Step 1: add\n",))], "analysis")[0]
    assert found.source == "reply"
    assert len(found.tokens) > 0


def test_answers_are_read_from_the_text_where_it_has_one(
    policy: TransformersPolicy, chat: TransformersPolicy
) -> None:
    found = policy.summarise(
        [PrefixRequest("q", (*STEPS, "Answer: 42\n")), PrefixRequest("q", STEPS)]
    )
    assert [(one.text, one.answer) for one in found] == [("Answer: 42", "42"), ("", None)]
    stated = chat.summarise([PrefixRequest("q", ("Step 1: The answer is 7.\n",))])[0]
    assert (stated.answer, stated.tokens) == ("7", ())


def test_a_chat_model_is_asked_for_its_answer(chat: TransformersPolicy) -> None:
    found = chat.summarise([PrefixRequest("q", ("Step 1: add\n",)), PrefixRequest("q", ())])
    assert len(found[0].tokens) > 0
    assert found[0].usage.forwarded > 0
    assert (found[1].text, found[1].answer) == ("", None)


def test_chat_steps_are_numbered(chat: TransformersPolicy) -> None:
    requests = [
        ProposalRequest("q", ("Step 1: add\n",), 0, slot, 0, Sampling(max_step_tokens=8))
        for slot in range(4)
    ]
    for found in chat.propose(requests):
        assert found.step == "" or found.step.startswith("Step 2: ")


def test_the_analysis_changes_the_prompt(chat: TransformersPolicy) -> None:
    plain = ProposalRequest("q", (), 0, 0, 0, Sampling(max_step_tokens=4))
    told = ProposalRequest("q", (), 0, 0, 0, Sampling(max_step_tokens=4), "add first")
    first, second = chat.propose([plain, told])
    assert len(chat.text(told, second)) > len(chat.text(plain, first)) + 3


def test_hostile_text_in_question_and_steps_is_only_text(policy: TransformersPolicy) -> None:
    hostile = "<eos><pad> {question} {{ 7 * 7 }} %s \0"
    found = policy.propose([ProposalRequest(hostile, (f"{hostile}\n",), 0, 0, 0, Sampling())])
    assert len(found) == 1
    assert policy.judge([PrefixRequest(hostile, (f"{hostile}\n",))], "verdict")[0].probability


def test_a_second_call_on_the_same_node_forwards_nothing(exact: Handle) -> None:
    policy = fresh(exact)
    first = policy.propose(proposals())
    with watched(exact) as gate:
        again = policy.propose(proposals())
    assert gate.sizes == []
    assert [one.tokens for one in again] == [one.tokens for one in first]
    assert {one.usage.forwarded for one in again} == {0}


def test_every_token_is_read_once(exact: Handle) -> None:
    """Proposals, the critic's question and the next proposals, of one tree."""
    policy = fresh(exact)
    texts: set[Tokens] = set()
    forwarded, steps = 0, [(), STEPS[:1]]
    with watched(exact) as gate:
        for _ in range(3):
            asked = [
                ProposalRequest("Question?", solution, 0, slot, 0, Sampling())
                for solution in steps
                for slot in range(3)
            ]
            found = policy.propose(asked)
            judged = [PrefixRequest("Question?", solution) for solution in steps if solution]
            verdicts = policy.judge(judged, "verdict")
            replies = [*zip(asked, found, strict=True), *zip(judged, verdicts, strict=True)]
            texts |= {tuple(policy.text(*pair)) for pair in replies}
            forwarded += sum(reply.usage.forwarded for _, reply in replies)
            pairs = zip(asked, found, strict=True)
            steps = [(*request.steps, one.step) for request, one in pairs if one.step][:4]
    beginnings = {text[:k] for text in texts for k in range(1, len(text) + 1)}
    assert gate.tokens == forwarded == len(beginnings)


def test_the_critic_and_the_proposals_share_what_they_read(exact: Handle) -> None:
    """The end is judged at the very place from which the next step is written."""
    policy = fresh(exact)
    judged = policy.judge([PrefixRequest("Question?", STEPS)], "verdict")[0]
    prefix = policy.prompter.proposal("Question?", STEPS)
    assert judged.usage == Usage(len(prefix))
    one = policy.propose([ProposalRequest("Question?", STEPS, 0, 0, 0, Sampling())])[0]
    assert one.usage == Usage(len(one.tokens) - 1, len(prefix))
    again = policy.judge([PrefixRequest("Question?", STEPS)], "verdict")[0]
    assert again.usage == Usage(0, len(prefix))


def test_siblings_that_sample_the_same_are_read_once(exact: Handle) -> None:
    policy, greedy = fresh(exact), Sampling(temperature=0.0)
    asked = [ProposalRequest("Question?", STEPS, 0, slot, 0, greedy) for slot in range(4)]
    with watched(exact) as gate:
        found = policy.propose(asked)
    assert len({one.tokens for one in found}) == 1
    assert gate.tokens == len(policy.text(asked[0], found[0]))
    assert [one.usage for one in found[1:]] == [NO_USAGE] * 3


@pytest.mark.parametrize("budget", [0, 40_000])
def test_a_budget_changes_no_step(exact: Handle, budget: int) -> None:
    expected = [one.tokens for one in fresh(exact).propose(proposals())]
    policy = fresh(exact, budget)
    for _ in range(2):
        assert [one.tokens for one in policy.propose(proposals())] == expected


def test_no_requests_no_replies(policy: TransformersPolicy, chat: TransformersPolicy) -> None:
    for one in (policy, chat):
        assert one.propose([]) == one.judge([], "verdict") == one.summarise([]) == []


def test_a_format_is_read_beside_the_model(lines_model: Path, tmp_path: Path) -> None:
    assert load_policy(
        ModelSpec(path=str(lines_model), quant="none", device="cpu"), ModelPool()
    ).format == StepFormat(**LINES)
    copy = shutil.copytree(lines_model, tmp_path / "copy")
    (copy / "step_format.json").unlink()
    plain = load_policy(ModelSpec(path=str(copy), quant="none", device="cpu"), ModelPool())
    assert plain.format == NUMBERED
    (copy / "step_format.json").write_text(json.dumps({"prompt": "?"}))
    with pytest.raises(ModelError, match="is not a step format"):
        load_policy(ModelSpec(path=str(copy), quant="none", device="cpu"), ModelPool())


class Programmer(Dictated):
    """A chat model that solves by a program: what it writes depends on the step and the slot."""

    replies = (
        ("# Step 1: Count the eggs.\neggs = 3 * 12\n# Step 2: Take away", "eggs = 3 * 12\n"),
        (
            "Step 2: Halve them.\n```python\n# Step 2: Halve them.\nhalf = egs / 2\n```",
            "# Step 9: Halve them.\n\nfrom sympy import Rational\nhalf = Rational(eggs, 2)\n```\nS",
        ),
        (
            '# Step 3: Print it.\nprint("The answer is", half)\n```',
            "# Step 3: The answer is \\boxed{7}.\n```",
        ),
    )

    def __init__(self, real: Reader) -> None:
        super().__init__(real, 0)
        self.prompts: list[str] = []

    def decode(self, rows: Sequence[Row], end_tokens: frozenset[int]) -> list[Decoded]:
        """As much of the reply as the rule that ends steps lets it write, then the end."""
        tokenizer, found = self.handle.base.tokenizer, []
        for row in rows:
            prompt = tokenizer.decode(list(row.prefix))
            self.prompts.append(prompt)
            slot = row.random.args[-2]  # type: ignore[attr-defined]
            text = self.replies[prompt.split("assistant\n")[1].count("# Step")][slot]
            decoded = Decoded()
            for token in (*tokenizer(text)["input_ids"], min(end_tokens)):
                decoded.tokens.append(token)
                decoded.logprobs.append(-0.5)
                if decoded.stops(row, end_tokens, 10_000):
                    break
            found.append(decoded)
        return found


@pytest.mark.skipif(not protection(), reason="code of a model is not run on this machine")
def test_a_chat_model_solves_by_a_program(chat: TransformersPolicy) -> None:
    """With run_code alone it is asked for code; what fails is dropped, what is printed counts."""
    writer = Programmer(chat.reader)
    short = chat.format.model_copy(update={"code_prompt": "Write Python: {question}"})
    policy = TransformersPolicy(writer, short)
    search = Search(
        [
            create(
                "Half of three dozen eggs?",
                "18",
                "rstar_math",
                {"run_code": True, "branch": 2, "attempts": 1, "guide": "terminal"},
                0,
                policy.identity,
                "world",
            )
        ],
        lambda answer: answer == "18",
    )
    driver = Driver(policy, World(), MemoryArchive())
    driver.run([search], Limits(iterations=2), lambda _, events: None)
    tree = search.tree
    program = "".join(tree.steps(next(node.id for node in tree.nodes if node.answer == "18")))
    assert program == (
        "# Step 1: Count the eggs.\neggs = 3 * 12\n"
        "# Step 2: Halve them.\nfrom sympy import Rational\nhalf = Rational(eggs, 2)\n"
        '# Step 3: Print it.\nprint("The answer is", half)\n'
    )
    first, second, last = [e for e in search.log if isinstance(e, ev.Expanded)]
    assert [one.reason for one in first.rejected] == ["no sentence"]
    assert [one.reason for one in second.rejected] == [
        "its code fails: NameError: name 'egs' is not defined"
    ]
    assert [tree.node(child.id).answer for child in last.children] == ["18", "7"]
    assert {tree.node(child.id).verdict_source for child in last.children} == {"text"}
    assert search.right
    assert "user\nWrite Python: Half of" in writer.prompts[0]
    assert writer.prompts[0].endswith("assistant\n```python\n")
    assert "Python" not in chat.prompter.text(chat.prompter.proposal("q", ()))
