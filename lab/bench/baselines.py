"""What the lab is measured against: policies and a PRM written the way their users write them.

Each fits the seams of `engine.models.base`, uses the weights, adapters and prompts of a pair and
samples from the whole distribution at the temperature asked for. They count the tokens that went
through the model, padding left out. Their self-critic says "continue" and costs nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

from engine.models.base import (
    Asked,
    Completion,
    CriticMode,
    Judgement,
    PrefixRequest,
    ProposalRequest,
    Reply,
    Sampling,
    Summary,
    Usage,
    Valuation,
)
from engine.models.prompting import Tokens
from lab.bench.shapes import Pair

PAGE = 32
"""Tokens of a page of the continuous batching: whole pages are shared between texts. Its own
choice, 256, would share none of a short prompt and is two to four times slower.
"""


class _Writer:
    """A policy that cannot judge and whose answers nobody reads."""

    identity = "baseline"

    def __init__(self, pair: Pair) -> None:
        self.policy = pair.policy

    def propose(self, requests: Sequence[ProposalRequest]) -> list[Completion]:
        """One completion per request; what the call cost is told by the first."""
        prompter = self.policy.prompter
        prompts = [prompter.proposal(r.question, r.steps, r.analysis) for r in requests]
        limit = requests[0].sampling.max_step_tokens or self.policy.format.max_step_tokens
        written, forwarded = self.write(prompts, limit, requests[0].sampling)
        found = []
        for asked, prompt, tokens in zip(requests, prompts, written, strict=True):
            raw = prompter.text(tokens, prompt)
            step, reason = self.policy.format.normalise(raw, asked.steps, unfinished=True)
            found.append(Completion(raw, step, reason, tuple(tokens), (), Usage(forwarded)))
            forwarded = 0
        return found

    def write(
        self, prompts: Sequence[Tokens], limit: int, sampling: Sampling
    ) -> tuple[list[list[int]], int]:
        """`limit` tokens after each prompt, and how many went through the model for all."""
        raise NotImplementedError

    def judge(self, requests: Sequence[PrefixRequest], mode: CriticMode) -> list[Judgement]:
        return [Judgement("continue", "text") for _ in requests]

    def summarise(self, requests: Sequence[PrefixRequest]) -> list[Summary]:
        return [Summary("", None) for _ in requests]

    def text(self, request: Asked, reply: Reply) -> Sequence[int]:
        """Nothing: which tokens are unique is not counted here."""
        return ()


def _options(limit: int, sampling: Sampling, **more: Any) -> Any:
    from transformers import GenerationConfig

    return GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=True,
        temperature=sampling.temperature,
        top_k=0,
        top_p=1.0,
        max_new_tokens=limit,
        pad_token_id=0,
        **more,
    )


def _padded(prompts: Sequence[Tokens], device: Any) -> dict[str, Any]:
    """Prompts of one batch, on the left filled up to the longest."""
    import torch

    longest = max(map(len, prompts))
    rows = [[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
    seen = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return {
        "input_ids": torch.tensor(rows, device=device),
        "attention_mask": torch.tensor(seen, device=device),
    }


class GenerateTogether(_Writer):
    """One `generate()` for all children of all nodes, which reads the whole prompt of each."""

    def write(
        self, prompts: Sequence[Tokens], limit: int, sampling: Sampling
    ) -> tuple[list[list[int]], int]:
        with self.policy.handle.using() as model:
            inputs = _padded(prompts, self.policy.handle.base.device)
            found = model.generate(**inputs, generation_config=_options(limit, sampling))
        written = found[:, inputs["input_ids"].shape[1] :].tolist()
        return written, sum(map(len, prompts)) + sum(len(row) - 1 for row in written)


class GenerateEach(GenerateTogether):
    """`generate()` for every child, as the reference implementation does."""

    def write(
        self, prompts: Sequence[Tokens], limit: int, sampling: Sampling
    ) -> tuple[list[list[int]], int]:
        written: list[list[int]] = []
        forwarded = 0
        for prompt in prompts:
            rows, cost = super().write([prompt], limit, sampling)
            written += rows
            forwarded += cost
        return written, forwarded


class Continuous(_Writer):
    """transformers' continuous batching: paged, prefixes shared between prompts, and its pages kept
    from call to call. Use it within `running`.
    """

    def __init__(self, pair: Pair) -> None:
        super().__init__(pair)
        self._manager: Any = None
        self._forwarded = 0

    @contextmanager
    def running(self, limit: int, prompt: int, requests: int) -> Iterator[None]:
        """Start it and warm it up.

        Args:
            limit: tokens of a step.
            prompt: longest prompt in tokens.
            requests: most prompts at once.
        """
        from transformers.generation.continuous_batching.utils import WorkloadHints

        with self.policy.handle.using() as model:
            self._manager = model.init_continuous_batching(
                generation_config=_options(limit, Sampling.model_validate({}), eos_token_id=-1),
                continuous_batching_config=self._sizes(limit + prompt, requests),
                workload_hints=WorkloadHints(prompt, limit, requests),
            )
            self._manager.warmup()
            self._manager.start()
            try:
                self._count()
                yield
            finally:
                self._manager.stop(block=True)
                self._manager.destroy()
                self._manager = None

    def _sizes(self, longest: int, requests: int) -> Any:
        """Of its cache and batches: what the texts need, twice over, not all memory that there is.

        On a CPU its own choices spend most of the time on masks of the size of the whole cache.
        """
        from transformers import ContinuousBatchingConfig

        on_cpu = self.policy.handle.base.device.type == "cpu"
        return ContinuousBatchingConfig(
            page_size=PAGE,
            num_blocks=2 * requests * -(-longest // PAGE),
            max_batch_tokens=512 if on_cpu else None,
            seed=0,
        )

    def _count(self) -> None:
        """Note how many tokens each batch has; a graph on the GPU would hide them."""
        scheduler = self._manager.batch_processor.scheduler
        schedule = scheduler.schedule_batch

        def counted(*limits: Any) -> Any:
            batch = schedule(*limits)
            self._forwarded += batch[2] if batch[0] else 0
            return batch

        scheduler.schedule_batch = counted

    def write(
        self, prompts: Sequence[Tokens], limit: int, sampling: Sampling
    ) -> tuple[list[list[int]], int]:
        before = self._forwarded
        groups = [list(same) for _, same in groupby(prompts)]
        with self.policy.handle.using():
            names = []
            for group in groups:
                # A prompt is read once; its cache is forked for its children.
                self._manager.num_return_sequences = len(group)
                name = self._manager.add_request(list(group[0]), max_new_tokens=limit)
                names += [name, *(f"{name}__child#{i}" for i in range(len(group) - 1))]
            found = self._results(names)
        return [found[name] for name in names], self._forwarded - before

    def _results(self, names: Iterable[str]) -> dict[str, list[int]]:
        waiting, found = set(names), dict[str, list[int]]()
        while waiting:
            result = self._manager.get_result(timeout=1)
            if result is None:
                if not self._manager.is_running():
                    raise RuntimeError("The continuous batching stopped before its end.")
            elif result.is_finished():
                if result.error:
                    raise RuntimeError(result.error)
                found[result.request_id] = list(result.generated_tokens)
                waiting.discard(result.request_id)
        return found


class Reread:
    """A PRM that reads every text from its beginning.

    together: all texts of a call in one forward; otherwise the children of one node.
    """

    identity = "baseline"

    def __init__(self, pair: Pair, together: bool) -> None:
        self.prm = pair.prm
        self.together = together

    def score(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
        if self.together:
            return self._read(requests)
        siblings = groupby(requests, lambda asked: (asked.question, asked.steps[:-1]))
        return [value for _, group in siblings for value in self._read(list(group))]

    def _read(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
        prompts = [self.prm.prompter.value(asked.question, asked.steps) for asked in requests]
        with self.prm.handle.using() as model:
            inputs = _padded(prompts, self.prm.handle.base.device)
            hidden = model.get_decoder()(**inputs, use_cache=False).last_hidden_state[:, -1]
        values = self.prm.head(hidden)[:, self.prm.head.index].tolist()
        costs = [Usage(len(prompt)) for prompt in prompts]
        return [Valuation(*item) for item in zip(values, costs, strict=True)]

    def text(self, request: PrefixRequest, reply: Reply) -> Sequence[int]:
        """Nothing: which tokens are unique is not counted here."""
        return ()
