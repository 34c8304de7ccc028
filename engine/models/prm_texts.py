"""How question and steps become the text of which a process reward model's value is read.

Each format gives the tokens up to the place where the newest step is judged, so the value stands
at the last of them. The tokens of a solution begin with those of its first steps, so all steps of
one are read in one forward, and siblings share what they have in common. Where a tokenizer joins
letters across the end of a step that does not hold; the text is then read from where it differs.
"""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

from engine.errors import ModelError
from engine.models.dates import ByDay
from engine.models.prm_formats import FILE_NAME, PRMFormat
from engine.models.prompting import (
    MARKS,
    PieceEncoder,
    Tokens,
    opening_tokens,
    split_template,
)
from engine.tasks.step_format import Piece

_HEAD = re.compile(r"\s*Step\s*\d+\s*[:.]")


class ValueTexts(Protocol):
    """Writes the texts of a format."""

    @property
    def dated(self) -> bool:
        """Whether a chat template writes the day in them; see `engine.models.dates`."""

    def value(self, question: str, steps: Sequence[str], date: str = "") -> Tokens:
        """The tokens at the last of which the value of a solution is read; at least one step."""


def one_token(encoder: PieceEncoder, word: str, after: str, what: str, model: str) -> int:
    """The id of a word that must be a known token of its own after a text, be it after a space.

    Raises:
        ModelError: it is not; the message names it.
    """
    tokenizer = encoder.tokenizer
    before, ids = encoder.ids(after), encoder.ids(after + word)
    new = ids[len(before) :]
    whole, last = (tokenizer.decode(list(part)).strip(" ") for part in (new, new[-1:]))
    unknown = getattr(tokenizer, "unk_token_id", None)
    if ids[: len(before)] != before or not last or whole != last or new[-1] == unknown:
        raise ModelError(
            f"The tokenizer of {model} has no token of its own for {what}, "
            f"{word.strip(' ')!r} (it gives {list(new)}): the model is of another format, its "
            f"tokenizer files are not those it was trained with, or {FILE_NAME} must name the "
            "right text."
        )
    return new[-1]


def token_pair(
    encoder: PieceEncoder, form: PRMFormat, lead: str, after: str, model: str
) -> tuple[int, int]:
    """The tokens of the two judgements, written after a text and a lead.

    Raises:
        ModelError: one is no token of its own, or they are the same.
    """
    good, bad = (
        one_token(encoder, lead + word, after, f"the judgement {word!r}", model)
        for word in (form.good, form.bad)
    )
    if good == bad:
        raise ModelError(
            f"The judgements {form.good!r} and {form.bad!r} are the same token for {model}, "
            f"{good}, so that every step would be worth one half: {FILE_NAME} must name two "
            "different words."
        )
    return good, bad


class TaggedTexts:
    """Math-Shepherd: the question, then "Step k: ..." with a tag at its end, one step per line.

    Raises:
        ModelError: the tag is not one token.
    """

    dated = False

    def __init__(self, tokenizer: Any, form: PRMFormat, model: str) -> None:
        self._encoder = PieceEncoder(tokenizer, opening_tokens(tokenizer))
        self._mark, self._model = form.mark, model
        self._tag = one_token(self._encoder, " " + form.mark, "a", "the step tag", model)

    def value(self, question: str, steps: Sequence[str], date: str = "") -> Tokens:
        """See `ValueTexts`. A step without a number gets one.

        Raises:
            ModelError: the tokenizer joins the tag with the end of the last step.
        """
        pieces = [Piece(question.strip(), False), Piece(" ", True)]
        for number, step in enumerate(steps, start=1):
            head = "" if _HEAD.match(step) else f"Step {number}: "
            line = "\n" if number > 1 else ""
            pieces += [Piece(line + head, True), Piece(step.strip(), False)]
            pieces.append(Piece(" " + self._mark, True))
        ids = self._encoder.encode(pieces)
        if ids[-1] != self._tag:
            raise ModelError(
                f"The tokenizer of {self._model} joins the step tag {self._mark!r} with the end of "
                f"the step {steps[-1].strip()[-40:]!r}: no value can be read there."
            )
        return ids


class SeparatedTexts:
    """Qwen2.5-Math-PRM: one reply in a chat, each step closed by a separator of one token.

    Raises:
        ModelError: there is no chat template, or the separator is not one token.
    """

    def __init__(self, tokenizer: Any, form: PRMFormat, model: str) -> None:
        self._around = _reply(tokenizer, form, model)
        self._encoder = PieceEncoder(tokenizer)
        self._mark = form.mark
        one_token(self._encoder, form.mark, "a", _SEPARATOR, model)

    @property
    def dated(self) -> bool:
        """See `ValueTexts`."""
        return self._around.dated

    def value(self, question: str, steps: Sequence[str], date: str = "") -> Tokens:
        """See `ValueTexts`."""
        before, between, _ = self._around(date)
        pieces = [Piece(before, True), Piece(question.strip(), False), Piece(between, True)]
        for step in steps:
            pieces += [Piece(step.strip(), False), Piece(self._mark, True)]
        return self._encoder.encode(pieces)


class OutcomeTexts:
    """An outcome reward model: the solution as a whole reply in a chat, read after its end.

    So a solution's text does not begin with that of its first steps, only almost.

    Raises:
        ModelError: there is no chat template.
    """

    def __init__(self, tokenizer: Any, form: PRMFormat, model: str) -> None:
        self._around = _reply(tokenizer, form, model)
        self._encoder = PieceEncoder(tokenizer)

    @property
    def dated(self) -> bool:
        """See `ValueTexts`."""
        return self._around.dated

    def value(self, question: str, steps: Sequence[str], date: str = "") -> Tokens:
        """See `ValueTexts`."""
        before, between, after = self._around(date)
        return self._encoder.encode(
            [
                Piece(before, True),
                Piece(question.strip(), False),
                Piece(between, True),
                Piece("".join(steps).strip(), False),
                Piece(after, True),
            ]
        )


def _reply(tokenizer: Any, form: PRMFormat, model: str) -> ByDay[tuple[str, ...]]:
    """A chat's text before the question, between it and the reply, and after the reply."""
    _require_template(tokenizer, model)
    messages = [
        {"role": "user", "content": MARKS[0]},
        {"role": "assistant", "content": MARKS[1]},
    ]
    if form.system:
        messages.insert(0, {"role": "system", "content": form.system})
    return ByDay(partial(split_template, tokenizer, messages, MARKS[:2], False, _OTHER_TEMPLATE))


class ChatTexts:
    """RLHFlow: a chat in which each step is a user's turn and the reply to it one word.

    The words are read as they follow the template, so `good` and `bad` are the tokens by which the
    two replies differ.

    Raises:
        ModelError: there is no chat template, or the replies are not two tokens after it.
    """

    def __init__(self, tokenizer: Any, form: PRMFormat, model: str) -> None:
        _require_template(tokenizer, model)
        self._encoder = PieceEncoder(tokenizer)
        first, second, reply = MARKS
        messages = [
            {"role": "user", "content": first},
            {"role": "assistant", "content": reply},
            {"role": "user", "content": second},
        ]
        marks = (first, reply, second)
        self._around = ByDay(
            partial(split_template, tokenizer, messages, marks, True, _OTHER_TEMPLATE)
        )
        before, ask, again, after = self._around("")
        if not ask.startswith(after):
            raise ModelError(
                f"The chat template of {model} writes a reply that was given otherwise than it "
                f"asks for one ({ask!r}, {after!r}): a judgement has no place of its own there. "
                + _OTHER_TEMPLATE
            )
        self._after = after
        self._again = ask + form.good + again
        lead = ask[len(after) :]
        prompt = before + "a" + after
        self.good, self.bad = token_pair(self._encoder, form, lead, prompt, model)

    @property
    def dated(self) -> bool:
        """See `ValueTexts`."""
        return self._around.dated

    def value(self, question: str, steps: Sequence[str], date: str = "") -> Tokens:
        """See `ValueTexts`: the steps before the newest one were all judged good, as in training.

        The question stands before the first step.
        """
        before = self._around(date)[0]
        pieces = [Piece(before, True), Piece(question.strip(), False), Piece(" ", True)]
        for number, step in enumerate(steps):
            pieces += [Piece(self._again if number else "", True), Piece(step.strip(), False)]
        return self._encoder.encode([*pieces, Piece(self._after, True)])


class PiecedTexts:
    """TRL: question and steps encoded one by one, a separator's tokens after each step.

    So nothing is ever joined across the end of a step. TRL takes separators of several tokens and
    labels the last of them; of several only line ends are taken here, as any other text of several
    tokens is a sign of a tokenizer that does not know it.

    Args:
        tokenizer: of the model; its BOS comes first.
        form: `mark` is the separator.
        model: its name, for errors.

    Raises:
        ModelError: the separator is not known to the tokenizer.
    """

    dated = False

    def __init__(self, tokenizer: Any, form: PRMFormat, model: str) -> None:
        self._encoder = PieceEncoder(tokenizer)
        start = getattr(tokenizer, "bos_token_id", None)
        self._start: Tokens = () if start is None else (int(start),)
        self._mark = self._encoder.ids(form.mark)
        unknown = getattr(tokenizer, "unk_token_id", None)
        lines = form.mark.isspace() and "\n" in form.mark
        if not (lines and self._mark and unknown not in self._mark):
            one_token(self._encoder, form.mark, "", _SEPARATOR, model)

    def value(self, question: str, steps: Sequence[str], date: str = "") -> Tokens:
        """See `ValueTexts`."""
        ids = self._start + self._encoder.plain(question.strip())
        for step in steps:
            ids += self._encoder.plain(step.strip()) + self._mark
        return ids


class LinedTexts:
    """Skywork: BOS, question and a newline, then the steps cut at separators, one token after each
    piece.

    As its authors do, a step is cut wherever it holds the separator itself, so a step of several
    lines is read line by line; its value is that of the last one.

    Args:
        tokenizer: of the model.
        form: `mark` is the separator.
        model: its name, for errors.

    Raises:
        ModelError: there is no BOS, or the separator is not one token.
    """

    dated = False

    def __init__(self, tokenizer: Any, form: PRMFormat, model: str) -> None:
        self._encoder = PieceEncoder(tokenizer)
        self._separator = form.mark
        start = getattr(tokenizer, "bos_token_id", None)
        if start is None:
            raise ModelError(
                f"The tokenizer of {model} names no BOS, and its format begins every text with "
                "one: its tokenizer files are not those it was trained with."
            )
        self._start: Tokens = (int(start),)
        self._mark = (one_token(self._encoder, form.mark, "", _SEPARATOR, model),)

    def value(self, question: str, steps: Sequence[str], date: str = "") -> Tokens:
        """See `ValueTexts`."""
        ids = self._start + self._encoder.plain(question.strip() + "\n")
        for step in steps:
            for piece in step.strip().split(self._separator):
                ids += self._encoder.plain(piece) + self._mark
        return ids


_SEPARATOR = "the separator of steps"

_OTHER_TEMPLATE = (
    "Put the chat template that the model was trained with into its tokenizer_config.json or "
    "chat_template.jinja."
)


def _require_template(tokenizer: Any, model: str) -> None:
    if not getattr(tokenizer, "chat_template", None):
        raise ModelError(
            f"{model} has no chat template, and its format needs one. {_OTHER_TEMPLATE}"
        )
