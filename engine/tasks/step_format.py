"""How a model is prompted and how its words become a step.

Four kinds. `natural`: a chat model that writes in its own way, taken to the letter
(`engine.tasks.natural_steps`). `numbered`: a model that is asked for "Step k: ..." lines; what it
writes is cleaned and renumbered (`engine.tasks.numbered_steps`), as the reference does. `lines`: a
small model trained for one layout: a fixed prompt, one step per line (the bundled models). `code`:
a model that solves by a program (`engine.tasks.code_steps`); so is a chat model where a search runs
code. This module knows text only: tokens and chat templates are in `engine.models.prompting`.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.tasks import code_steps, natural_steps, numbered_steps
from engine.tasks.final_answer import Ending, extract_answer, read_ending
from engine.tasks.natural_steps import Unit
from engine.tasks.stories import number_sentences
from engine.tasks.thoughts import is_open, without_thoughts

SOLVE = """\
Solve the problem below step by step. Write one step per line and begin each line with \
"Step k: ", where k is its number. A step is one short piece of reasoning or one calculation. \
When the problem is solved, end the last step with "The answer is ...".

Problem: {question}"""
"""Default prompt of the numbered kind."""

ASK_NATURAL = """\
{question}

Reason step by step, and put your final answer in \\boxed{}."""
"""Default message of the natural kind: what chat models are used to."""

REMARK = "\n\nA remark on the steps written so far: "

_HEAD = re.compile(r"(?:# )?Step \d+: ")
_BLANK_LINE_ENDS = re.compile(r"\n[^\S\n]*\n$")


class Piece(NamedTuple):
    """Part of a prompt; `ours`: written by the format's author, so it may name control tokens."""

    text: str
    ours: bool


class Normalised(NamedTuple):
    """A step with its closing mark, or "" and why the reply gave none.

    reason: empty, too short, repeated, unfinished, no sentence, or no code.
    """

    step: str
    reason: str = ""


class Reading(NamedTuple):
    """A whole reply.

    steps: as a person sees them, without thoughts. taken: the same to the letter. refused: parts
    that gave no step, and why.
    """

    steps: tuple[str, ...]
    taken: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]


class Solved(BaseModel):
    """A solved problem that is shown before the question."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str = Field(min_length=1)
    solution: str = Field(min_length=1)


class StepFormat(BaseModel):
    """Prompt and step rules of one model.

    A file holds the fields by name; one without `kind` means `lines`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["natural", "lines", "numbered", "code"] = "lines"
    prompt: str = Field(
        default=SOLVE,
        description="Text before the first step; the first {question} is replaced. Of the natural "
        "kind see `user`.",
    )
    system: str = Field(default="", description="System message; empty for the template's own.")
    user: str = Field(
        default=ASK_NATURAL,
        description="The user's message of the natural kind; the first {question} is replaced.",
    )
    examples: tuple[Solved, ...] = Field(
        default=(), description="Solved problems that go before, for the natural kind."
    )
    unit: Unit = Field(
        default="paragraph",
        description="What is a step of the natural kind: a paragraph, a line, or what stands "
        "between two headings.",
    )
    thinking: Literal["off", "keep", "steps"] = Field(
        default="off",
        description="Of a model that thinks first: no thought, a thought kept before the first "
        "step, or parts of the thought as steps. The latter two for the natural kind.",
    )
    max_think_tokens: int = Field(
        default=2048, ge=1, le=131_072, description="Longest thought in tokens where it is kept."
    )
    code_prompt: str = Field(
        default=code_steps.SOLVE_IN_CODE,
        description="The prompt where a search runs code, for the natural and the numbered kind.",
    )
    number_sentences: bool = Field(default=False, description="Number the question's sentences.")
    step_end: str = Field(
        default="\n", min_length=1, description="A step ends with this text; see `unit`, too."
    )
    final_prefix: str = Field(
        default="",
        description="A step that begins so states the final answer; empty: there is none.",
    )
    max_step_tokens: int = Field(default=64, ge=1, le=8192, description="Longest step in tokens.")
    critic: Literal["eos", "verdict"] = Field(
        default="eos",
        description="How the self-critic reads the end: P(end of text) after the solution, or the "
        "logits of Yes and No after a question.",
    )
    chat: bool = Field(
        default=False, description="Use the tokenizer's chat template if it has one."
    )
    min_announced: int = Field(
        default=1, ge=1, description='Shortest step in characters after "Next step:" or "Step k:".'
    )
    min_bare: int = Field(
        default=1, ge=1, description="Shortest step in characters without such a head."
    )
    reject_repeats: bool = Field(
        default=False, description="Reject a step that is one of the steps before it."
    )
    reject_unfinished: bool = Field(
        default=True, description="Reject a step that reached its token limit before its end."
    )
    rules: Literal["ours", "reference"] = Field(
        default="ours",
        description='"reference": a solution ends where "answer is" or \\boxed occurs anywhere, '
        "and a step that occurs within the steps before it is a repeat.",
    )

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "StepFormat":
        for name in ("prompt", "user", "code_prompt"):
            if "{question}" not in getattr(self, name):
                raise ValueError(f"the {name} must contain {{question}}")
        if self.kind != "lines" and self.step_end != "\n":
            writes = {"numbered": "one step per line", "code": "whole lines"}
            raise ValueError(
                f"the {self.kind} kind writes {writes.get(self.kind, 'steps by its unit')}: "
                'step_end must be "\\n"'
            )
        if self.kind != "natural" and self.thinking != "off":
            raise ValueError(
                f"thinking cannot be {self.thinking!r} in the {self.kind} kind, which writes steps "
                'anew: it takes "off", or use the natural kind'
            )
        return self

    def for_code(self) -> "StepFormat":
        """The format of the same model where a search runs code.

        Of the lines kind it is the same: what such a model writes is its author's business.
        """
        if self.kind not in ("natural", "numbered"):
            return self
        names = ("chat", "number_sentences", "system")
        own = {name: getattr(self, name) for name in names}
        critic = self.critic if self.kind == "numbered" else CODE.critic
        return CODE.model_copy(update={**own, "critic": critic, "prompt": self.code_prompt})

    @property
    def digest(self) -> str:
        """Tells formats apart: kind and 8 hex digits."""
        fields = self.model_dump_json(exclude_defaults=True)
        return f"{self.kind}-{hashlib.sha256(fields.encode()).hexdigest()[:8]}"

    @property
    def ends_turn(self) -> bool:
        """Whether the model's end-of-turn token is the end of the solution."""
        return self.kind == "natural"

    @property
    def reply_begins(self) -> str:
        """What stands before the first step in a model's reply."""
        return code_steps.OPENING if self.kind == "code" else ""

    @property
    def reply_ends(self) -> str:
        """What stands after the last step."""
        return code_steps.CLOSING if self.kind == "code" else ""

    @property
    def last_characters(self) -> str:
        """`is_whole` changes only with one of these."""
        return code_steps.LAST_CHARACTERS if self.kind == "code" else self.step_end[-1]

    def joined(self, steps: Sequence[str]) -> str:
        """A solution's text as the model goes on from it: its own words to the letter.

        A step that a person wrote ends with one line end; as a paragraph it gets its blank line.
        """
        if self.kind != "natural" or self.unit != "paragraph":
            return "".join(steps)
        return "".join(
            f"{step}\n" if step.endswith("\n") and not _BLANK_LINE_ENDS.search(step) else step
            for step in steps
        )

    def closed(self, text: str) -> str:
        """A solution's text with the mark that closes its last step, where values are read."""
        if self.kind != "natural" or text.endswith("\n"):
            return text
        return f"{text}\n\n" if self.unit == "paragraph" else f"{text}\n"

    def is_whole(self, text: str, steps: Sequence[str] = ()) -> bool:
        """Whether a model that is still writing has ended its step.

        text: of the step so far. steps: those before it.
        """
        if self.kind == "code":
            return code_steps.is_whole(text)
        if self.kind == "numbered":
            return numbered_steps.is_whole(text)
        if self.kind == "natural":
            return self._first_end(text, steps) is not None
        return self.step_end in text.lstrip()

    def _first_end(self, text: str, steps: Sequence[str]) -> int | None:
        thoughts = self.thinking == "steps"
        return natural_steps.first_end(text, self.joined(steps), self.unit, thoughts)

    def read(self, reply: str) -> "Reading":
        """What a whole reply comes to, as if it had been written step by step."""
        steps: list[str] = []
        refused: list[tuple[str, str]] = []
        for part in self._parts(reply):
            step, reason = self.normalise(part, steps)
            if step:
                steps.append(step)
            elif part.strip():
                refused.append((part, reason))
        thoughts = self.kind == "natural" and self.thinking != "steps"
        shown = [without_thoughts(step) if thoughts else step for step in steps]
        return Reading(tuple(shown), tuple(steps), tuple(refused))

    def _parts(self, reply: str) -> list[str]:
        """A reply cut where a model would have been stopped."""
        if self.kind == "natural":
            return natural_steps.split(reply, self.unit, self.thinking == "steps")
        if self.kind == "code":
            return code_steps.split(reply)
        if self.kind == "numbered":
            return numbered_steps.split(reply)
        return [f"{part}{self.step_end}" for part in reply.split(self.step_end) if part.strip()]

    def instruction(self, question: str, analysis: str = "") -> list[Piece]:
        """The text before the first step: what the user says, or the whole plain prompt.

        analysis: words of the textual critic. The lines kind has no place for them: a model
        trained on one layout would read them as part of the question.
        """
        question = question.strip()
        if self.number_sentences:
            question = number_sentences(question)
        template = self.user if self.kind == "natural" else self.prompt
        before, after = template.split("{question}", 1)
        pieces = [Piece(before, True), Piece(question, False), Piece(after, True)]
        if analysis.strip() and self.kind != "lines":
            pieces += [Piece(REMARK, True), Piece(analysis.strip(), False)]
        return pieces

    def normalise(
        self, raw: str | None, steps: Sequence[str], unfinished: bool = False
    ) -> Normalised:
        """The step that a reply stands for.

        Args:
            raw: the model's words, None for no reply.
            steps: the steps before it, each with its closing mark.
            unfinished: it was cut at the token limit.
        """
        if raw is None or not raw.strip():
            return Normalised("", "empty")
        if unfinished and self.reject_unfinished:
            return Normalised("", "unfinished")
        if self.kind == "natural":
            return self._taken(raw, steps)
        if self.kind == "code":
            return self._normalised_code(raw, steps)
        if self.kind == "lines":
            body = self._until_end(raw)
            head, shortest = "", self.min_bare
        else:
            announced, body = numbered_steps.read_step(raw)
            head = f"Step {len(steps) + 1}: "
            shortest = self.min_announced if announced else self.min_bare
        if not body.strip():
            return Normalised("", "empty")
        if len(body.strip()) < shortest:
            return Normalised("", "too short")
        if self._repeats(body, steps):
            return Normalised("", "repeated")
        return Normalised(head + body + self.step_end)

    def _taken(self, raw: str, steps: Sequence[str]) -> Normalised:
        """The first step of a reply, to the letter."""
        step = raw[: self._first_end(raw, steps)]
        if self.thinking != "steps" and not without_thoughts(step).strip():
            return Normalised("", "a thought alone")
        if self._repeats(step, steps):
            return Normalised("", "repeated")
        return Normalised(step)

    def _repeats(self, body: str, steps: Sequence[str]) -> bool:
        """Whether a step is to be refused as one that was there before."""
        if not self.reject_repeats:
            return False
        body = body.strip()
        if self.rules == "reference":
            return body in "".join(steps)
        return body in {_HEAD.sub("", step, count=1).strip() for step in steps}

    def _normalised_code(self, raw: str, steps: Sequence[str]) -> Normalised:
        """A comment with its number, and Python; without any only where it states the answer."""
        sentence, code = code_steps.read_code_step(raw)
        if not sentence:
            return Normalised("", "no sentence" if code else "empty")
        if len(sentence) < self.min_announced:
            return Normalised("", "too short")
        if not code_steps.has_code(code) and not code_steps.states_answer(f"{sentence}\n{code}"):
            return Normalised("", "no code")
        body = f"{sentence}\n{code}".strip()
        if self._repeats(body, steps):
            return Normalised("", "repeated")
        return Normalised(f"# Step {len(steps) + 1}: {body}{self.step_end}")

    def _until_end(self, raw: str) -> str:
        start = len(raw) - len(raw.lstrip("\r\n"))
        return raw[start:].split(self.step_end, 1)[0].rstrip("\r\n")

    def goes_on(self, steps: Sequence[str]) -> bool:
        """Whether the last step shows by itself that the model went on writing after it, or is
        still thinking: then nobody need be asked whether the solution is finished.
        """
        if self.kind != "natural" or not steps:
            return False
        wrote_on = self.critic == "eos" and _BLANK_LINE_ENDS.search(steps[-1])
        return bool(wrote_on) or is_open("".join(steps))

    def ending(self, steps: Sequence[str], printed: str | None = None) -> Ending:
        """Whether the words alone say that the solution is finished, and its answer.

        By the step that begins with `final_prefix`, else by `read_ending`; by the reference's rule
        "answer is" or a LaTeX box anywhere, also in an intermediate remark. Of code that was run:
        whether it has printed an answer. No end is read inside a thought.

        printed: what a program printed, None if it was not run.
        """
        if self.kind == "code":
            words, answer = code_steps.answer_of(steps, printed) or ("", None)
            return Ending(code_steps.ends(steps, printed), answer, words)
        final = self._final_step(steps)
        if final is not None:
            answer = final.removeprefix(self.final_prefix).strip() or None
            return Ending(True, answer, final.strip())
        if self.rules == "reference":
            stating = next((step for step in reversed(steps) if _states(step)), None)
            if stating is None:
                return Ending(False, None, "")
            return Ending(True, extract_answer(stating), stating.strip())
        # A number that we put before it must not hide how a line begins.
        own = (_HEAD.sub("", step, count=1) if self.kind == "numbered" else step for step in steps)
        return read_ending("".join(own))

    def last_words(self, steps: Sequence[str]) -> tuple[str, str | None]:
        """Of a solution that ended without stating an answer: its last line, and the last formula
        or number of it.
        """
        text = without_thoughts("".join(steps)).strip()
        return text.rpartition("\n")[2].strip(), extract_answer(text)

    def _final_step(self, steps: Sequence[str]) -> str | None:
        if not self.final_prefix:
            return None
        return next((s for s in reversed(steps) if s.startswith(self.final_prefix)), None)


def _states(step: str) -> bool:
    """The reference's rule: these words anywhere end a solution."""
    return "answer is" in step or "\\boxed" in step


NATURAL = StepFormat(
    kind="natural", max_step_tokens=512, critic="eos", chat=True, reject_unfinished=False
)
"""The default for a chat model without a `step_format.json`: its own way of writing."""

NUMBERED = StepFormat(
    kind="numbered",
    max_step_tokens=256,
    critic="verdict",
    chat=True,
    min_announced=2,
    min_bare=3,
    reject_repeats=True,
    reject_unfinished=False,
)
"""The default for a base model without a `step_format.json`: near to the rules of the reference."""

REFERENCE = NUMBERED.model_copy(update={"rules": "reference"})
"""The rules of the reference implementation, for conformance."""

CODE = StepFormat(
    kind="code",
    prompt=code_steps.SOLVE_IN_CODE,
    max_step_tokens=512,
    critic="verdict",
    chat=True,
    min_announced=3,
    reject_repeats=True,
    # What is left of a number that was cut would run all the same.
    reject_unfinished=True,
)
"""The default of the code kind."""
