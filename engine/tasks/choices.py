"""Answers that are chosen or said in words: an option, a judgement, a word for a blank.

A text that names two options, or says yes and no, has not answered: it is never right, whichever of
the two is. Nothing here takes a letter or a word for an answer because it occurs somewhere.
"""

import re
from typing import NamedTuple

LONGEST = 2000

OPTION = re.compile(
    r"options? (?P<letters>[A-Z](?:(?:, | and |, and )?[A-Z])*)(?:: (?P<text>\S.*))?", re.DOTALL
)
"""How a right answer says that it is an option, with the option's text or without."""

WORD_FOR_WORD = ", word for word"
"""How a right answer says that it is compared as words, at its end."""

JUDGEMENTS = {
    "yes": "yes",
    "true": "yes",
    "correct": "yes",
    "no": "no",
    "false": "no",
    "incorrect": "no",
    "untrue": "no",
    "maybe": "maybe",
}

_DRESS = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mbox|bf|rm)\b|[{}$*`\"\u201c\u201d]"
)
_HEAD = re.compile(
    r"(?:(?:so|thus|hence|therefore)\b,?\s*)?(?:(?:the|my)\s+)?"
    r"(?:(?:final|correct|right|best|most likely)\s+)*"
    r"(?:answer|option|choice)s?\b\s*(?:is|are|would be|must be)?\s*[:=]?\s*(?:both\s+)?|both\s+",
    re.IGNORECASE,
)
_LABEL = r"[(\[]?(?:[A-Z]|(?<=[(\[])[a-z])(?![\w'\u2019])[)\]]?"
_LABELS = re.compile(rf"{_LABEL}(?:\s*(?:,\s*(?:and\s+|or\s+)?|;|&|/|\band\b|\bor\b)\s*{_LABEL})*")
_SMALL = re.compile(
    r"(?:[(\[]?[a-z][)\]]?[.:]?|[a-z](?:\s*(?:,|&|\band\b)\s*[a-z])+)$"
    r"|(?:[(\[][a-z][)\]]|[a-z][.)])(?=\s)"
)
"""Small letters as labels: alone, in a list, or marked as a label; the article "a" is none."""

_TOGETHER = re.compile(r"[A-J](?:\s?[A-J])+")
_AFTER = re.compile(r"$|[.:,;]|\s*[-\u2013\u2014(]|\s+(?:is|are|was|because|since|as|for)\b")
DENIED = re.compile(r"\b(?:not|wrong|incorrect|false|neither|eliminate|rule out)\b|n't\b", re.I)
_RIVAL = re.compile(
    r"\b(?:or|nor|not|option|choice|answer|either)\s+[(\[]?([A-Z])(?![\w'])"
    r"|[(\[]([A-HJ-Z]|[a-f])[)\]]"
)
_OR_ANOTHER = re.compile(r"\s*(?:/|(?:or|and)\b)")
_OWN_LINE = re.compile(r"\n\s*[(\[]?([A-Z])[.):\]]\s")
_NAMED = re.compile(
    r"\b(?i:option|choice|answer|choose|pick|select)\s+[(\[]?([A-Z])(?![\w'])|[(\[]([A-Z])[)\]]"
    r"|\b([B-HJ-Z])\s+is\s+(?:the\s+)?(?:correct|right|best|true)\b"
)
_CODE = re.compile(r"(?![A-Za-z][a-z]+\d+$)\S*[A-Za-z]\d\S*|\S*[=#@]\S*|[A-Za-z][A-Z]")
"""A formula or code by whose letter case another is meant: "CO", "c1ccccc1"; not "sp3"."""

_MARKS = " .,;:!?'\"()[]"
_MARKS_BEFORE = re.compile(r"(?:[ ,;:!?'\"()\[\]]|\.(?!\d)|[-\u2013\u2014]+(?:\s|$))+")
_STROKES = (" -", " \u2013", " \u2014")

_NEGATIONS = {"not", "cannot", "never", "neither"}
_WORDS = re.compile(r"[A-Za-z']+")
_NO_JUDGEMENT = re.compile(
    r"\bno\s(?!(?:it|because|since|the|this|that|these|they|there|he|she|we|you|i|as|not|and|or|but"
    r"|for|an?)\b)(?=[a-z])",
    re.IGNORECASE,
)
"""The "no" of "no solution" and "no doubt"."""


class Choice(NamedTuple):
    """What is right: the letters of the options, and the text of a single one, "" if unknown."""

    letters: frozenset[str]
    text: str


def choice_of(gold: str) -> Choice | None:
    """What a right answer such as "option B", "option B: Tin" or "options A, C" names."""
    stated = OPTION.fullmatch(gold.strip())
    if stated is None:
        letters = letters_of(gold)
        return None if letters is None else Choice(letters, "")
    return Choice(frozenset(re.findall("[A-Z]", stated["letters"])), stated["text"] or "")


def chooses(answer: str, right: Choice) -> bool:
    """Whether an answer names the right options, or says the right one's text, and no other.

    A letter counts where it stands as one: at the beginning ("B", "(b)", "B. Tin", "option B is
    right"), or named as an option or in brackets further on ("Tin (B)"). A letter goes before the
    text after it, and before a text that is such a letter: "B" is never the option A, whose text
    is "B". Two letters for one option ("A or B", "B (not C)") are no answer.
    """
    if len(answer) > LONGEST:
        return False
    if right.text and len(right.letters) == 1 and not _is_letter(right.text):
        said = undressed(answer)
        stated = {_plain_words(said), _plain_words(_HEAD.sub("", said, count=1))}
        text = undressed(right.text)
        if stated & {_plain_words(text), normal_words(text)}:
            return True
    return letters_of(answer, right.text) == right.letters


def _is_letter(text: str) -> bool:
    """Whether an option's text could name an option itself, as those of blood groups do."""
    words = _plain_words(_HEAD.sub("", undressed(text), count=1))
    return bool(re.fullmatch("[A-Ja-j]", words))


def letters_of(answer: str, text: str = "") -> frozenset[str] | None:
    """The options that an answer names; None if it names none, or leaves open which.

    text: of the right option: after a letter it needs no mark between.
    """
    answer = answer[:LONGEST]
    said = undressed(answer).rstrip(".").strip()
    while (head := _HEAD.match(said)) and head.end():
        said = said[head.end() :]
    if small := _SMALL.match(said):
        raised = re.sub(r"\b[a-z]\b", lambda found: found[0].upper(), small[0])
        said = raised + said[small.end() :]
    if _TOGETHER.fullmatch(said):
        return frozenset(said.replace(" ", ""))
    listed = _LABELS.match(said)
    if listed is None:
        return _named(said)
    rest, found = said[listed.end() :], _capitals(listed[0])
    if rest and not (text and normal_words(rest) == normal_words(undressed(text))):
        closed = listed[0][-1] in ")]"
        if _OR_ANOTHER.match(rest):
            return None
        if not _AFTER.match(rest) and not (closed and rest[0].isspace()):
            return _named(said)
        if _disputed(rest, found, answer):
            return None
    left_open = len(found) > 1 and re.search(r"/|\bor\b", listed[0])
    return None if left_open else found


def _disputed(rest: str, found: frozenset[str], answer: str) -> bool:
    """Whether what follows a letter names another option, or takes it back."""
    others = {(one or other).upper() for one, other in _RIVAL.findall(rest)}
    others |= set(_OWN_LINE.findall(answer.strip()))
    taken_back = re.match(r"\s*(?:is|are)\s", rest) and DENIED.search(rest)
    return bool(others - found or taken_back)


def _capitals(listed: str) -> frozenset[str]:
    return frozenset(one.upper() for one in re.findall(r"\b[A-Za-z]\b", listed))


def _named(said: str) -> frozenset[str] | None:
    """The one letter that is named as an option anywhere, where none is denied."""
    found = {next(filter(None, groups)) for groups in _NAMED.findall(said)}
    return frozenset(found) if len(found) == 1 and not DENIED.search(said) else None


def judgement_of(text: str) -> str | None:
    """The judgement of a text: yes, no or maybe; None if it says none, or more than one.

    The words that it begins with count ("Yes, it is not ..."), else all that it says ("the claim is
    not correct"). "Yes and no" and "true or false" are none.
    """
    said = undressed(text)
    said = said if len(said) <= LONGEST else said[:LONGEST].rpartition(" ")[0]  # no half a word
    words = [word.lower() for word in _WORDS.findall(_NO_JUDGEMENT.sub("", said))]
    found: list[str] = []
    for place, word in enumerate(words):
        if word in ("or", "and") and found:
            continue
        if word in JUDGEMENTS:
            before = words[max(0, place - 3) : place]
            denied = any(one in _NEGATIONS or one.endswith("n't") for one in before)
            found.append(_denied(JUDGEMENTS[word]) if denied else JUDGEMENTS[word])
        elif found and JUDGEMENTS.get(words[0]):
            break  # what comes after the judgement says why
    return found[0] if len(set(found)) == 1 else None


def _denied(judgement: str) -> str:
    return {"yes": "no", "no": "yes"}.get(judgement, judgement)


def same_words(answer: str, gold: str) -> bool:
    """The same words: letter case, articles, quotes, LaTeX and the last full stop aside.

    Letter case counts in formulas and codes: "Co" is not "CO".
    """
    if len(answer) > LONGEST:
        return False
    return normal_words(undressed(answer)) == normal_words(undressed(gold))


def normal_words(text: str) -> str:
    """Words to be compared: in small letters, formulas and codes aside; no article before them, no
    marks around them.
    """
    return re.sub(r"^an?\s+(?=\S)", "", _plain_words(text))


def _plain_words(text: str) -> str:
    """As `normal_words`, but with "a" before them: it may be the letter of an option."""
    text = " ".join(text.split()).rstrip(_MARKS)
    while text.endswith(_STROKES):  # one that touches a word is the charge of an ion
        text = text[:-1].rstrip(_MARKS)
    text = text[before.end() :] if (before := _MARKS_BEFORE.match(text)) else text
    text = text if _CODE.fullmatch(text) else text.casefold()
    return re.sub(r"^the\s+(?=\S)", "", text)


def undressed(text: str) -> str:
    """Without the marks of LaTeX, Markdown and quotation that say how a text looks."""
    return " ".join(_DRESS.sub(" ", text.replace("\\(", "").replace("\\)", "")).split())
