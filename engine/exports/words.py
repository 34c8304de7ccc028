"""Somebody's text where it is drawn: nothing hidden in it, and no longer than there is room for."""

import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_SHAPING = "\u200c\u200d"  # joiners only shape letters and emoji


def legible(text: str, kept: str = "\n") -> str:
    """The text with control characters and marks of direction written out, but for those kept."""
    return "".join(
        character
        if character in kept
        or unicodedata.category(character) not in _HIDDEN
        or character in _SHAPING
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def shortened(text: str, most: int) -> str:
    """One line of at most so many characters; an ellipsis stands for the rest."""
    words = " ".join(legible(text[: 4 * most]).split())
    whole = len(words) <= most and len(text) <= 4 * most
    return words if whole else f"{words[: most - 1]}…"
