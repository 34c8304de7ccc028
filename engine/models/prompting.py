"""From questions and steps to token ids, with or without a chat template.

Text of a person or of a model can never become a control token: neither a special token's name
typed into a question nor one written by the policy ends a turn or a text. What the prompt says is
decided by `engine.tasks.step_format`.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.errors import ModelError
from engine.models.dates import ByDay, template_day
from engine.tasks.critic import ASK_ANALYSIS, ASK_SUMMARY, ASK_VERDICT
from engine.tasks.step_format import Piece, StepFormat
from engine.tasks.thoughts import (
    MARKS as THOUGHT_MARKS,
)
from engine.tasks.thoughts import (
    as_solution,
    by_marks,
    closing_of,
    has_thought,
    is_open,
    split_thought,
    without_thoughts,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Tokens = tuple[int, ...]

MARKS = ("LABQUESTIONLABQUESTION", "LABSOLUTIONLABSOLUTION", "LABFOLLOWUPLABFOLLOWUP")
"""Stand in for texts while the chat template is rendered, so that no template sees them."""


_SOLUTION = "\n\nSolution:\n"
_WITHOUT_CHAT = (
    'Put a step_format.json with {"kind": "numbered", "chat": false} beside the model to do '
    "without it."
)
_VERDICTS = ("Yes", "No")
_SWITCHES = ("enable_thinking", "thinking")
"""What chat templates call the switch that lets a model think first."""
_REMEMBERED = 2048


class PieceEncoder:
    """Token ids of texts in which people's and models' words never become control tokens.

    start: ids before every text, such as a BOS.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", start: Tokens = ()) -> None:
        self.tokenizer: Any = tokenizer
        names = sorted(map(re.escape, _control_names(self.tokenizer)), key=len, reverse=True)
        self._names = re.compile(f"(?=(?:{'|'.join(names)}))") if names else None
        self._start = start

    def encode(self, pieces: Iterable[Piece]) -> Tokens:
        """Token ids of a prompt.

        One call for the whole text wherever that is safe, because a tokenizer may join the end of
        one piece with the start of the next; by pieces if a foreign one names a control token.
        """
        pieces = [piece for piece in pieces if piece.text]
        if not any(self._cuts(piece.text) for piece in pieces if not piece.ours):
            return self._start + self.ids("".join(piece.text for piece in pieces))
        ids = self._start
        for text, ours in pieces:
            ids += self.ids(text) if ours else self.plain(text)
        return ids

    def _cuts(self, text: str) -> list[int]:
        """Where a foreign text must be cut so that no name of a control token stays whole."""
        if self._names is None:
            return []
        return [match.start() + 1 for match in self._names.finditer(text)]

    def plain(self, text: str) -> Tokens:
        """Ids of a foreign text, none of them a control token."""
        cuts = self._cuts(text)
        ids: Tokens = ()
        for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
            ids += self.ids(text[start:end])
        return ids

    def ids(self, text: str) -> Tokens:
        """Ids of a text of ours, in which a control token's name is that token."""
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"]) if text else ()


class _Layout(NamedTuple):
    """A chat template's text around a question, and around a question, a solution and a follow-up.

    opens: what begins the model's thought after the question, where thoughts are kept.
    """

    first: tuple[str, ...]
    opens: str
    second: tuple[str, ...]


class Prompter:
    """Writes prompts for one tokenizer and step format.

    Attributes:
        chat: whether the tokenizer's chat template is used.
        opens: what the prompt begins the model's thought with where thoughts are kept, "" if
            nothing: it stands at the beginning of the first step.

    What takes a `date` writes the prompt as of that day; see `engine.models.dates`.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", step_format: StepFormat) -> None:
        self.tokenizer: Any = tokenizer
        self.format = step_format
        self.chat = step_format.chat and bool(getattr(tokenizer, "chat_template", None))
        # A chat template writes its own BOS.
        self._encoder = PieceEncoder(tokenizer, () if self.chat else opening_tokens(tokenizer))
        self._layout = ByDay(self._laid_out)
        self.opens = self._layout("").opens
        # A text is asked about several times in a row: proposed from, judged, counted.
        self._proposal = lru_cache(maxsize=_REMEMBERED)(self._encoded)

    @property
    def dated(self) -> bool:
        """Whether the chat template writes the day."""
        return self._layout.dated

    def _laid_out(self, day: str) -> _Layout:
        if not self.chat:
            return _Layout(("", ""), "", ("", "", ""))
        thinks, opens = self.format.thinking != "off", ""
        first = self._render(1, thinks, day)
        if thinks:
            before, after = first
            place = _opening_place(after)
            first, opens = (before, after[:place]), after[place:]
        else:
            first = self._without_thought(first)
        return _Layout(first, opens, self._without_thought(self._render(2, False, day)))

    def proposal(
        self, question: str, steps: Sequence[str], analysis: str = "", date: str = ""
    ) -> Tokens:
        """The prefix after which the policy writes the next step.

        With a chat template: the question as the user's message and the steps as the beginning of
        the assistant's reply, exactly where the model itself would have written them.
        """
        return self._proposal(question, self.format.joined(steps), analysis, self._day(date))

    def _day(self, date: str) -> str:
        return date if self.dated else ""

    def _encoded(self, question: str, solution: str, analysis: str, day: str) -> Tokens:
        opening = self._opening(question, analysis, day)
        return self._encoder.encode([*opening, *self._solution(solution)])

    def _solution(self, solution: str) -> list[Piece]:
        """A solution's text; the marks of a thought that it begins with are control tokens."""
        if self.format.thinking == "off":
            return [Piece(solution, False)]
        thought, rest = split_thought(solution)
        if thought or not solution:
            marks = by_marks(thought or self.opens)
            return [*(Piece(text, mark) for text, mark in marks), Piece(rest, False)]
        closed = f"{self.opens}{closing_of(self.opens)}\n\n" if self.opens else ""
        return [Piece(closed, True), Piece(rest, False)]

    def end(self, question: str, steps: Sequence[str], date: str = "") -> Tokens:
        """The prefix after which the end-of-text token tells that the solution is finished."""
        solution = self.format.joined(steps)
        solution = solution.rstrip() if self.format.ends_turn else solution
        return self._proposal(question, solution, "", self._day(date))

    def after_thought(
        self, question: str, thought: str, analysis: str = "", date: str = ""
    ) -> Tokens:
        """The prefix after a thought, from which the first step is written."""
        return self._proposal(question, thought, analysis, self._day(date))

    def value(self, question: str, steps: Sequence[str], date: str = "") -> Tokens:
        """The prefix whose last token, the last step's closing one, a value is read at."""
        solution = self.format.closed(self.format.joined(as_solution(steps)))
        return self._encoder.encode([*self._opening(question, "", date), *self._solution(solution)])

    def verdict(self, question: str, steps: Sequence[str], date: str = "") -> Tokens:
        """The prefix after which the next token tells Yes (finished) from No."""
        return self.follow_up(question, steps, ASK_VERDICT, date) + self.replies(_VERDICTS)[0]

    def analysis(self, question: str, steps: Sequence[str], date: str = "") -> Tokens:
        """The prefix after which the textual critic writes its verdict and analysis."""
        return self.follow_up(question, steps, ASK_ANALYSIS, date)

    def summary(self, question: str, steps: Sequence[str], date: str = "") -> Tokens:
        """The prefix after which the policy states the final answer."""
        return self.follow_up(question, steps, ASK_SUMMARY, date)

    def verdict_tokens(self) -> tuple[int, int]:
        """The tokens that tell the two verdicts (Yes, No) apart after `verdict`."""
        yes, no = self.replies(_VERDICTS)[1]
        return yes, no

    def replies(self, words: Sequence[str]) -> tuple[Tokens, Tokens]:
        """How replies to a follow-up are told apart: what all begin with, and what comes next.

        Raises:
            ModelError: the tokenizer gives two of them the same next token.
        """
        space = "" if self.chat else " "
        ids = [self._encoder.plain(space + word) for word in words]
        common, shortest = 0, min(map(len, ids))
        while common < shortest and len({reply[common] for reply in ids}) == 1:
            common += 1
        tokens = tuple(reply[common] for reply in ids if len(reply) > common)
        if len(set(tokens)) < len(words):
            raise ModelError(
                f"The tokenizer does not tell the replies {', '.join(words)} apart by one token "
                f"(they are {ids}): ask this model in another way, or take another model."
            )
        return ids[0][:common], tokens

    def text(self, tokens: Sequence[int], after: Sequence[int] = ()) -> str:
        """The words of sampled tokens; `after`: the tokens before them, for the leading space."""
        tail = list(after[-1:])
        whole = self._decode([*tail, *tokens])
        return whole[len(self._decode(tail)) :] if tail else whole

    def _decode(self, tokens: Sequence[int]) -> str:
        return str(
            self.tokenizer.decode(
                list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False
            )
        )

    def _opening(self, question: str, analysis: str, date: str) -> list[Piece]:
        text, begins = self.format.instruction(question, analysis), self.format.reply_begins
        if self.chat:
            before, after = self._layout(date).first
            return [Piece(before, True), *text, Piece(after + begins, True)]
        if self.format.kind != "lines":
            return [
                Piece(self._shown_before(), True),
                *text,
                Piece(f"{_SOLUTION}{begins}", True),
            ]
        return text

    def _shown_before(self) -> str:
        """System message and examples in a plain prompt."""
        shown = f"{self.format.system.strip()}\n\n" if self.format.system.strip() else ""
        for example in self.format.examples:
            asked = "".join(piece.text for piece in self.format.instruction(example.question))
            shown += f"{asked}{_SOLUTION}{example.solution.strip()}\n\n\n"
        return shown

    def follow_up(self, question: str, steps: Sequence[str], ask: str, date: str = "") -> Tokens:
        """The prefix after which a reply to a question of ours about a solution begins.

        Thoughts are left out, and none begins.
        """
        solution = self.format.joined(steps)
        if self.format.thinking != "off":
            solution = without_thoughts(solution)
        if not self.chat:
            asked = Piece(f"{self.format.reply_ends}\n{ask}\nReply:", True)
            return self._encoder.encode(
                [*self._opening(question, "", date), Piece(solution, False), asked]
            )
        before, between, after = self._layout(date).second
        ends = f"\n{self.format.reply_ends}" if self.format.reply_ends else ""
        return self._encoder.encode(
            [
                Piece(before, True),
                *self.format.instruction(question),
                Piece(between + self.format.reply_begins, True),
                Piece(solution.rstrip("\n"), False),
                Piece(ends + after.replace(MARKS[2], ask), True),
            ]
        )

    def _render(self, turns: int, thinks: bool, day: str) -> tuple[str, ...]:
        """The template's text around 1 (question) or 2 (and solution) marked messages."""
        messages = []
        if self.format.system:
            messages.append({"role": "system", "content": self.format.system})
        for example in self.format.examples:
            asked = "".join(piece.text for piece in self.format.instruction(example.question))
            messages += [
                {"role": "user", "content": asked},
                {"role": "assistant", "content": example.solution},
            ]
        messages.append({"role": "user", "content": MARKS[0]})
        if turns == 2:
            messages += [
                {"role": "assistant", "content": MARKS[1]},
                {"role": "user", "content": MARKS[2]},
            ]
        return split_template(
            self.tokenizer, messages, MARKS[:turns], True, _WITHOUT_CHAT, day, thinks
        )

    def _without_thought(self, pieces: tuple[str, ...]) -> tuple[str, ...]:
        """A template's text in which no thought is open where the reply begins.

        A model whose template says nothing of thoughts, but whose tokenizer has a token for them,
        gets one that is closed at once.
        """
        *before, after = pieces
        if is_open(after):
            return (*before, f"{after.rstrip()}\n\n{closing_of(after)}\n\n")
        if not has_thought(after):
            names = _control_names(self.tokenizer)
            pair = next((pair for pair in THOUGHT_MARKS if set(pair) <= names), None)
            if pair:
                return (*before, f"{after}{pair[0]}\n\n{pair[1]}\n\n")
        return pieces


def _opening_place(text: str) -> int:
    """Where the thought begins that a text ends in; its end if it ends in none."""
    if not is_open(text):
        return len(text)
    thought = text.rfind(next(piece for piece, mark in reversed(by_marks(text)) if mark))
    return thought


def split_template(
    tokenizer: Any,
    messages: Sequence[dict[str, str]],
    marks: Sequence[str],
    generation: bool,
    cure: str,
    day: str = "",
    thinks: bool = False,
) -> tuple[str, ...]:
    """The text of a chat template around marks in its messages; one piece more than marks.

    Args:
        tokenizer: with a template.
        messages: `role` and `content`; each mark stands in them once, in order.
        marks: see `MARKS`.
        generation: whether the text ends where the assistant's reply begins.
        cure: what a person can do where the template cannot be used so.
        day: that the template writes where it writes one; see `engine.models.dates`.
        thinks: whether a model that can think before it replies is let to, where its template has
            a switch for that.

    Raises:
        ModelError: the template fails, or repeats, drops or turns around a message.
    """
    written = template_day(tokenizer, day)
    try:
        text = tokenizer.apply_chat_template(
            messages,
            tokenize=False,
            add_generation_prompt=generation,
            **dict.fromkeys(_SWITCHES, thinks),
            **written,
        )
    except Exception as error:  # templates are programs of the model's authors
        raise ModelError(f"The model's chat template cannot be used ({error}). {cure}") from error
    pieces = tuple(re.split("|".join(marks), text))
    if re.findall("|".join(marks), text) != list(marks):
        raise ModelError(f"The model's chat template repeats or drops a message. {cure}")
    return pieces


def opening_tokens(tokenizer: Any) -> Tokens:
    """What the tokenizer puts before every text, as a BOS; not what it appends."""
    bare = list(tokenizer("a", add_special_tokens=False)["input_ids"])
    full = list(tokenizer("a", add_special_tokens=True)["input_ids"])
    for start in range(len(full) - len(bare) + 1):
        if full[start : start + len(bare)] == bare:
            return tuple(full[:start])
    return ()


def _control_names(tokenizer: Any) -> set[str]:
    """Names of the tokens that mean something beyond their text.

    All added tokens but those of white space, which some tokenizers add as plain vocabulary.
    """
    names = {str(token) for token in tokenizer.added_tokens_decoder.values()}
    names.update(tokenizer.all_special_tokens)
    return {name for name in names if len(name) > 1 and not name.isspace()}
