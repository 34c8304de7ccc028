"""Word problems told as a short story: phrases, generator, parser, oracle.

A story opens with a number of things ("Frank has 27 stamps."), goes on with 1 to 7 events ("He
hands 15 to Anna.") and ends with a question ("How many stamps does Frank have now?"). Every value
on the way is an integer from 0 to 99. `parse` reads a question back into its events with one
regular expression per phrase, so the oracle needs nothing but the question's text.

A solution has one line per event, which restates the event and computes, and an answer line:

    2. He hands 15 to Anna: 27 - 15 = 12
    Answer: 12

Every phrase has a *true* reading and one *misreading*. The bundled policy is trained on
demonstrations that take the misreading at the rate of the phrase's tier (`TIERS`): that is how its
imperfection is engineered. This module knows neither models nor tokens.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from engine.tasks.story_words import (
    CLOSINGS,
    FEMALE,
    MALE,
    OBJECTS,
    OPENINGS,
    PHRASES,
    TIERS,
    Phrase,
    invented_word,
)

LIMIT = 99
"""Largest value that may occur in a story or on the way to its answer; the smallest is 0."""

MIN_EVENTS, MAX_EVENTS = 3, 7
"""Number of events (steps before the answer line) of the published problems."""

SPLITS: dict[str, range] = {
    "train": range(0, 80),
    "dev": range(80, 85),
    "pool": range(85, 93),
    "heldout": range(93, 100),
}
"""split -> buckets of `bucket`, which is a pure function of a problem's content."""

INVENTED_SHARE = 0.2
"""Share of names and of objects that are made up, so that copying is learnt, not a word list."""


@dataclass(frozen=True)
class Event:
    """One event: its phrase, its numbers (0 where unused) and its sentence, full stop included."""

    phrase: Phrase
    n: int
    m: int
    text: str


@dataclass(frozen=True)
class Story:
    """A problem. `question` is the whole text, one space between sentences."""

    question: str
    start: int
    events: tuple[Event, ...]

    @property
    def lines(self) -> int:
        """Lines of a complete solution, the answer line included."""
        return len(self.events) + 1

    @property
    def answer(self) -> int:
        return self.states()[-1]

    def states(self) -> list[int]:
        """Values before the first event and after each event; length `len(events) + 1`."""
        values = [self.start]
        for event in self.events:
            step = compute(event.phrase.true, values[-1], event.n, event.m)
            if step is None:
                raise ValueError(
                    f"{event.text!r} cannot follow {values[-1]}: whole numbers of 0-{LIMIT} only"
                )
            values.append(step[1])
        return values

    def solution(self) -> list[str]:
        """The right solution: one line per event and the answer line, without newlines."""
        values = self.states()
        lines = [self.line(k, values[k]) for k in range(len(self.events))]
        return [*(line for line in lines if line is not None), answer_line(values[-1])]

    def line(self, k: int, value: int, reading: str | None = None) -> str | None:
        """Line for event `k` (from 0) at `value`, read truly or as `reading`; None: impossible."""
        event = self.events[k]
        step = compute(reading or event.phrase.true, value, event.n, event.m)
        return None if step is None else f"{k + 2}. {restated(event.text)}: {step[0]}"


def restated(sentence: str) -> str:
    """A sentence as a step restates it: without its closing mark."""
    return sentence.rstrip(".!?")


def answer_line(value: int) -> str:
    """The last line of a solution."""
    return f"Answer: {value}"


def compute(reading: str, x: int, n: int, m: int) -> tuple[str, int] | None:
    """Apply a reading to the value `x`: (what the step writes, new value).

    None where it cannot be done with integers of 0-99 only.
    """
    if reading == "keep":
        return f"stays {x}", x
    if reading == "set":
        return (f"leaves {n}", n) if n <= x else None
    if reading in ("+m*n", "-m*n"):
        after = _op(x, reading[0], m * n)
        return _chain((f"{m} * {n}", m * n), (f"{x} {reading[0]} {m * n}", after))
    if reading in ("-n+m", "+n-m"):
        mid = _op(x, reading[0], n)
        after = -1 if mid is None else _op(mid, reading[2], m)
        return _chain((f"{x} {reading[0]} {n}", mid), (f"{mid} {reading[2]} {m}", after))
    k = n if reading[1] == "n" else int(reading[1])
    return _chain((f"{x} {reading[0]} {k}", _op(x, reading[0], k)))


def _op(x: int, sign: str, k: int) -> int | None:
    if sign == "/":
        return x // k if k > 0 and x % k == 0 else None
    return x + k if sign == "+" else x - k if sign == "-" else x * k


def _chain(*parts: tuple[str, int | None]) -> tuple[str, int] | None:
    written = []
    value = 0
    for text, result in parts:
        if result is None or not 0 <= result <= LIMIT:
            return None
        written.append(f"{text} = {result}")
        value = result
    return ", ".join(written), value


# --- splits -------------------------------------------------------------------------------------


def bucket(start: int, events: Sequence[Event]) -> int:
    """0-99, from the numbers and phrases alone: renaming people or things changes nothing."""
    content = f"{start}|" + "|".join(f"{e.phrase.id}:{e.n}:{e.m}" for e in events)
    return int.from_bytes(hashlib.sha256(content.encode()).digest()[:8], "big") % 100


def split_of(story: Story) -> str:
    """The split a story belongs to, a pure function of its content, so splits cannot overlap."""
    where = bucket(story.start, story.events)
    return next(name for name, buckets in SPLITS.items() if where in buckets)


# --- generator ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Demonstration:
    """A story with one way of solving it. `readings[k]` is the reading taken at event k."""

    story: Story
    steps: tuple[str, ...]
    readings: tuple[str, ...]

    @property
    def right(self) -> bool:
        events = self.story.events
        return all(r == e.phrase.true for r, e in zip(self.readings, events, strict=True))


def generate(
    rng: random.Random, events: int, split: str | None = None, invented: float = INVENTED_SHARE
) -> Story:
    """A random story with that many events, of one split if it is named.

    invented: share of names and things that are made up.
    """
    return demonstrate(rng, events, split, dict.fromkeys(TIERS, 0.0), invented=invented).story


def demonstrate(
    rng: random.Random,
    events: int,
    split: str | None = None,
    misread: dict[str, float] | None = None,
    balanced: bool = False,
    invented: float = INVENTED_SHARE,
) -> Demonstration:
    """A random story and a demonstration that misreads at the rates `misread` (tier -> rate).

    `misread` defaults to the rates of `TIERS`. With `balanced` every phrase is equally likely.
    `invented` is the share of names and things that are made up.
    Numbers are drawn so that both readings are possible and differ, on the true track as on the
    demonstrated one: the numbers do not tell which reading a demonstration took.
    """
    if split is not None and split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; there are {', '.join(SPLITS)}")
    rates = misread or {tier: rate for tier, (_, rate) in TIERS.items()}
    while True:
        plan = [_draw_phrase(rng, balanced) for _ in range(events)]
        readings = [p.misread if rng.random() < rates[p.tier] else p.true for p in plan]
        found = _draw_numbers(rng, plan, readings)
        if found is None:
            continue
        start, numbers = found
        story = _tell(rng, start, plan, numbers, invented)
        if split is None or split_of(story) == split:
            return _solve_as(story, tuple(readings))


def _solve_as(story: Story, readings: tuple[str, ...]) -> Demonstration:
    value, steps = story.start, []
    for k, (event, reading) in enumerate(zip(story.events, readings, strict=True)):
        line, step = story.line(k, value, reading), compute(reading, value, event.n, event.m)
        assert line is not None
        assert step is not None
        steps.append(line)
        value = step[1]
    return Demonstration(story, (*steps, answer_line(value)), readings)


@cache
def _tier_phrases(tier: str) -> tuple[Phrase, ...]:
    return tuple(p for p in PHRASES if p.tier == tier)


def _draw_phrase(rng: random.Random, balanced: bool) -> Phrase:
    if balanced:
        return rng.choice(PHRASES)
    tier = rng.choices(list(TIERS), [share for share, _ in TIERS.values()])[0]
    return rng.choice(_tier_phrases(tier))


def _draw_numbers(
    rng: random.Random, plan: list[Phrase], readings: list[str]
) -> tuple[int, list[tuple[int, int]]] | None:
    """Start value and (n, m) per event, or None when the plan led nowhere."""
    first = int(plan[0].true[1]) if plan[0].true[0] == "/" and plan[0].true[1] != "n" else 1
    start = first * rng.randint(-(-4 // first), 60 // first)
    true = shown = start
    numbers: list[tuple[int, int]] = []
    for k, phrase in enumerate(plan):
        ahead = plan[k + 1].true if k + 1 < len(plan) else ""
        factor = int(ahead[1]) if ahead[:1] == "/" and ahead[1] != "n" else 1
        for _ in range(24):
            n, m = _draw_pair(rng, phrase, true)
            outcome = _both(phrase, readings[k], true, shown, n, m)
            if outcome and outcome[0] % factor == 0 and outcome[1] % factor == 0:
                break
        else:
            return None
        numbers.append((n, m))
        true, shown = outcome
    return start, numbers


def _draw_pair(rng: random.Random, phrase: Phrase, x: int) -> tuple[int, int]:
    """Numbers of plausible size for a phrase at value `x`; 0 for a number it does not use."""
    if "{m}" in phrase.text:
        small = "*" in phrase.true
        top = 9 if small else 25
        return rng.randint(2, top), rng.randint(2, top if not small else 6)
    if "{n}" not in phrase.text:
        return 0, 0
    return rng.randint(2, 6 if phrase.true in ("*n", "/n") else max(4, min(48, x))), 0


def _both(
    phrase: Phrase, reading: str, true: int, shown: int, n: int, m: int
) -> tuple[int, int] | None:
    """Next (true, shown) values if both readings are possible and differ on both tracks."""
    after: list[int] = []
    for x, taken in ((true, phrase.true), (shown, reading)):
        results = {r: compute(r, x, n, m) for r in (phrase.true, phrase.misread)}
        ways = [step for step in results.values() if step is not None]
        if len(ways) < 2 or ways[0][1] == ways[1][1]:
            return None
        after.append(results[taken][1])  # type: ignore[index]
    return after[0], after[1]


def _tell(
    rng: random.Random,
    start: int,
    plan: list[Phrase],
    numbers: list[tuple[int, int]],
    invented: float,
) -> Story:
    female = rng.random() < 0.5
    name = _draw_name(rng, FEMALE if female else MALE, invented)
    thing = invented_word(rng, 2, 3) + "s" if rng.random() < invented else rng.choice(OBJECTS)
    words = {"N": name, "O": thing, "p": "she" if female else "he"}
    words |= {"o": "her", "s": "her"} if female else {"o": "him", "s": "his"}
    sentences = [rng.choice(OPENINGS).format(n=start, **words)]
    events = []
    for phrase, (n, m) in zip(plan, numbers, strict=True):
        subject = name if rng.random() < 0.2 else words["p"].capitalize()
        friend = _draw_name(rng, FEMALE + MALE, invented)
        text = phrase.text.format(P=subject, F=friend, n=n, m=m, **words)
        events.append(Event(phrase, n, m, text))
        sentences.append(text)
    sentences.append(rng.choice(CLOSINGS).format(**words))
    return Story(" ".join(sentences), start, tuple(events))


def _draw_name(rng: random.Random, names: tuple[str, ...], invented: float) -> str:
    if rng.random() < invented:
        return invented_word(rng, 2, 3).capitalize()
    return rng.choice(names)


# --- reading a question -------------------------------------------------------------------------

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_NAME, _WORD = r"[A-Z][\w'-]*", r"(?!more\b)[a-z][\w-]*(?: [a-z][\w-]*)?"
_FIELDS = {
    "P": f"(?:He|She|{_NAME})", "p": "(?:he|she)", "o": "(?:him|her)", "s": "(?:his|her)",
    "N": _NAME, "F": _NAME, "O": _WORD, "n": r"(?P<n>\d{1,2})", "m": r"(?P<m>\d{1,2})",
}  # fmt: skip


@cache
def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w)\}", template)
    return re.compile(
        "".join(_FIELDS[p] if k % 2 else re.escape(p) for k, p in enumerate(parts)) + r"\Z"
    )


def split_sentences(text: str) -> list[str]:
    """Sentences of any text: cut after . ! ? before white space, inner white space made single."""
    return _SENTENCE_END.split(" ".join(text.split())) if text.strip() else []


def number_sentences(text: str) -> str:
    """The text with its sentences numbered, as the bundled models read a question.

    "A has 2 nuts. He finds 3 nuts." -> "1. A has 2 nuts. 2. He finds 3 nuts."
    """
    return " ".join(f"{k}. {sentence}" for k, sentence in enumerate(split_sentences(text), 1))


@dataclass(frozen=True)
class Recognition:
    """Whether a question is a story of the known kinds (`bool(...)`), and if not, why not."""

    story: Story | None
    reason: str

    def __bool__(self) -> bool:
        return self.story is not None


def recognise(question: str) -> Recognition:
    """Read any question as a story. `reason` names the first sentence that does not fit."""
    sentences = split_sentences(question)
    if len(sentences) < 3:
        return Recognition(None, "a story needs an opening, at least one event and a question")
    first, *middle, last = sentences
    opening = _first_match(OPENINGS, first)
    if opening is None:
        return Recognition(None, f"not an opening of a known kind: {first!r}")
    if _first_match(CLOSINGS, last) is None:
        return Recognition(None, f"not a closing question of a known kind: {last!r}")
    if len(middle) > MAX_EVENTS:
        return Recognition(None, f"{len(middle)} events; the known stories have 1-{MAX_EVENTS}")
    events = []
    for sentence in middle:
        event = _read_event(sentence)
        if event is None:
            return Recognition(None, f"not an event of a known kind: {sentence!r}")
        events.append(event)
    story = Story(" ".join(sentences), int(opening["n"]), tuple(events))
    try:
        story.states()
    except ValueError as error:
        return Recognition(None, str(error))
    return Recognition(story, "")


def _first_match(templates: Sequence[str], sentence: str) -> re.Match[str] | None:
    return next((found for t in templates if (found := _pattern(t).match(sentence))), None)


def _read_event(sentence: str) -> Event | None:
    for phrase in PHRASES:
        found = _pattern(phrase.text).match(sentence)
        if found:
            numbers = {"n": "0", "m": "0"} | found.groupdict()
            return Event(phrase, int(numbers["n"]), int(numbers["m"]), sentence)
    return None


# --- oracle -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StepCheck:
    """What is known of one line. `v` is the paper's quality value of the prefix it ends, 0-1."""

    step_right: bool
    prefix_right: bool
    v: float


def check_steps(story: Story, steps: Sequence[str]) -> list[StepCheck]:
    """Judge each line of a (partial) solution.

    `step_right`: the line restates its event (same phrase and numbers; how names are spelt does not
    matter) and computes truly from the result of the line before it, right or wrong.
    `prefix_right`: it and all lines before it are right.
    """
    checks: list[StepCheck] = []
    value: int | None = story.start
    prefix = True
    for k, text in enumerate(steps):
        line = text.strip()
        if value is None or k >= story.lines:
            right = False
        elif k < len(story.events):
            right = _says(line, story.line(k, value))
        else:
            right = line == answer_line(value)
        prefix = prefix and right
        depth = len(checks) + 1
        before = checks[-1].v if checks else 0.0
        wrong_at = next((i for i, c in enumerate(checks, 1) if not c.prefix_right), depth)
        distance = story.lines - wrong_at + 2
        v = depth / story.lines if prefix else max(0.0, before - (1 - before) / distance)
        checks.append(StepCheck(right, prefix, v))
        last = re.search(r"(\d+)\D*\Z", line)
        value = int(last[1]) if last else None
    return checks


def _says(line: str, expected: str | None) -> bool:
    """Whether a line says what the expected one says, names aside."""
    if expected is None or line == expected:
        return line == expected
    (number, event, sum_), (number_2, event_2, sum_2) = _parts(line), _parts(expected)
    return (number, sum_) == (number_2, sum_2) and event is not None and event == event_2


def _parts(line: str) -> tuple[str, tuple[str, int, int] | None, str]:
    """(number, event without its wording, calculation) of a line."""
    head, _, calculation = line.rpartition(": ")
    number, _, sentence = head.partition(". ")
    event = _read_event(f"{sentence}.")
    content = None if event is None else (event.phrase.id, event.n, event.m)
    return number, content, calculation
