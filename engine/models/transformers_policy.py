"""A policy on a causal language model: proposes steps, judges the end, states answers.

Everything that a person could disagree with (prompts, step rules, stop text) is in the step format;
sampling and batching are in `engine.models.decoding`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING

from engine.errors import ModelError, TaskError
from engine.events import Verdict
from engine.models.base import (
    ENDED,
    NO_USAGE,
    Asked,
    Completion,
    CriticMode,
    Judgement,
    PrefixRequest,
    ProposalRequest,
    Reply,
    Sampling,
    Summary,
    Valuation,
)
from engine.models.decoding import Decoded, Reader, Row, require_numbers
from engine.models.loading import ModelSpec
from engine.models.pool import Handle, ModelPool
from engine.models.prompting import Prompter, Tokens
from engine.models.reading import open_reader
from engine.randomness import generator
from engine.tasks.critic import read_critic_reply
from engine.tasks.final_answer import extract_answer
from engine.tasks.format_files import FILE_NAME, choose_step_format, load_step_format
from engine.tasks.step_format import StepFormat
from engine.tasks.thoughts import begins_mark, closing_of, is_open

if TYPE_CHECKING:
    from torch import Tensor

ATTEMPTS = 3
"""How often the textual critic is asked before no reply counts as the end, as in the reference."""

ANALYSIS_TOKENS, SUMMARY_TOKENS = 256, 64
_GREEDY = Sampling.model_validate({"temperature": 0.0})
_RETRY = Sampling.model_validate({"temperature": 0.7})


@dataclass(frozen=True)
class _Prompt:
    """One prompt for a short reply, with the address of its random numbers."""

    prefix: Tokens
    address: tuple[object, ...]


@dataclass(frozen=True)
class _Thought:
    """What stands before a first step: its text, marks included, and what was sampled for it."""

    text: str
    decoded: Decoded


class TransformersPolicy:
    """See `engine.models.base.Policy`.

    Args:
        reader: of the model.
        step_format: how it is prompted and read.
        told: whether the format is part of the model's files, and so of its fingerprint.
    """

    def __init__(self, reader: Reader, step_format: StepFormat, told: bool = True) -> None:
        handle = reader.handle
        self._of_format = "" if told else f"+{step_format.digest}"
        self.reader = reader
        self.handle = handle
        self.format = step_format
        self.prompter = Prompter(handle.base.tokenizer, step_format)
        coding = step_format.for_code()
        same = coding is step_format
        self._coding = coding
        self._code_prompter = self.prompter if same else Prompter(handle.base.tokenizer, coding)
        self.end_tokens = _end_tokens(handle)
        self._may_end = cache(self._could_end)
        if step_format.critic == "eos" and not self.end_tokens:
            raise ModelError(
                f"The step format of {handle.base.name} reads the end from the end-of-text token, "
                "but neither its config nor its tokenizer names one."
            )

    @property
    def identity(self) -> str:
        """Name, fingerprint, quantisation, precision, adapter, and the step format."""
        return self.handle.identity + self._of_format

    @property
    def dated(self) -> bool:
        """Whether the chat template writes the day, which is then part of every request."""
        return self.prompter.dated or self._code_prompter.dated

    def _way(self, request: Asked) -> tuple[StepFormat, Prompter]:
        """How a request is prompted and read."""
        asks = isinstance(request, ProposalRequest) and request.code
        reads = isinstance(request, PrefixRequest) and request.printed is not None
        return (
            (self._coding, self._code_prompter) if asks or reads else (self.format, self.prompter)
        )

    def propose(self, requests: Sequence[ProposalRequest]) -> list[Completion]:
        """One completion per request, in order; rows of all requests are decoded together.

        Raises:
            ModelError: a question alone fills the model's context.
        """
        thoughts = self._thoughts(requests)
        rows = [self._proposal_row(*item) for item in zip(requests, thoughts, strict=True)]
        decoded = self._decode(rows)
        return [
            self._completion(*item) for item in zip(requests, thoughts, rows, decoded, strict=True)
        ]

    def _thoughts(self, requests: Sequence[ProposalRequest]) -> "list[_Thought | None]":
        """What the model thinks before a first step, where thoughts are kept; None where it does
        not. A thought that reaches its limit is closed for it.
        """
        found: list[_Thought | None] = [None] * len(requests)
        if self.format.thinking != "keep":
            return found
        asked = [i for i, one in enumerate(requests) if not one.steps and not one.code]
        opens = self.prompter.opens
        rows = []
        for i in asked:
            row = self._proposal_row(requests[i], None)
            ends = partial(self._thought_ends, prefix=row.prefix)
            rows.append(replace(row, limit=self.format.max_think_tokens, ends=ends))
        for i, row, decoded in zip(asked, rows, self._decode(rows), strict=True):
            text = opens + (self._words(decoded, row.prefix) or "")
            if closing := closing_of(text):
                text = f"{text.rstrip()}\n{closing}\n\n"
            found[i] = _Thought(text, decoded)
        return found

    def _thought_ends(self, tokens: Sequence[int], prefix: Tokens) -> bool:
        """Whether a model has closed its thought, or writes without one."""
        text = self.prompter.opens + self.prompter.text(tokens, prefix)
        return not begins_mark(text) and not is_open(text)

    def _decode(self, rows: Sequence[Row]) -> list[Decoded]:
        return self.reader.decode(rows, frozenset(self.end_tokens))

    def _proposal_row(self, request: ProposalRequest, thought: "_Thought | None") -> Row:
        form, prompter = self._way(request)
        if thought is None:
            begun = prompter.opens if not request.steps else ""
            prefix = _asked(prompter, request)
        else:
            begun = thought.text
            prefix = prompter.after_thought(request.question, begun, request.analysis, request.date)
        context = self.handle.base.context
        if not request.steps and len(prefix) >= context:
            raise ModelError(
                f"The question takes {len(prefix)} tokens, and {self.handle.base.name} reads at "
                f"most {context}, its steps included: shorten it, or use a model that reads more."
            )
        address = (request.seed, request.question, request.steps, request.slot, request.attempt)
        limit = request.sampling.max_step_tokens or form.max_step_tokens
        return Row(
            prefix,
            partial(generator, "proposal", *address),
            request.sampling,
            limit,
            self._stops(
                lambda text: form.is_whole(begun + text, request.steps),
                form.last_characters,
                prefix,
            ),
        )

    def _ends_with(self, mark: str, prefix: Tokens) -> Callable[[Sequence[int]], bool]:
        """A stop rule: the mark has been written after some text that is not blank."""
        return self._stops(lambda text: mark in text.lstrip(), mark[-1], prefix)

    def _stops(
        self, is_whole: Callable[[str], bool], last: str, prefix: Tokens
    ) -> Callable[[Sequence[int]], bool]:
        """A stop rule: what has been written is whole; it can become so at characters of `last`."""

        def stops(tokens: Sequence[int]) -> bool:
            if not self._may_end((tokens[-1], last)):
                return False
            return is_whole(self.prompter.text(tokens, prefix))

        return stops

    def _could_end(self, key: tuple[int, str]) -> bool:
        """Whether a token may hold one of these last characters; spares most decoding."""
        token, last = key
        text = self.prompter.text([token])
        return any(character in text for character in last) or "\ufffd" in text

    def _words(self, decoded: Decoded, prefix: Tokens) -> str | None:
        tokens = decoded.tokens[:-1] if decoded.stopped == "eos" else decoded.tokens
        return self.prompter.text(tokens, prefix) or None if tokens else None

    def spell(self, request: ProposalRequest, reply: Completion) -> list[str]:
        """See `engine.models.base.Spelling`. A character that takes several tokens is with the
        last of them.
        """
        prompter = self._way(request)[1]
        prefix = _asked(prompter, request)
        found: list[str] = []
        known = ""
        for end in range(1, len(reply.tokens) + 1):
            text = self.prompter.text(reply.tokens[:end], prefix)
            broken = text.endswith("\ufffd") and end < len(reply.tokens)
            found.append("" if broken else text[len(known) :])
            known = known if broken else text
        return found

    def _completion(
        self, request: ProposalRequest, thought: "_Thought | None", row: Row, decoded: Decoded
    ) -> Completion:
        form, prompter = self._way(request)
        words = self._words(decoded, row.prefix)
        begun = thought.text if thought else prompter.opens if not request.steps else ""
        raw = words if words is None and not thought else begun + (words or "")
        unfinished = decoded.stopped in ("limit", "context")
        step, reason = form.normalise(raw, request.steps, unfinished)
        end = None
        if (
            decoded.stopped == "eos"
            and form.ends_turn
            and (step or "") == (raw if (raw or "").strip() else "")
        ):
            end = math.exp(decoded.logprobs[-1])
            reason = reason and ENDED
        if not decoded.tokens:
            reason = f"the solution fills the context of {self.handle.base.context} tokens"
        parts = [thought.decoded, decoded] if thought else [decoded]
        return Completion(
            raw,
            step,
            reason,
            tuple(token for part in parts for token in part.tokens),
            tuple(value for part in parts for value in part.logprobs),
            sum((part.usage for part in parts), NO_USAGE),
            end,
        )

    def judge(self, requests: Sequence[PrefixRequest], mode: CriticMode) -> list[Judgement]:
        """The self-critic.

        The words of the solution decide first, without the model; the empty solution is never
        finished, nor one whose thought is open or after which the model went on writing. Then, by
        mode and format: the probability of the end-of-text token right after the solution, the
        logits of Yes against No, or the critic's own words.
        """
        results: dict[int, Judgement] = {}
        for i, request in enumerate(requests):
            if not request.steps:
                results[i] = Judgement("continue", "text")
            elif self._way(request)[0].ending(request.steps, request.printed).finished:
                results[i] = Judgement("end", "text")
            elif self._way(request)[0].goes_on(request.steps):
                results[i] = Judgement("continue", "text")
        waiting = [i for i in range(len(requests)) if i not in results]
        by_end = [i for i in waiting if self._way(requests[i])[0].critic == "eos"]
        others = [i for i in waiting if i not in set(by_end)]
        by_words = self._judge_by_verdict if mode == "verdict" else self._judge_by_words
        for places, ask in ((by_end, self._judge_by_end_token), (others, by_words)):
            if places:
                found = ask([requests[i] for i in places])
                results.update(zip(places, found, strict=True))
        return [results[i] for i in range(len(requests))]

    def _judge_by_end_token(self, requests: Sequence[PrefixRequest]) -> list[Judgement]:
        prefixes = [self._way(r)[1].end(r.question, r.steps, r.date) for r in requests]
        ends = list(self.end_tokens)

        def read(logits: "Tensor") -> float:
            return float(logits.double().softmax(dim=-1)[ends].sum())

        return self._judge_by_logits(prefixes, read)

    def _judge_by_verdict(self, requests: Sequence[PrefixRequest]) -> list[Judgement]:
        prefixes = [self._way(r)[1].verdict(r.question, r.steps, r.date) for r in requests]
        pair = list(self.prompter.verdict_tokens())

        def read(logits: "Tensor") -> float:
            return float(logits[pair].double().softmax(dim=-1)[0])

        return self._judge_by_logits(prefixes, read)

    def _judge_by_logits(
        self, prefixes: Sequence[Tokens], read: "Callable[[Tensor], float]"
    ) -> list[Judgement]:
        """End where the probability that `read` finds after a prefix exceeds one half."""
        context = self.handle.base.context
        distinct = [p for p in dict.fromkeys(prefixes) if len(p) < context]
        states = zip(distinct, self.reader.logits(distinct), strict=True)
        found = {prefix: (read(logits), cost) for prefix, (logits, cost) in states}
        require_numbers([probability for probability, _ in found.values()], self.handle)
        results: list[Judgement] = []
        for prefix in prefixes:
            if prefix not in found:  # no room for another step
                results.append(Judgement("end", "logits"))
                continue
            probability, cost = found[prefix]
            verdict: Verdict = "end" if probability > 0.5 else "continue"
            results.append(Judgement(verdict, "logits", probability, usage=cost))
            found[prefix] = (probability, NO_USAGE)
        return results

    def _judge_by_words(self, requests: Sequence[PrefixRequest]) -> list[Judgement]:
        results = [Judgement("end", "reply") for _ in requests]
        waiting = list(range(len(requests)))
        for attempt in range(ATTEMPTS):
            asked = [
                _Prompt(
                    self._way(requests[i])[1].analysis(
                        requests[i].question, requests[i].steps, requests[i].date
                    ),
                    ("critic", requests[i].question, requests[i].steps, attempt),
                )
                for i in waiting
            ]
            sampling = _RETRY if attempt else _GREEDY
            replies = self._replies(asked, sampling, ANALYSIS_TOKENS, "\n\n")
            silent = []
            for i, (words, cost) in zip(waiting, replies, strict=True):
                before = results[i]
                verdict, analysis = read_critic_reply(words)
                results[i] = Judgement(
                    verdict,
                    "reply",
                    None,
                    analysis,
                    (*before.tokens, *cost.tokens),
                    before.usage + cost.usage,
                )
                if words is None:
                    silent.append(i)
            waiting = silent
        return results

    def summarise(self, requests: Sequence[PrefixRequest]) -> list[Summary]:
        """The final answer of each solution.

        Read from the text where it states one. Otherwise, of the natural kind, the last formula or
        number of the text; a model of the numbered kind is asked for it in one short reply; one of
        the lines kind could not answer, so there is no answer.
        """
        results: dict[int, Summary] = {}
        for i, request in enumerate(requests):
            form = self._way(request)[0]
            ending = form.ending(request.steps, request.printed)
            if ending.words:
                results[i] = Summary(ending.words, ending.answer)
            elif form.kind == "natural" and request.steps:
                results[i] = Summary(*form.last_words(request.steps))
            elif self.format.kind == "lines" or not request.steps:
                results[i] = Summary("", None)
        waiting = [i for i in range(len(requests)) if i not in results]
        asked = [
            _Prompt(
                self._way(requests[i])[1].summary(
                    requests[i].question, requests[i].steps, requests[i].date
                ),
                (),
            )
            for i in waiting
        ]
        replies = self._replies(asked, _GREEDY, SUMMARY_TOKENS, "\n")
        for i, (words, cost) in zip(waiting, replies, strict=True):
            text = (words or "").strip()
            results[i] = Summary(text, extract_answer(text), tuple(cost.tokens), cost.usage)
        return [results[i] for i in range(len(requests))]

    def text(self, request: Asked, reply: Reply) -> Tokens:
        """See `engine.models.base.Policy`; follow-up questions make texts of their own."""
        text = (request.question, request.steps, request.date)
        prompter = self._way(request)[1]
        if isinstance(request, ProposalRequest):
            prefix = _asked(prompter, request)
        elif isinstance(reply, Summary):
            prefix = prompter.summary(*text) if reply.tokens else ()
        elif not isinstance(reply, Judgement) or reply.source == "text":
            return ()
        elif reply.source == "reply":
            prefix = prompter.analysis(*text)
        elif self._way(request)[0].critic == "eos":
            prefix = prompter.end(*text)
        else:
            prefix = prompter.verdict(*text)
        sampled = () if isinstance(reply, Valuation) else reply.tokens
        # Nothing follows the last sampled token, so it is not read.
        return (*prefix, *sampled[:-1]) if len(prefix) < self.handle.base.context else ()

    def _replies(
        self, asked: Sequence[_Prompt], sampling: Sampling, limit: int, end: str
    ) -> list[tuple[str | None, Decoded]]:
        """Short replies: (words or None if there are none, what they cost)."""
        rows = [
            Row(
                item.prefix,
                partial(generator, *item.address),
                sampling,
                limit,
                self._ends_with(end, item.prefix),
            )
            for item in asked
        ]
        decoded = self._decode(rows)
        words = [self._words(found, row.prefix) for found, row in zip(decoded, rows, strict=True)]
        return [
            (text if text and text.strip() else None, found)
            for text, found in zip(words, decoded, strict=True)
        ]


def _asked(prompter: Prompter, request: ProposalRequest) -> Tokens:
    return prompter.proposal(request.question, request.steps, request.analysis, request.date)


def _end_tokens(handle: Handle) -> tuple[int, ...]:
    """Ids that end a text, by the generation config, the model's config and the tokenizer."""
    base = handle.base
    ids: set[int] = set()
    for source in (base.model.generation_config, base.model.config, base.tokenizer):
        named = getattr(source, "eos_token_id", None)
        ids.update([named] if isinstance(named, int) else named or [])
    return tuple(sorted(ids))


def load_policy(spec: ModelSpec, pool: ModelPool) -> TransformersPolicy:
    """Open a policy; see `read_format` for its step format.

    Raises:
        ModelError: the model cannot be loaded, or its step format is not one.
    """
    with pool.opening(spec) as handle:
        form, told = read_format(handle, spec.step_format)
        return TransformersPolicy(open_reader(handle, pool.store), form, told)


def read_format(handle: Handle, named: str | None = None) -> tuple[StepFormat, bool]:
    """The step format of a model, and whether its files hold it.

    It is the one that a person names, else the one beside the adapter, else beside the base, else
    the default for its kind.

    Raises:
        ModelError: there is no such format.
    """
    beside = (handle.directory, handle.base.directory)
    directory = next((d for d in beside if (d / FILE_NAME).exists()), None)
    chat = bool(getattr(handle.base.tokenizer, "chat_template", None))
    try:
        if named is not None:
            return choose_step_format(named), False
        if directory is not None:
            return load_step_format(directory), True
        return load_step_format(handle.base.directory, chat), False
    except TaskError as error:
        raise ModelError(str(error)) from error
