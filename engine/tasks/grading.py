"""Reading final answers and judging them; nothing in a text is ever evaluated.

A right answer may say itself how it is to be compared, in words that a person can read: "option B",
"Yes", "9.8 m/s^2 within 5 %", "24 from 1 1 4 6, each once". So it needs nothing beside it, in a
file or in a log.

Most answers are numbers and are compared exactly, here and at once. Anything else (LaTeX, tuples,
expressions) goes to a computer algebra system in a helper process, which is ended when it exceeds
its deadline. This module knows no models and no search.
"""

import ast
import re
from collections import Counter
from collections.abc import Callable
from fractions import Fraction

from engine.errors import TaskError
from engine.tasks.algebra import same_value
from engine.tasks.measures import Measure, measure_of, same_measure

Checker = Callable[[str, str], bool | None]
"""(answer, gold) -> right or wrong; None: could not be decided."""

LONGEST = 2000
LONGEST_WORDS = 8_000
"""Longer answers, in characters, are taken for wrong without a look."""

_ANSWER_IS = re.compile(r"answer is\s*:?\s*(.*)", re.IGNORECASE | re.DOTALL)
_LABEL = re.compile(r"(?:^|\n)\s*(?:final\s+)?answer\s*:\s*(.*)", re.IGNORECASE)
_NUMBER = r"[-+\u2212]?\s?(?:\d{1,3}(?:[,\u202f\u00a0]\d{3})+|\d+)(?:\.\d+)?|[-+\u2212]?\s?\.\d+"
_LAST_NUMBER = re.compile(rf"(?<![\w.])(?:{_NUMBER})(?:\s*/\s*\d+)?(?:\s?%)?")
_SIGNS = r"[-+\u2212]"
_SIGN = rf"(?P<sign>{_SIGNS})?"
_PERCENT = re.compile(r"\s*(?:\\?%|\bper\s?cent)$")
_PLAIN = re.compile(
    rf"{_SIGN}(?P<whole>\d{{1,3}}(?:[,\u202f\u00a0 ]\d{{3}})+|\d+)?(?P<decimals>\.\d+)?"
    r"(?:e(?P<exponent>[-+]?\d{1,3}))?"
)
_RATIO = re.compile(rf"{_SIGN}(?P<over>[\d,]+(?:\.\d+)?)/(?P<under>[-\u2212]?[\d,]+(?:\.\d+)?)")
_MIXED = re.compile(rf"{_SIGN}(?P<whole>\d+)\s+(?P<over>\d+)/(?P<under>\d+)")
_LATEX_RATIO = re.compile(
    r"(?P<sign>[-+\u2212])?(?P<whole>\d+)?\s*\\[dt]?frac\s*"
    r"(?:\{\s*(?P<over>-?\d+)\s*\}|(?P<over1>\d))\s*(?:\{\s*(?P<under>-?\d+)\s*\}|(?P<under1>\d))"
)
_NAME = re.compile(r"\\?[A-Za-z]\w{0,15}(?:\s*\(\s*[A-Za-z]\s*\))?\s*=\s*(?P<rest>[^=<>]+)")
_WORD = r"[A-Za-z\u00b0\u00b5]"
_UNIT = re.compile(
    r"(?P<number>.*?[\d.}\)])(?:\\[,; ]|~|\s)*"
    r"(?:\\(?:text|mathrm|textrm|operatorname|mbox)\s*\{\s*(?P<latex>[^{}]*)\}"
    rf"|(?P<word>{_WORD}{{2}}[A-Za-z/.\u00b2\u00b3 ]*|[mgshlLVWANJCFK\u00b0]))"
    r"(?:\^\{?[23]\}?|[\u00b2\u00b3])?"
)
"""A number and its unit: a word, or one letter that is a unit rather than a variable."""

_WITHIN = re.compile(r"(?P<measure>.+) within (?P<percent>\d{1,2}(?:\.\d+)?) ?%")
_FROM = re.compile(r"\d+ from \d+(?:,? \d+)*(?:, each once)?")
_OPTION = re.compile(r"options? (?P<letters>[A-Z](?:(?:, | and |, and )?[A-Z])*)")
_LETTER = re.compile(r"[(\[]?([A-Z])(?:[)\]]|[.:](?=\s|$)|$)[\s\S]*")
_LETTERS = re.compile(r"[(\[]?[A-Z][)\]]?(?:(?:\s*[,;&]\s*|\s+and\s+|\s*)[(\[]?[A-Z][)\]]?)*")
_DRESS = re.compile(r"\\(?:text|textbf|mathrm|mathbf|bf|rm)\b|[{}$*]")
_JUDGEMENTS = {
    "yes": "yes",
    "true": "yes",
    "correct": "yes",
    "no": "no",
    "false": "no",
    "incorrect": "no",
    "maybe": "maybe",
}

_EACH = ", each once"
_SIGNS_WRITTEN = {"\u00d7": "*", "\u00f7": "/", "\u2212": "-", "\\left": "", "\\right": ""}
_SIGNS_WRITTEN |= {"\\times": "*", "\\cdot": "*", "\\div": "/", "[": "(", "]": ")"}
_CURRENCY = "$\u20ac\u00a3\u00a5\u20b9"


def extract_answer(text: str) -> str | None:
    r"""The final answer in a model's words, None if there is none.

    In this order: the last LaTeX box; what follows the last "answer is" or "Answer:"; a text that
    is nothing but an answer; the last number. Only the end of a very long text is looked at.
    """
    text = text[-LONGEST_WORDS:]
    boxed = _last_box(text)
    if boxed is not None:
        return _trimmed(boxed) or None
    marked = _after_marker(text)
    if marked is not None:
        return marked
    bare = text.strip()
    if "\n" not in bare and (number_of(bare) is not None or _one_formula(bare) or _chosen(bare)):
        return _trimmed(bare) or None
    numbers = _LAST_NUMBER.findall(text)
    return numbers[-1].strip() if numbers else None


def _last_box(text: str) -> str | None:
    start = max(text.rfind("\\boxed{"), text.rfind("\\fbox{"))
    if start < 0:
        return None
    depth, begin = 0, text.index("{", start)
    for position in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return text[begin + 1 : position]
    return text[begin + 1 :]


def _after_marker(text: str) -> str | None:
    """What follows the last marker: its formula if there is one, else its first sentence."""
    found = None
    for pattern in (_LABEL, _ANSWER_IS):
        last = None
        start = 0
        while match := pattern.search(text, start):
            last, start = match, match.start(1)
        found = found or last
    if found is None:
        return None
    rest = found.group(1).strip()
    formula = re.match(r"\$\$?(.+?)\$\$?(?!\d)|\\\((.+?)\\\)|\\\[(.+?)\\\]", rest, re.DOTALL)
    if formula:
        return _trimmed(next(group for group in formula.groups() if group is not None)) or None
    sentence = re.split(r"\.(?=\s|$)|\n", rest, maxsplit=1)[0]
    return _trimmed(sentence) or None


def _chosen(text: str) -> bool:
    """Whether a text is no more than a letter or a judgement."""
    word = text.strip("()*. ")
    return bool(re.fullmatch("[A-J]", word)) or word.lower() in _JUDGEMENTS


def _one_formula(text: str) -> bool:
    return bool(re.fullmatch(r"\$[^$]+\$|\\\(.+\\\)|\\\[.+\\\]", text))


def _trimmed(text: str) -> str:
    """Without the marks around an answer: dollars of a formula, bold stars, a full stop."""
    text = text.strip().strip("*`").strip()
    for opening, closing in (("\\(", "\\)"), ("\\[", "\\]"), ("$$", "$$"), ("$", "$")):
        if text.startswith(opening) and text.endswith(closing) and len(text) > len(opening) * 2:
            text = text[len(opening) : -len(closing)].strip()
    text = re.sub(r"[.,;:]$", "", text).strip()
    return text.strip("*`").strip()


def number_of(text: str) -> Fraction | None:
    """The exact number that a text states, None if it states none or more than one.

    Reads thousands separators, decimals, fractions (plain, mixed and LaTeX), percentages (50 % is
    1/2), currency signs, a unit after the number, and "x = 5" as 5.
    """
    return _quantity(text)[0]


def _quantity(text: str) -> tuple[Fraction | None, str]:
    """The number that a text states and its unit, "" without one."""
    if len(text) > LONGEST:
        return None, ""
    text = _trimmed(text)
    if named := _NAME.fullmatch(text):
        text = _trimmed(named.group("rest"))
    text = text.replace("\\!", "").replace("{,}", ",").replace("\\$", "$")
    text = re.sub(r"\\left|\\right|^\\approx|^about\b", "", text).strip()
    percent = _PERCENT.search(text)
    if percent:
        text = text[: percent.start()]
    text = re.sub(rf"^({_SIGNS}?)\s*(?:[{_CURRENCY}]\s*)?", r"\1", text)
    value, unit = _bare_number(text), ""
    if value is None and (united := _UNIT.fullmatch(text)):
        value = _bare_number(united["number"])
        unit = (united["latex"] or united["word"] or "").strip()
    if value is None:
        return None, ""
    return (value / 100, "") if percent else (value, unit)


def _bare_number(text: str) -> Fraction | None:
    text = text.strip().strip(_CURRENCY).strip()
    for pattern, read in ((_PLAIN, _plain), (_RATIO, _ratio), (_MIXED, _ratio)):
        if text and (match := pattern.fullmatch(text.replace(" / ", "/"))):
            return read(match)
    if match := _LATEX_RATIO.fullmatch(text):
        return _ratio(match)
    return None


def _plain(match: re.Match[str]) -> Fraction | None:
    whole, decimals = match["whole"], match["decimals"]
    if whole is None and decimals is None:
        return None
    digits = re.sub(r"\D", "", whole or "0")
    value = Fraction(digits + (decimals or "")) * Fraction(10) ** int(match["exponent"] or 0)
    return -value if match["sign"] in ("-", "\u2212") else value


def _ratio(match: re.Match[str]) -> Fraction | None:
    groups = match.groupdict()
    over, under = (
        Fraction(
            (groups[name] or groups.get(f"{name}1") or "0").replace(",", "").replace("\u2212", "-")
        )
        for name in ("over", "under")
    )
    if under == 0:
        return None
    value = Fraction(groups.get("whole") or 0) + over / under
    return -value if groups["sign"] in ("-", "\u2212") else value


def check_exact(answer: str, gold: str) -> bool:
    """The same text, letter case and white space aside."""
    first, second = (" ".join(_trimmed(text).split()).casefold() for text in (answer, gold))
    return first == second


def check_numeric(answer: str, gold: str) -> bool | None:
    """The same number exactly; None if the gold answer is none.

    A percentage is also right where the gold answer is the bare number of percents, and the other
    way round: "50 %" matches both "50" and "0.5". A unit counts only where both answers have one;
    they agree if they are the same or one abbreviates the other ("m", "metres"; not "m", "mm").
    """
    wanted, wanted_unit = _quantity(gold)
    if wanted is None:
        return None
    given, unit = _quantity(answer)
    if given is None or (unit and wanted_unit and not _same_unit(unit, wanted_unit)):
        return False
    # A percentage was divided by 100; the other side may mean percents or the share itself.
    if _is_percentage(answer) and not _is_percentage(gold):
        return wanted in (given, given * 100)
    if _is_percentage(gold) and not _is_percentage(answer):
        return given in (wanted, wanted * 100)
    return given == wanted


def _same_unit(one: str, other: str) -> bool:
    short, long = sorted((one.lower().rstrip("s."), other.lower().rstrip("s.")), key=len)
    words = {"m": "met", "g": "gram", "h": "hour", "l": "lit", "s": "second", "km": "kilomet"}
    words |= {"cm": "centimet", "mm": "millimet", "kg": "kilogram", "min": "minute", "": "second"}
    abbreviated = len(short) >= 3 and long.startswith(short)
    return short == long or abbreviated or long.startswith(words.get(short, "\0"))


def _is_percentage(text: str) -> bool:
    return bool(_PERCENT.search(_trimmed(text)))


def check_math(answer: str, gold: str) -> bool | None:
    """Mathematically equal; None if that could not be decided before the deadline.

    Numbers are compared exactly; everything else is parsed as LaTeX and compared symbolically.
    """
    if check_exact(answer, gold):
        return True
    if len(answer) > LONGEST or len(gold) > LONGEST:
        return False
    if number_of(gold) is not None and number_of(answer) is not None:
        return check_numeric(answer, gold)
    return same_value(_trimmed(answer), _trimmed(gold))


_OPERATIONS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
}


def check_option(answer: str, gold: str) -> bool | None:
    """The same option, or all of several and no other.

    Args:
        answer: a letter, in brackets or with the option's text after it: "B", "(B)", "B. Iron";
            several letters: "A, C", "A and C".
        gold: "option B", "options A, C", or the letters alone.
    """
    stated = _OPTION.fullmatch(gold.strip())
    wanted = _letters(stated["letters"] if stated else gold)
    if wanted is None:
        return None
    text = re.sub(r"^(?:the\s+)?(?:options?|choices?)\s+", "", answer.strip(), flags=re.IGNORECASE)
    return _letters(text) == wanted


def _letters(text: str) -> frozenset[str] | None:
    """The options that a text names, None if it names none."""
    text = _DRESS.sub("", text[:LONGEST]).strip().rstrip(".").strip()
    if _LETTERS.fullmatch(text):
        return frozenset(re.findall(r"[A-Z]", re.sub(r"\band\b", "", text)))
    one = _LETTER.fullmatch(text)
    return frozenset(one[1]) if one else None


def check_judgement(answer: str, gold: str) -> bool | None:
    """The same judgement: yes (true, correct), no (false, incorrect) or maybe."""
    wanted = _judgement(gold)
    return None if wanted is None else _judgement(answer) == wanted


def _judgement(text: str) -> str | None:
    """The judgement that a text begins with."""
    words = re.findall(r"[A-Za-z]+", _DRESS.sub("", text)[:100])
    if [word.lower() for word in words[:2]] == ["not", "correct"]:
        return "no"
    return _JUDGEMENTS.get(words[0].lower()) if words else None


def check_within(answer: str, gold: str) -> bool | None:
    """A number within a tolerance, in a unit that does not contradict; None if gold is none.

    Args:
        answer: such as "9.81 m/s^2", "9.81", "9.8 x 10^0".
        gold: "9.8 m/s^2 within 5 %", of the larger of the two numbers.
    """
    stated = _WITHIN.fullmatch(gold.strip())
    wanted = _measure(stated["measure"]) if stated else None
    if stated is None or wanted is None:
        return None
    given = _measure(answer)
    tolerance = Fraction(stated["percent"]) / 100
    return given is not None and same_measure(given, wanted, tolerance)


def _measure(text: str) -> Measure | None:
    """A number with a unit; fractions and percentages as `number_of` reads them."""
    text = _trimmed(text)
    if len(text) > LONGEST:
        return None
    value = number_of(text) if re.search(r"/\s*\d|frac|%", text) else None
    return Measure(value, "") if value is not None else measure_of(text)


def check_stated(answer: str, gold: str) -> bool | None:
    """As the right answer says itself that it is to be compared; else as `check_math`."""
    text = gold.strip()
    if _OPTION.fullmatch(text):
        return check_option(answer, text)
    if text.rstrip(".").lower() in _JUDGEMENTS:
        return check_judgement(answer, text)
    if _WITHIN.fullmatch(text):
        return check_within(answer, text)
    if _FROM.fullmatch(text):
        return check_countdown(answer, text)
    return check_math(answer, gold)


def check_countdown(answer: str, gold: str) -> bool | None:
    """An expression that makes the target from each number at most once.

    Args:
        answer: such as "(7 - 3) * 5"; only + - * / and brackets; "= 20" may follow.
        gold: "20 from 7 3 5 2", target and numbers, each of which may be used once; with ", each
            once" at its end each must be used, as in the Game of 24.
    """
    target, _, rest = gold.strip().removesuffix(_EACH).partition(" from ")
    numbers = rest.replace(",", " ").split()
    if not numbers or not all(part.isdecimal() for part in [target.strip(), *numbers]):
        return None
    left, _, right = _trimmed(answer).partition("=")
    try:
        used: Counter[int] = Counter()
        value = _evaluate(_parsed(left), used)
        stated = number_of(right) if right.strip() else value
    except (TaskError, ZeroDivisionError):
        return False
    given = Counter(map(int, numbers))
    fits = used == given if gold.strip().endswith(_EACH) else used <= given
    return fits and value == stated == int(target)


def _parsed(expression: str) -> ast.expr:
    for written, sign in _SIGNS_WRITTEN.items():
        expression = expression.replace(written, sign)
    if len(expression) > 200 or not re.fullmatch(r"[\d\s+\-*/()]+", expression):
        raise TaskError("An expression has numbers, + - * / and brackets, nothing else.")
    try:
        return ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise TaskError(f"Not an expression: {expression!r}.") from error


def _evaluate(node: ast.expr, used: Counter[int]) -> Fraction:
    """The exact value of a parsed expression, and which numbers it uses how often."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        used[node.value] += 1
        return Fraction(node.value)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        left, right = _evaluate(node.left, used), _evaluate(node.right, used)
        return _OPERATIONS[type(node.op)](left, right)
    raise TaskError("Only + - * / of whole numbers are allowed.")


CHECKERS: dict[str, Checker] = {
    "math": check_math,
    "numeric": check_numeric,
    "exact": check_exact,
    "countdown": check_countdown,
    "option": check_option,
    "judgement": check_judgement,
    "within": check_within,
    "stated": check_stated,
}
"""How an answer is compared with the right one, by name."""


def grade(answer: str | None, gold: str | None, checker: str = "stated") -> bool | None:
    """Whether an answer is right; None without a gold answer, or if it could not be decided.

    checker: one of `CHECKERS`; by default as the gold answer says itself.

    Raises:
        TaskError: there is no checker of that name.
    """
    if checker not in CHECKERS:
        raise TaskError(f"Unknown checker '{checker}': there are {', '.join(CHECKERS)}.")
    if gold is None or not gold.strip():
        return None
    if answer is None or not answer.strip():
        return False
    return CHECKERS[checker](answer, gold)
