"""Questions with options: how they are shown to a model, and which of them is right.

Datasets write options as a list, an object, one text or a column each, and the right one as a
letter, an index or its text. Where an answer can be read in two ways the row is refused: a wrong
answer that counts as right is worse than a question less. How an answer is compared with the right
one is in `engine.tasks.choices`.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from string import ascii_uppercase

import msgspec

from engine.errors import TaskError
from engine.tasks.cells import same_name, written
from engine.tasks.choices import JUDGEMENTS
from engine.tasks.tables import kind_of

FIELDS = ("options", "choices", "question.choices", "answer_choices", "endings")
"""Fields that hold all options."""

_WRONG_FIELD = re.compile(r"(?:incorrectanswer|wronganswer|distractor)s?\d*")
_COLUMN = re.compile(
    r"(?P<kind>)(?P<label>[A-J])"
    r"|(?P<kind2>(?i:option|choice|answer|opt?)[ _]?)(?P<label2>[A-Ja-j])"
    r"|(?P<kind3>(?i:option|choice|ending)[ _]?)(?P<label3>\d)"
)
_LABEL = r"[(\[]? ?([A-Za-z]) ?[)\].:\uff0e\uff1a\u3001]"
_LABELLED = re.compile(rf"{_LABEL}\s*(?=\S)")
_LABEL_IN_TEXT = re.compile(rf"(?:^|(?<=[\s,;\u3000])){_LABEL}(?=\s|\S)")
_QUOTED = re.compile(r"\s*(?:'((?:\\.|[^'\\])*)'|\"((?:\\.|[^\"\\])*)\")\s*(,|$)", re.DOTALL)
_LETTER = re.compile(r"[(\[]?([A-Za-z])[)\].:]?")
_LETTERS = re.compile(r"[A-Z](?:[\s,;&/\u3001]*(?:and\s+)?[A-Z])*")
_MOST = len(ascii_uppercase)
_TEXTS = ("text", "value", "content", "option")
_LABELS = ("label", "key", "id", "letter")


class Options(msgspec.Struct, frozen=True):
    """The options of a question, in the order in which they are shown.

    Attributes:
        texts: of each.
        labels: what its dataset calls each: "A", or "1".
        numbers: whether the dataset writes them as numbers.
    """

    texts: list[str]
    labels: list[str]
    numbers: bool = False


def option_columns(there: Iterable[str]) -> list[str]:
    """Fields that hold an option each, in their order: A, B, C; "Option 1", "Option 2"."""
    groups: dict[str, dict[str, str]] = {}
    for field in there:
        if found := _COLUMN.fullmatch(field):
            kind = next(one for one in found.group("kind", "kind2", "kind3") if one is not None)
            label = next(filter(None, found.group("label", "label2", "label3")))
            groups.setdefault(same_name(kind), {})[label.upper()] = field
    best: list[str] = []
    for columns in groups.values():
        for labels in (ascii_uppercase, "0123456789", "123456789"):
            run = [columns[label] for label in labels[: _run(labels, columns)]]
            best = run if len(run) > max(1, len(best)) else best
    return best


def _run(labels: str, there: Iterable[str]) -> int:
    """How many labels are there from the first one on."""
    held = set(there)
    return next((place for place, label in enumerate(labels) if label not in held), len(labels))


def wrong_fields(there: Iterable[str]) -> list[str]:
    """Fields with what is wrong beside the right answer: "Incorrect Answer 1", "distractor1"."""
    return [field for field in there if _WRONG_FIELD.fullmatch(same_name(field))]


def options_of(field: str, value: object) -> Options | None:
    """The options in one cell; None where it is empty: then the question has none.

    Raises:
        TaskError: they cannot be told apart, one is empty, or there are fewer than 2 or more than
            26.
    """
    if isinstance(value, str) and value.strip():
        value = _listed(value.strip()) or _labelled(value.strip(), whole=True)
        if not value:
            raise TaskError(f"{field!r} is one text in which no options are marked")
    if value is None or isinstance(value, str):
        return None
    if isinstance(value, dict):
        texts, labels = value.get("text", value.get("choices")), value.get("label")
        if isinstance(texts, list) and isinstance(labels, list) and len(texts) == len(labels):
            value = dict(zip([written(field, one) for one in labels], texts, strict=True))
            if len(value) < len(texts):
                raise TaskError(f"{field!r} has a label twice")
        elif isinstance(texts, list):
            value = texts
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        value = _of_objects(field, value)
    if isinstance(value, dict):
        return _checked(field, list(value.values()), [str(label) for label in value])
    if isinstance(value, list):
        return _checked(field, value, list(ascii_uppercase[: len(value)]))
    raise TaskError(f"{field!r} is {kind_of(value)}, not a list of options")


def options_in_columns(fields: Sequence[str], values: Sequence[object]) -> Options | None:
    """The options in columns, those that are empty at the end left out; None if all are."""
    held = [None if isinstance(value, str) and not value.strip() else value for value in values]
    while held and (held[-1] is None or held[-1] != held[-1]):
        held.pop()
    if not held:
        return None
    labels = [found[1] for field in fields if (found := re.search(r"(\w)$", field))]
    return _checked(", ".join(fields), held, labels[: len(held)])


def mixed(question: str, texts: Iterable[str]) -> list[str]:
    """The right option and the wrong ones in an order that tells neither, always the same."""
    return sorted(texts, key=lambda one: hashlib.sha256(f"{question}\0{one}".encode()).digest())


def _of_objects(field: str, items: list[dict[str, object]]) -> dict[str, object]:
    """Options that are objects with a text and a label."""
    found: dict[str, object] = {}
    for place, item in enumerate(items):
        text = next((item[name] for name in _TEXTS if name in item), None)
        label = next((item[name] for name in _LABELS if name in item), None)
        named = ascii_uppercase[place % _MOST] if label is None else written(field, label)
        if named in found:
            raise TaskError(f"{field!r} has the label {named[:20]!r} twice")
        found[named] = text
    return found


def _checked(field: str, values: list[object], labels: list[str]) -> Options:
    if not 2 <= len(values) <= _MOST:
        count = f"{len(values)} option{'s' * (len(values) != 1)}"
        raise TaskError(f"{field!r} has {count}; there can be 2 to {_MOST}")
    texts = []
    for place, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise TaskError(f"option {ascii_uppercase[place]} of {field!r} is {kind_of(value)}")
        texts.append(written(field, value))
    own = [_LABELLED.match(text) for text in texts]
    if all(m and m[1].upper() == ascii_uppercase[k] for k, m in enumerate(own)):
        texts = [text[m.end() :] for text, m in zip(texts, own, strict=True) if m]
    if "" in texts:
        raise TaskError(f"option {ascii_uppercase[texts.index('')]} of {field!r} is empty")
    numbers = all(isinstance(value, (int, float)) for value in values)
    return Options(texts, labels, numbers)


def _listed(text: str) -> list[object] | None:
    """A list that a table holds as text, as JSON or Python writes it."""
    if not (text.startswith("[") and text.endswith("]")):
        return None
    try:
        value = json.loads(text)
        return value if isinstance(value, list) else None
    except (ValueError, RecursionError):
        pass
    inside, place, found = text[1:-1].strip(), 0, list[object]()
    while place < len(inside):
        item = _QUOTED.match(inside, place)
        if item is None:
            return None
        said = item[1] if item[1] is not None else item[2]
        found.append(re.sub(r"\\(['\"\\])", r"\1", said))
        place = item.end()
    return found


def _labelled(text: str, whole: bool = False) -> list[str]:
    """The options that a text lists: "A) 3 B) 4", none if it lists fewer than two from A on.

    Labels that begin lines go before others, capitals before small letters, and of two lists of the
    same length the later one is taken.

    whole: the text is nothing but options.
    """
    marks = list(_LABEL_IN_TEXT.finditer(text))
    runs = [
        _longest_run([mark for mark in marks if mark[1].isupper() == capital and begins(mark)])
        for begins in (_begins_line, lambda _: True)
        for capital in (True, False)
    ]
    run = next((run for run in runs if len(run) > 1), [])
    if not run or (whole and run[0].start() > 0):
        return []
    ends = [mark.start() for mark in run[1:]] + [len(text)]
    found = [text[mark.end() : end] for mark, end in zip(run, ends, strict=True)]
    return [one.strip().rstrip(",;").strip() for one in found]


def _begins_line(mark: re.Match[str]) -> bool:
    return not mark.string[: mark.start()].rpartition("\n")[2].strip()


def _longest_run(marks: Sequence[re.Match[str]]) -> list[re.Match[str]]:
    """Marks A, B, C ... one after the other."""
    runs: list[list[re.Match[str]]] = []
    for mark in marks:
        if mark[1].upper() == "A":
            runs.append([mark])
        elif runs and mark[1].upper() == ascii_uppercase[len(runs[-1]) % _MOST]:
            runs[-1].append(mark)
    return max(reversed(runs), key=len, default=[])


def shown(question: str, options: Options, several: bool = False) -> str:
    """A question with its options, as a model is asked it.

    several: whether more than one is right.
    """
    asks = "letters of the right options" if several else "letter of the right option"
    listed = "\n".join(
        f"{letter}. {text}" for letter, text in zip(ascii_uppercase, options.texts, strict=False)
    )
    if [_plain(one) for one in _labelled(question)] == [_plain(one) for one in options.texts]:
        return f"{question}\n\nAnswer with the {asks}."
    return f"{question}\n\n{listed}\n\nAnswer with the {asks}."


def stated(options: Options, right: Iterable[int]) -> str:
    """The right options as they are compared: "option B: Tin", "options A, C"."""
    places = sorted(set(right))
    letters = ", ".join(ascii_uppercase[place] for place in places)
    if len(places) > 1:
        return f"options {letters}"
    text = _plain(options.texts[places[0]])
    alone = sum(_plain(one).casefold() == text.casefold() for one in options.texts) == 1
    return f"option {letters}: {text}" if alone else f"option {letters}"


def right_places(field: str, value: object, options: Options, first: int = 0) -> list[int]:
    """Which options an answer says are right.

    Args:
        field: of the answer.
        value: a letter or several, a label, an index, an option's text, or a list of such.
        options: of the question.
        first: the index of the first option.

    Raises:
        TaskError: it is none of the options, or can be read as two.
    """
    items = value if isinstance(value, list) else [value]
    return sorted({place for item in items for place in _read(field, item, options, first)})


def _read(field: str, value: object, options: Options, first: int) -> frozenset[int]:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    said = str(value) if isinstance(value, (bool, list, dict)) else written(field, value)
    read = [_by_judgement(value, options)]
    if not isinstance(value, bool):
        read = [_by_label(said, options), _by_index(said, options, first)]
        if not isinstance(value, int) or options.numbers or not any(read):
            read.append(_by_text(said, options))  # else a number among texts is an index
    readings = {reading for reading in read if reading}
    if len(readings) == 1:
        return next(iter(readings))
    if readings:
        raise TaskError(f"{field!r} is {said[:40]!r}: it could be one option or another")
    raise TaskError(f"{field!r} is {said[:60]!r}, none of the {len(options.texts)} options")


def _by_judgement(value: object, options: Options) -> frozenset[int] | None:
    meant = "yes" if value else "no"
    said = [JUDGEMENTS.get(_plain(text).casefold().rstrip(".")) for text in options.texts]
    return frozenset({said.index(meant)}) if said.count(meant) == 1 else None


def _by_label(said: str, options: Options) -> frozenset[int] | None:
    labels = [label.casefold() for label in options.labels]
    if said.casefold() in labels:
        return frozenset({labels.index(said.casefold())})
    if (letter := _LETTER.fullmatch(said)) and letter[1].casefold() in labels:
        return frozenset({labels.index(letter[1].casefold())})
    if _LETTERS.fullmatch(said):
        places = [labels.index(one.casefold()) if one.casefold() in labels else -1
                  for one in re.findall("[A-Z]", said)]  # fmt: skip
        return frozenset(places) if min(places) >= 0 and len(set(places)) == len(places) else None
    labelled = _LABELLED.match(said)
    if labelled and labelled[1].casefold() in labels:
        place = labels.index(labelled[1].casefold())
        return frozenset({place}) if _same(said[labelled.end() :], options.texts[place]) else None
    return None


def _by_text(said: str, options: Options) -> frozenset[int] | None:
    found = [place for place, text in enumerate(options.texts) if _plain(said) == _plain(text)]
    found = found or [place for place, text in enumerate(options.texts) if _same(said, text)]
    return frozenset(found) if len(found) == 1 else None


def _by_index(said: str, options: Options, first: int) -> frozenset[int] | None:
    if not (said.isascii() and said.isdigit() and len(said) < 4):
        return None
    if any(label.isdigit() for label in options.labels):
        return None  # they are called by their numbers
    place = int(said) - first
    return frozenset({place}) if 0 <= place < len(options.texts) else None


def named_in(content: str, answer: str) -> str:
    """A right answer that is nothing but letters of options that the question lists, in the words
    by which it is compared; "" if it is another.
    """
    if len(answer) > 2 * _MOST or not (_LETTER.fullmatch(answer) or _LETTERS.fullmatch(answer)):
        return ""
    texts = _labelled(content)
    if len(texts) < 2 or len(texts) > _MOST:
        return ""
    options = Options(texts, list(ascii_uppercase[: len(texts)]))
    places = _by_label(answer, options)
    if not places:
        return ""
    found = stated(options, places)
    # A label that is written otherwise leaves two options in one text.
    return found.partition(":")[0] if _LABEL_IN_TEXT.search(found.partition(":")[2]) else found


def _plain(text: str) -> str:
    return " ".join(text.split())


def _same(one: str, other: str) -> bool:
    return _plain(one).casefold().rstrip(".") == _plain(other).casefold().rstrip(".")
