"""How many replies of the policy gave no step, and why."""

from collections.abc import Iterable

import msgspec

from engine import events as ev
from engine.models.base import ENDED

_MOST_REASONS = 20
_SHOWN_REASONS = 3
_SHOWN_CHARACTERS = 60
_OTHER = "other reasons"


class Refusals(msgspec.Struct, frozen=True):
    """Replies that were asked for, and those that were refused.

    Attributes:
        asked: replies to proposals, second tries included.
        refused: of these, the ones that gave no step, but for those that ended the solution.
        reasons: how many by reason; details after a colon do not count as another reason.
        example: a refused reply as the policy wrote it, "" if none or nothing was written.
        example_reason: why that was refused, "" if nothing was.
    """

    asked: int = 0
    refused: int = 0
    reasons: dict[str, int] = {}
    example: str = ""
    example_reason: str = ""

    def __add__(self, other: "Refusals") -> "Refusals":
        reasons = dict(self.reasons)
        for reason, count in other.reasons.items():
            known = reason in reasons or len(reasons) < _MOST_REASONS
            name = reason if known else _OTHER
            reasons[name] = reasons.get(name, 0) + count
        first = self if self.example or (self.refused and not other.example) else other
        return Refusals(
            self.asked + other.asked,
            self.refused + other.refused,
            reasons,
            first.example,
            first.example_reason,
        )


def refusals(accepted: int, rejected: Iterable[ev.Rejected]) -> Refusals:
    """Of proposals of which so many gave a step and these gave none."""
    all_rejected = list(rejected)
    refused = [item for item in all_rejected if item.reason != ENDED]
    found = Refusals(accepted + len(all_rejected))
    for item in refused:
        reason = item.reason.partition(":")[0][:_SHOWN_CHARACTERS] or "no reason given"
        found += Refusals(0, 1, {reason: 1}, item.raw, reason)
    return found


def of_event(event: ev.Event) -> Refusals:
    """What one event tells."""
    match event:
        case ev.Expanded():
            return refusals(len(event.proposals), event.rejected)
        case ev.Added(origin="policy"):
            return refusals(len(event.children), event.rejected)
        case ev.RolledOut():
            return refusals(
                sum(len(step.candidates) for step in event.steps),
                [item for step in event.steps for item in step.rejected],
            )
        case _:
            return Refusals()


def total(parts: Iterable[Refusals]) -> Refusals:
    """All of them together."""
    return sum(parts, Refusals())


def in_words(found: Refusals) -> str:
    """Such as "12 of 400 proposals (3 %): 8 too short, 4 repeated, such as ..."; "" for none."""
    if not found.refused:
        return ""
    share = 100 * found.refused / found.asked if found.asked else 100.0
    percent = f"{share:.0f}" if share >= 1 else f"{share:.1g}"
    ordered = sorted(found.reasons.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{count:,} {reason}" for reason, count in ordered[:_SHOWN_REASONS]]
    if rest := sum(count for _, count in ordered[_SHOWN_REASONS:]):
        named.append(f"{rest:,} otherwise")
    words = f"{found.refused:,} of {found.asked:,} proposals ({percent} %): {', '.join(named)}"
    if example := " ".join(found.example.split()):
        short = example if len(example) <= _SHOWN_CHARACTERS else f"{example[:59]}…"
        words += f", such as {short!r} ({found.example_reason})"
    return words
