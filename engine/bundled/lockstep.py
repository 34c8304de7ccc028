"""Run one search algorithm on hundreds of stories in lockstep, for measuring.

Every search is the production generator of `engine.search`; here its requests are gathered over
all trees and answered in large batches without a cache. Random numbers come from one generator, so
a result depends on the batch order: fine for averages over problems, not for a session.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from engine import events as ev
from engine.bundled.corpus import STEP_FORMAT, written
from engine.bundled.sampling import roomy_cache
from engine.bundled.train_prm import OUTPUTS, Prm
from engine.models.base import Completion, Judgement, Steps
from engine.search.registry import Algorithm
from engine.search.requests import Evaluate, FinalAnswer, Judge, Propose, Request, Script, Summarise
from engine.tasks.stories import Story
from engine.tree import Tree

ANSWER = str(STEP_FORMAT["final_prefix"])
ROWS = 96
"""Rows of a batch; larger ones fall out of the processor's caches."""


@dataclass
class Run:
    """One search: its story, tree, token budget, and generated policy tokens so far."""

    story: Story
    budget: float
    tree: Tree = field(default_factory=Tree)
    tokens: int = 0
    script: Script | None = None
    request: Request | None = None
    proposed: list[Completion] = field(default_factory=list)
    concluding: bool = False
    done: bool = False


class Lockstep:
    """A policy and a PRM that answer the requests of many runs."""

    def __init__(
        self,
        policy: LlamaForCausalLM,
        prm: Prm,
        tokenizer: PreTrainedTokenizerFast,
        read: str,
        seed: int,
    ) -> None:
        self.policy, self.prm, self.tokenizer = policy, prm, tokenizer
        self.read = OUTPUTS.index(read)
        self.generator = torch.Generator().manual_seed(seed)
        self._lines: dict[str, list[int]] = {}
        self._values: dict[tuple[str, Steps], list[float]] = {}

    def search(
        self, stories: Sequence[Story], budgets: Sequence[float], algorithm: Algorithm, params: Any
    ) -> list[Run]:
        """Run until each search has stopped by itself or the next iteration would, at the mean
        cost of its iterations so far, exceed its budget in generated policy tokens.
        """
        runs = [Run(story, budget) for story, budget in zip(stories, budgets, strict=True)]
        for run in runs:
            run.tree.apply(
                ev.SearchCreated(
                    question=run.story.question, gold=str(run.story.answer),
                    algorithm=algorithm.name, params=params.model_dump(), seed=0,
                    policy="", prm="",
                )
            )  # fmt: skip
            self._advance(run, None, algorithm, params)
        while open_runs := [run for run in runs if not run.done]:
            replies = self._answer(open_runs)
            for run, reply in zip(open_runs, replies, strict=True):
                self._advance(run, reply, algorithm, params)
        return runs

    def _advance(self, run: Run, reply: Any, algorithm: Algorithm, params: Any) -> None:
        """Let a run go on to its next request."""
        while True:
            if run.script is None:
                n = run.tree.iteration
                stop = algorithm.stopped(run.tree, params) if n else ""
                spent = n > 0 and run.tokens * (n + 1) / n > run.budget
                if stop or spent or n >= 2000:
                    run.concluding = True
                    run.script = algorithm.conclude(run.tree, params, stop or "tokens")
                else:
                    run.tree.apply(ev.IterationStarted(n + 1))
                    run.script = algorithm.iterate(run.tree, params)
                reply = None
            try:
                item = run.script.send(reply)
                while isinstance(item, ev.Event):
                    run.tree.apply(item)
                    item = run.script.send(None)
                run.request = item
                return
            except StopIteration:
                run.script = None
                if run.concluding:
                    run.done = True
                    return

    def _answer(self, runs: Sequence[Run]) -> list[Any]:
        self._propose([run for run in runs if isinstance(run.request, Propose)])
        self.value(
            (run.story, prefix)
            for run in runs
            if isinstance(run.request, Evaluate)
            for prefix in run.request.prefixes
        )
        return [self._reply(run) for run in runs]

    def _reply(self, run: Run) -> Any:
        request = run.request
        if isinstance(request, Propose):
            return run.proposed
        if isinstance(request, Evaluate):
            return [self._values[run.story.question, p][self.read] for p in request.prefixes]
        if isinstance(request, Judge):
            return [
                Judgement("end" if p and p[-1].startswith(ANSWER) else "continue", "text")
                for p in request.prefixes
            ]
        assert isinstance(request, Summarise)
        return [_final(run.story, prefix) for prefix in request.prefixes]

    def _ids(self, story: Story, steps: Steps) -> list[int]:
        ids: list[int] = []
        for text in (written(story, ())[0], *steps):
            if text not in self._lines:
                self._lines[text] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
            ids += self._lines[text]
        return ids

    @torch.inference_mode()
    def value(self, wanted: Iterable[tuple[Story, Steps]]) -> None:
        """Value these prefixes, and with them every shorter one, a forward for each new one."""
        new = {(s.question, p): s for s, p in wanted if p and (s.question, p) not in self._values}
        items = sorted((self._lengths(story, key[1]), key) for key, story in new.items())
        for at in range(0, len(items), ROWS):
            part = items[at : at + ROWS]
            rows = [self._ids(new[key], key[1]) for _, key in part]
            width = len(rows[-1])
            ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
            ends = [(i, n - 1) for i, (lengths, _) in enumerate(part) for n in lengths[1][1:]]
            read = iter(self.prm.logits(ids, torch.tensor(ends)).sigmoid().tolist())
            for _, (question, steps) in part:
                for k in range(1, len(steps) + 1):
                    self._values[question, steps[:k]] = next(read)

    def _lengths(self, story: Story, steps: Steps) -> tuple[int, list[int]]:
        """Tokens of the whole, then of the prompt and after each step."""
        ends = [len(self._ids(story, steps[:k])) for k in range(len(steps) + 1)]
        return ends[-1], ends

    def known(self, story: Story, steps: Steps) -> list[float]:
        """(v, prefix, step) at the end of a prefix that has been valued."""
        return self._values[story.question, steps]

    def _propose(self, runs: Sequence[Run]) -> None:
        asked: list[tuple[list[int], Run, int]] = []
        for run in runs:
            assert isinstance(run.request, Propose)
            run.proposed = [Completion(None, "")] * len(run.request.asks)
            for k, ask in enumerate(run.request.asks):
                asked.append((self._ids(run.story, ask.steps), run, k))
        asked.sort(key=lambda item: -len(item[0]))
        for at in range(0, len(asked), ROWS):
            part = asked[at : at + ROWS]
            for (_, run, k), ids in zip(part, self._write([p for p, _, _ in part]), strict=True):
                text = str(self.tokenizer.decode(ids))
                step = text if text.endswith("\n") and text.strip() else ""
                run.tokens += len(ids)
                run.proposed[k] = Completion(text, step, "" if step else "unfinished", tuple(ids))

    @torch.inference_mode()
    def _write(self, prefixes: list[list[int]]) -> list[list[int]]:
        """One line after each prefix at temperature 1, its newline included."""
        unique = list(dict.fromkeys(map(tuple, prefixes)))
        rank = {prefix: i for i, prefix in enumerate(unique)}
        rows = torch.tensor([rank[tuple(p)] for p in prefixes])
        width = len(max(unique, key=len))
        ids = torch.tensor([[0] * (width - len(p)) + list(p) for p in unique])
        mask = (torch.arange(width) >= torch.tensor([[width - len(p)] for p in unique])).long()
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        out = self.policy(
            input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True,
            past_key_values=roomy_cache(self.policy.config.num_hidden_layers), logits_to_keep=1,
        )  # fmt: skip
        cache = out.past_key_values
        cache.batch_select_indices(rows)
        logits, mask, last = out.logits[rows, -1].float(), mask[rows], positions[rows, -1:]
        newline = self.tokenizer("\n", add_special_tokens=False)["input_ids"][0]
        stops = {newline, self.tokenizer.eos_token_id}
        live = list(range(len(prefixes)))
        made: list[list[int]] = [[] for _ in prefixes]
        for _ in range(int(str(STEP_FORMAT["max_step_tokens"]))):
            token = torch.multinomial(logits.softmax(-1), 1, generator=self.generator)
            for row, one in zip(live, token.squeeze(1).tolist(), strict=True):
                if not made[row] or made[row][-1] not in stops:
                    made[row].append(one)
            keep = [i for i, row in enumerate(live) if made[row][-1] not in stops]
            if not keep:
                break
            if len(keep) <= len(live) * 0.6:
                live = [live[i] for i in keep]
                chosen = torch.tensor(keep)
                cache.batch_select_indices(chosen)
                token, mask, last = token[chosen], mask[chosen], last[chosen]
            mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=1)
            last = last + 1
            out = self.policy(
                input_ids=token, attention_mask=mask, position_ids=last, past_key_values=cache,
                use_cache=True,
            )  # fmt: skip
            cache, logits = out.past_key_values, out.logits[:, -1].float()
        return made


def _final(story: Story, prefix: Steps) -> FinalAnswer:
    last = prefix[-1].strip() if prefix else ""
    answer = last.removeprefix(ANSWER).strip() if last.startswith(ANSWER) else None
    return FinalAnswer(last, answer, answer == str(story.answer))
