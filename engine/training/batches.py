"""From examples to tensors: tokens, and which of them matter for a loss."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import TrainingError
from engine.models.kv_store import common
from engine.models.prompting import Prompter, Tokens
from engine.randomness import generator
from engine.training.examples import Example, Pair, Solution, Valued

if TYPE_CHECKING:
    from torch import Tensor

_SORTED_BATCHES = 8
"""Batches whose groups are sorted by length together: 8 of 16 leave about 5 % of padding."""


@dataclass(frozen=True)
class Text:
    """A text to train on.

    Attributes:
        tokens: of prompt and solution.
        learnt: the policy learns tokens from this place on.
        weight: of its loss.
        places: where values are read.
        targets: of each place.
    """

    tokens: Tokens
    learnt: int = 0
    weight: float = 1.0
    places: tuple[int, ...] = ()
    targets: tuple[float, ...] = ()


Group = tuple[Text, ...]
"""What is learnt from at once: one text, or the better and the worse one of a pair."""


class Encoder:
    """Writes examples as the models read them in a search.

    Args:
        prompter: of the model to be trained.
        end: token that ends a text, learnt after the last step of a finished solution; None where
            the step format reads the end in another way.
        context: most tokens of a text.
    """

    def __init__(self, prompter: Prompter, end: int | None, context: int) -> None:
        self.prompter = prompter
        self.end = end
        self.context = context

    def encode(self, examples: Iterable[Example]) -> tuple[list[Group], int]:
        """What is learnt from, and how many examples are not, or not wholly, because they are
        longer than the context.
        """
        groups: list[Group] = []
        left_out = 0
        for example in examples:
            found: list[Group]
            if isinstance(example, Solution):
                text = self.solution(example)
                found, cut = [(text,)] if text else [], text is None
            elif isinstance(example, Pair):
                pair = self.pair(example)
                found, cut = [pair] if pair else [], pair is None
            else:
                texts = self.valued(example)
                found = [(text,) for text in texts]
                read = sum(len(text.places) for text in texts)
                cut = read < sum(value is not None for value in example.values)
            groups += found
            left_out += cut
        return groups, left_out

    def solution(self, example: Solution) -> Text | None:
        """A text for the policy; None if it does not fit into the context."""
        ends = example.finished and self.end is not None
        write = self.prompter.end if ends else self.prompter.proposal
        day = example.date
        tokens = write(example.question, example.steps, date=day)
        given = self.prompter.proposal(example.question, example.steps[: example.given], date=day)
        if ends and self.end is not None:
            tokens = (*tokens, self.end)
        text = Text(tokens, common(given, tokens), example.weight)
        return text if len(tokens) <= self.context else None

    def valued(self, example: Valued) -> list[Text]:
        """Texts for a PRM: one where the tokens of every beginning are the beginning of its tokens,
        one a value otherwise. Beginnings that do not fit into the context are left out.
        """
        whole = self.prompter.value(example.question, example.steps, example.date)
        together: list[tuple[int, float]] = []
        texts: list[Text] = []
        for count, value in enumerate(example.values, start=1):
            if value is None:
                continue
            tokens = self.prompter.value(example.question, example.steps[:count], example.date)
            if len(tokens) > self.context:
                break
            if whole[: len(tokens)] == tokens:
                together.append((len(tokens) - 1, value))
            else:
                place = (len(tokens) - 1,)
                texts.append(Text(tokens, places=place, targets=(value,)))
        if together:
            places, targets = zip(*together, strict=True)
            last = max(places) + 1
            texts.append(Text(whole[:last], places=places, targets=targets))
        return texts

    def pair(self, example: Pair) -> tuple[Text, Text] | None:
        """The better and the worse continuation; None if one does not fit into the context.

        The policy learns the tokens after the common beginning; a value is read at the last token
        of the last step.
        """
        both = []
        given = self.prompter.value(example.question, example.steps, example.date)
        for steps in (example.better, example.worse):
            tokens = self.prompter.value(example.question, (*example.steps, *steps), example.date)
            place, learnt = len(tokens) - 1, common(given, tokens)
            if example.finished and self.end is not None:
                tokens = (*tokens, self.end)
            both.append(Text(tokens, learnt, example.weight, (place,), (0.0,)))
        if any(len(text.tokens) > self.context for text in both):
            return None
        return both[0], both[1]


def plan(lengths: Sequence[int], updates: int, batch: int, seed: int) -> list[list[int]]:
    """Which groups each update learns from.

    Every group comes once before any comes again. A few batches are drawn at a time and their
    groups sorted by length among them, so that little is padded; then the batches are shuffled.

    Args:
        lengths: of the groups, in tokens.
        updates: how many batches.
        batch: groups of each.
        seed: of the order.
    """
    random = generator("training order", seed)
    drawn: list[int] = []
    while len(drawn) < updates * batch:
        drawn += random.permutation(len(lengths)).tolist()
    batches: list[list[int]] = []
    for start in range(0, updates * batch, _SORTED_BATCHES * batch):
        end = min(start + _SORTED_BATCHES * batch, updates * batch)
        some = sorted(drawn[start:end], key=lengths.__getitem__)
        cut = [some[place : place + batch] for place in range(0, len(some), batch)]
        batches += [cut[place] for place in random.permutation(len(cut))]
    return batches


def collate(groups: Sequence[Group]) -> dict[str, "Tensor"]:
    """The B texts of groups, padded on the right to T tokens.

    Returns:
        tokens [B, T] int64; attention [B, T] int64, 1 where there is a token; learnt [B, T] bool;
        weights [B]; and of the N values: rows, places [N] int64, where they are read; targets [N].

    Raises:
        TrainingError: there is no text.
    """
    import torch

    texts = [text for group in groups for text in group]
    if not texts:
        raise TrainingError("There is nothing to train on in this batch.")
    length = max(len(text.tokens) for text in texts)
    shape = (len(texts), length)
    tokens = torch.zeros(shape, dtype=torch.int64)
    attention = torch.zeros(shape, dtype=torch.int64)
    learnt = torch.zeros(shape, dtype=torch.bool)
    for row, text in enumerate(texts):
        size = len(text.tokens)
        tokens[row, :size] = torch.tensor(text.tokens)
        attention[row, :size] = 1
        learnt[row, text.learnt : size] = True
    read = [(row, place) for row, text in enumerate(texts) for place in text.places]
    return {
        "tokens": tokens,
        "attention": attention,
        "learnt": learnt,
        "weights": torch.tensor([text.weight for text in texts]),
        "rows": torch.tensor([row for row, _ in read], dtype=torch.int64),
        "places": torch.tensor([place for _, place in read], dtype=torch.int64),
        "targets": torch.tensor([t for text in texts for t in text.targets], dtype=torch.float32),
    }
