"""How a model is prompted and how its words become a step.

Three kinds. `lines`: a small model trained for one layout: a fixed prompt, one step per line, the
line taken as it is (the bundled models; described by `step_format.json` beside the weights).
`numbered`: any other model: it is asked for "Step k: ..." lines, and what it writes is cleaned and
renumbered. `code`: a model that solves by a program (`engine.tasks.code_steps`); so is one of the
numbered kind where a search runs code. This module knows text only: tokens and chat templates are
in `engine.models.prompting`.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from engine.errors import TaskError
from engine.events import Verdict
from engine.tasks import code_steps
from engine.tasks.final_answer import extract_answer
from engine.tasks.stories import number_sentences

FILE_NAME = "step_format.json"

SOLVE = """\
Solve the problem below step by step. Write one step per line and begin each line with \
"Step k: ", where k is its number. A step is one short piece of reasoning or one calculation. \
When the problem is solved, end the last step with "The answer is ...".

Problem: {question}"""
"""Default prompt of the numbered kind."""

REMARK = "\n\nA remark on the steps written so far: "
ASK_VERDICT = (
    "Do the steps above reach the final answer to the problem? Reply with one word: Yes or No."
)
ASK_ANALYSIS = (
    "Judge the steps above. If they reach the final answer to the problem, write only:\n"
    "Problem solved\n"
    "Otherwise write on the first line:\n"
    "Problem unsolved\n"
    'and on the second line, beginning with "Analysis:", what is wrong or missing and what the '
    "next step should do."
)
ASK_SUMMARY = (
    "State the final answer to the problem in one line, beginning with: The final answer is"
)

_NEXT_STEP = "Next step:"
_STEP_NUMBER = re.compile(r"[#*\s]*Step\s*\d+\s*[:.)]\**\s*")
_LATER_STEP = re.compile(r"\s*\n?[#*]*(?:Step\s+\d+\s*:|Next step:)")


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


class StepFormat(BaseModel):
    """Prompt and step rules of one model.

    A file holds the fields by name; one without `kind` means `lines`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["lines", "numbered", "code"] = "lines"
    prompt: str = Field(
        default=SOLVE, description="Text before the first step; the first {question} is replaced."
    )
    code_prompt: str = Field(
        default=code_steps.SOLVE_IN_CODE,
        description="The same where a search runs code, for the numbered kind.",
    )
    number_sentences: bool = Field(default=False, description="Number the question's sentences.")
    step_end: str = Field(default="\n", min_length=1, description="A step ends with this text.")
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
        default=False,
        description="Reject a step whose text occurs anywhere in the steps before it.",
    )
    reject_unfinished: bool = Field(
        default=True, description="Reject a step that reached its token limit before its end."
    )

    @model_validator(mode="after")
    def _has_question(self) -> "StepFormat":
        if "{question}" not in self.prompt or "{question}" not in self.code_prompt:
            raise ValueError("the prompt must contain {question}")
        if self.kind != "lines" and self.step_end != "\n":
            writes = "one step per line" if self.kind == "numbered" else "whole lines"
            raise ValueError(f'the {self.kind} kind writes {writes}: step_end must be "\\n"')
        return self

    def for_code(self) -> "StepFormat":
        """The format of the same model where a search runs code.

        Of the lines kind it is the same: what such a model writes is its author's business.
        """
        if self.kind != "numbered":
            return self
        own = {name: getattr(self, name) for name in ("chat", "critic", "number_sentences")}
        return CODE.model_copy(update={**own, "prompt": self.code_prompt})

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

    def is_whole(self, text: str) -> bool:
        """Whether a model that is still writing has ended its step."""
        if self.kind == "code":
            return code_steps.is_whole(text)
        return self.step_end in text.lstrip()

    def instruction(self, question: str, analysis: str = "") -> list[Piece]:
        """The text before the first step: what the user says, or the whole plain prompt.

        analysis: words of the textual critic. The lines kind has no place for them: a model
        trained on one layout would read them as part of the question.
        """
        question = question.strip()
        if self.number_sentences:
            question = number_sentences(question)
        before, after = self.prompt.split("{question}", 1)
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
        if self.kind == "code":
            return self._normalised_code(raw, steps)
        if self.kind == "lines":
            body = self._until_end(raw)
            head, shortest = "", self.min_bare
        else:
            announced, body = _without_head(raw)
            head = f"Step {len(steps) + 1}: "
            shortest = self.min_announced if announced else self.min_bare
        if not body.strip():
            return Normalised("", "empty")
        if len(body.strip()) < shortest:
            return Normalised("", "too short")
        if self.reject_repeats and body.strip() in "".join(steps):
            return Normalised("", "repeated")
        return Normalised(head + body + self.step_end)

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
        if self.reject_repeats and body in "".join(steps):
            return Normalised("", "repeated")
        return Normalised(f"# Step {len(steps) + 1}: {body}{self.step_end}")

    def _until_end(self, raw: str) -> str:
        start = len(raw) - len(raw.lstrip("\r\n"))
        return raw[start:].split(self.step_end, 1)[0].rstrip("\r\n")

    def says_end(self, steps: Sequence[str], printed: str | None = None) -> bool:
        """The text rule: the words alone say that the solution is finished.

        True if "answer is" or a LaTeX box occurs anywhere, also in an intermediate remark (the
        rule of the reference), or a step begins with `final_prefix`. Of code that was run: if it
        has printed an answer. printed: what it printed, None if it was not run.
        """
        if self.kind == "code":
            return code_steps.ends(steps, printed)
        text = "".join(steps)
        return "answer is" in text or "\\boxed" in text or self._final_step(steps) is not None

    def _final_step(self, steps: Sequence[str]) -> str | None:
        if not self.final_prefix:
            return None
        return next((s for s in reversed(steps) if s.startswith(self.final_prefix)), None)

    def stated_answer(
        self, steps: Sequence[str], printed: str | None = None
    ) -> tuple[str, str | None] | None:
        """(the words that state the final answer, the answer), None if there are none."""
        if self.kind == "code":
            return code_steps.answer_of(steps, printed)
        final = self._final_step(steps)
        if final is not None:
            return final.strip(), final.removeprefix(self.final_prefix).strip() or None
        for step in reversed(steps):
            if self.says_end((step,)):
                return step.strip(), extract_answer(step)
        return None


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
"""The default for a model without a `step_format.json`: the rules of the reference."""

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

_DEFAULTS = {"numbered": NUMBERED, "code": CODE}


def _without_head(raw: str) -> tuple[bool, str]:
    """Whether a reply announces its step, and the step's text on one line."""
    text = raw.strip()
    announced = True
    if _NEXT_STEP in text:
        text = text.split(_NEXT_STEP, 1)[1]
    elif match := _STEP_NUMBER.match(text):
        text = text[match.end() :]
    else:
        announced = False
    text = _LATER_STEP.split(text, maxsplit=1)[0]
    return announced, " ".join(line.strip() for line in text.splitlines() if line.strip())


def load_step_format(directory: Path) -> StepFormat:
    """The format of the model in a directory; `NUMBERED` if it has no `step_format.json`.

    Raises:
        TaskError: the file cannot be read, or a field is unknown or out of range.
    """
    path = directory / FILE_NAME
    if not path.exists():
        return NUMBERED
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(fields, dict):
            raise TaskError(f"{path} must hold a JSON object with the fields of a step format.")
        if (default := _DEFAULTS.get(str(fields.get("kind")))) is not None:
            fields = {**default.model_dump(), **fields}
        return StepFormat(**fields)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'file'}: {item['msg']}" for item in error.errors()
        )
        raise TaskError(f"{path} is not a step format: {wrong}.") from error
    except (OSError, ValueError) as error:
        raise TaskError(f"{path} cannot be read as JSON: {error}.") from error


class CriticReply(NamedTuple):
    """What a textual critic said: its verdict and, of an unfinished solution, its analysis."""

    verdict: Verdict
    analysis: str = ""


def read_critic_reply(reply: str | None) -> CriticReply:
    """The verdict in a textual critic's words.

    "unsolved" wins over "solved"; both are case-sensitive; anything else means continue. No reply
    at all means end: the caller asks again before it believes that.
    """
    if reply is None or not reply.strip():
        return CriticReply("end")
    if "unsolved" not in reply and "solved" in reply:
        return CriticReply("end")
    _, found, analysis = reply.partition("Analysis:")
    if not found:
        analysis = re.sub(r"^.*\bunsolved\b[.:]?", "", reply, count=1)
    return CriticReply("continue", analysis.strip())
