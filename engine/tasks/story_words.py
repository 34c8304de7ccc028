"""Words of the stories: names, things, and made-up words. Knows nothing of problems."""

from __future__ import annotations

import random

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
