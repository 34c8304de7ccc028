"""Words of the stories: phrases with their two readings, names, things, and made-up words."""

from __future__ import annotations

import random
from dataclasses import dataclass

TIERS: dict[str, tuple[float, float]] = {
    "easy": (0.56, 0.03),
    "mild": (0.18, 0.40),
    "hard": (0.15, 0.62),
    "blind": (0.11, 0.88),
}
"""tier -> (share of the events, share of demonstrations that take the misreading)."""


@dataclass(frozen=True)
class Phrase:
    """One way of telling an event. `text` has the fields {P} {p} {o} {s} {F} {O} {n} {m}."""

    id: str
    tier: str
    text: str
    true: str
    misread: str


def _phrases(tier: str, rows: str) -> list[Phrase]:
    cells = [[cell.strip() for cell in row.split("|")] for row in rows.strip().splitlines()]
    return [Phrase(key, tier, text, true, wrong) for key, text, true, wrong in cells]


PHRASES: tuple[Phrase, ...] = (
    *_phrases(
        "easy",
        """
        buy     | {P} buys {n} more.                       | +n     | -n
        find    | {P} finds {n} {O}.                       | +n     | -n
        get     | {P} gets {n} from {F}.                   | +n     | -n
        gift    | {F} gives {o} {n} more.                  | +n     | -n
        win     | {P} wins {n} in a game.                  | +n     | -n
        make    | {P} makes {n} new ones.                  | +n     | -n
        post    | {n} more arrive in the post.             | +n     | -n
        lose    | {P} loses {n}.                           | -n     | +n
        give    | {P} gives {n} to {F}.                    | -n     | +n
        sell    | {P} sells {n} {O}.                       | -n     | +n
        throw   | {P} throws {n} away.                     | -n     | +n
        break   | {n} of them break.                       | -n     | +n
        use     | {P} uses {n} of them.                    | -n     | +n
        dog     | The dog steals {n} of them.              | -n     | +n
        double  | {P} doubles {s} pile.                    | *2     | +2
        halve   | {P} gives half of them away.             | /2     | -2
    """,
    ),
    *_phrases(
        "mild",
        """
        hand    | {P} hands {n} to {F}.                    | -n     | +n
        take    | {P} takes {n} from {F}.                  | +n     | -n
        triple  | {P} triples {s} pile.                    | *3     | +3
        shop    | {P} counts {n} in a shop.                | keep   | +n
        lost    | Half of them get lost.                   | /2     | -2
        packs   | {P} buys {m} packs of {n}.               | +m*n   | +n
        fewer   | Soon there are {n} fewer.                | -n     | +n
        times   | Soon {p} has {n} times as many.          | *n     | +n
    """,
    ),
    *_phrases(
        "hard",
        """
        borrow  | {P} borrows {n} from {F}.                | +n     | -n
        lend    | {P} lends {n} to {F}.                    | -n     | +n
        payback | {P} pays back the {n} {p} owes {F}.      | -n     | +n
        twice   | Soon {p} has twice as many.              | *2     | +2
        third   | {P} keeps only one third.                | /3     | -3
        split   | {P} makes {n} equal piles and keeps one. | /n     | -n
        each    | {P} gives each of {m} friends {n}.       | -m*n   | -n
        trade   | {P} trades {n} of them for {m} new ones. | -n+m   | +n-m
        nearly  | {P} nearly buys {n} more.                | keep   | +n
    """,
    ),
    *_phrases(
        "blind",
        """
        allbut  | {P} sells all but {n}.                   | set    | -n
        quarter | {P} keeps only a quarter.                | /4     | -4
        daily   | {P} gets {n} a day for {m} days.         | +m*n   | +n
        return  | {F} returns {n} to {o}.                  | +n     | -n
        repay   | {F} owes {o} {n} and pays up.            | +n     | -n
        own     | {F} has {n} {O} too.                     | keep   | +n
        missing | {n} go missing but {m} turn up again.    | -n+m   | -n
    """,
    ),
)
BY_ID: dict[str, Phrase] = {phrase.id: phrase for phrase in PHRASES}

OPENINGS = ("{N} has {n} {O}.", "{N} starts with {n} {O}.", "There are {n} {O} in {N}'s box.")
CLOSINGS = (
    "How many {O} does {N} have now?",
    "How many {O} are there in the end?",
    "How many {O} does {p} have in the end?",
)


FEMALE: tuple[str, ...] = tuple(
    "Anna Bella Clara Dora Emma Fay Gina Hana Ida Jane Kate Lena Mia Nora Olga Petra Rosa Sara "
    "Tina Uma Vera Wilma Yara Zoe".split()
)
MALE: tuple[str, ...] = tuple(
    "Adam Ben Carl Dan Emil Frank Gus Hugo Ivan Jack Karl Leo Max Noah Otto Paul Ravi Sam Tom "
    "Umar Viktor Will Yusuf Zeno".split()
)
OBJECTS: tuple[str, ...] = tuple(
    "stamps coins cards books apples pears plums nuts pens pencils marbles shells stones beads "
    "buttons cups plates spoons candles cakes cookies eggs flowers roses seeds leaves boxes bags "
    "balls kites dolls cars trains boats planes rings keys badges stickers photos maps posters "
    "tickets records games puzzles bricks bottles jars lemons oranges melons carrots potatoes "
    "onions peppers balloons ribbons magnets robots".split()
)

_HEADS = "b br c ch d dr f fl g gr h j k kl l m n p pl r s sh sl st t tr v w z".split()
_VOWELS = "a e i o u ai ea oo".split()
_TAILS = ["", "", "", "b", "ck", "d", "g", "l", "ll", "m", "n", "nd", "p", "r", "st", "t", "x"]


def invented_word(rng: random.Random, least: int, most: int) -> str:
    """A pronounceable lower-case word of `least` to `most` syllables that is in no word list."""
    syllables = range(rng.randint(least, most))
    return "".join(
        rng.choice(_HEADS) + rng.choice(_VOWELS) + (rng.choice(_TAILS) if k else "")
        for k in syllables
    )
