"""Numbers as answers state them, read exactly: nothing is rounded, nothing is evaluated."""

import re
from fractions import Fraction

LONGEST = 2000
"""No longer text, in characters, states a number."""

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
_NAMED = r"\\?[A-Za-z]\w{0,15}(?:_\{[\w ,]{0,20}\})?(?:\s*\(\s*[A-Za-z]\s*\))?"
_SUM = rf"{_NAMED}(?:\s?[-+*/]\s?{_NAMED}){{0,5}}"
_EQUALS = re.compile(rf"(?:{_SUM}|[-\d\s.+*/^(){{}}]+|\\(?:Delta|angle)\s?\w{{1,9}})\s?=")
_ABOUT = re.compile(
    r"^(?:\\approx|about|approximately|around|roughly|exactly|only|\u2248|~"
    r"|USD|US|EUR|GBP|Rs\.?)(?![A-Za-z])\s*",
    re.IGNORECASE,
)
_SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9}
_LABEL = re.compile(
    r"(?:\\(?:text|textbf|textrm|mathrm|mathbf)\s?\{\s?[(\[]?(?P<dressed>[A-J])[.)\]]\s?\}"
    r"|[(\[]?(?P<letter>[A-J])[.)\]])"
    r"(?:\s|~|\\[,; ]|\\quad\b){0,9}(?=[-+\u2212$\\.]{0,3}(?:\d|[dt]?frac|text\b))"
)
"""The letter of an option before its number, as multiple-choice contests print it."""

_AMOUNT = r"\d{1,9}(?:\.\d{1,9})? ?[A-Za-z]{1,12}"
_IN_OTHER_UNITS = re.compile(
    rf"(?P<amount>{_AMOUNT}) \((?:or |or about |about )?"
    rf"(?P<again>{_AMOUNT}(?:(?:, and|,| and)? {_AMOUNT}){{0,3}})\)"
)
_CONVERSIONS: tuple[dict[str, int], ...] = (
    {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800},
    {"cent": 1, "dollar": 100},
    {"mm": 1, "cm": 10, "m": 1000, "km": 10**6},
    {"g": 1, "kg": 1000},
    {"inch": 1, "inche": 1, "foot": 12, "feet": 12, "yard": 36},
)
"""Units that a remark in brackets may use instead, by their size."""

_SAID_AGAIN = re.compile(r"\s+\([A-Za-z][A-Za-z -]*\)$")
_WORD = r"[A-Za-z\u00b0\u00b5]"
_UNIT = re.compile(
    r"(?P<number>.*?[\d.}\)])(?:\\[,; ]|~|\s)*"
    r"(?:\\(?:text|mathrm|textrm|operatorname|mbox)\s*\{\s*(?P<latex>[^{}]*)\}"
    rf"|(?P<word>{_WORD}{{2}}[A-Za-z/.\u00b2\u00b3 ]*|[mgshlLVWANJCFK\u00b0](?:/[A-Za-z/ ]+)?))"
    r"(?:\^\{?[23]\}?|[\u00b2\u00b3])?"
)
"""A number and its unit: a word, or one letter that is a unit rather than a variable."""

_CURRENCY = "$\u20ac\u00a3\u00a5\u20b9"


def trimmed(text: str) -> str:
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
    return quantity(text)[0]


def quantity(text: str) -> tuple[Fraction | None, str]:
    """The number that a text states and its unit, "" without one."""
    if len(text) > LONGEST:
        return None, ""
    text = trimmed(_undressed(text)[1])
    while equals := _EQUALS.match(text):
        text = trimmed(text[equals.end() :])
    text = text.replace("\\!", "").replace("{,}", ",").replace("\\$", "$")
    text = _ABOUT.sub("", re.sub(r"\\left|\\right", "", text).strip(), count=1)
    text = _without_remark(text)
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


def label_of(text: str) -> str:
    r"""The letter of an option before a number, as in "(B) 12" or "\textbf{(B) } 12", else ""."""
    return _undressed(text[:LONGEST])[0]


def _without_remark(text: str) -> str:
    """Without what says a number again, in words or in other units, after it in brackets."""
    again = _IN_OTHER_UNITS.fullmatch(text)
    if again:
        sizes = _sizes(again["amount"])
        return again["amount"] if sizes and sizes & _sizes(again["again"]) else text
    return _SAID_AGAIN.sub("", text)


def _sizes(amounts: str) -> set[tuple[int, Fraction]]:
    """What "2 hours and 40 minutes" is in the smallest unit of its kind, with that kind."""
    parts = [
        (Fraction(number), unit.removesuffix("s") or unit)
        for number, unit in re.findall(r"([\d.]+) ?([A-Za-z]+)(?<!\band)", amounts)
    ]
    return {
        (kind, sum((number * sizes[unit] for number, unit in parts), Fraction(0)))
        for kind, sizes in enumerate(_CONVERSIONS)
        if all(unit in sizes for _, unit in parts)
    }


def _undressed(text: str) -> tuple[str, str]:
    r"""A number's label, and the number without what says how it looks.

    "\textbf{(016)}" is "016", "(B) 12" is "12" with the label "B".
    """
    label = ""
    for _ in range(2):
        text = trimmed(text)
        if found := _LABEL.match(text):
            label, text = found["letter"] or found["dressed"], text[found.end() :]
        inside = re.fullmatch(r"\\(?:text|textbf|mathbf|mathrm|bf)\s*\{(.*)\}", text)
        text = inside[1].strip() if inside else text
    alone = re.fullmatch(r"\(\s*(\d[\d,.]*)\s*\)", text)
    return label, alone[1] if alone else text


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
    if under == 0 or (groups.get("whole") and over >= under):
        return None
    value = Fraction(groups.get("whole") or 0) + over / under
    return -value if groups["sign"] in ("-", "\u2212") else value


def scale_of(unit: str) -> int:
    """What a number is multiplied by in words: "million", "thousand dollars"."""
    return _SCALES.get(unit.lower().partition(" ")[0], 1)


def same_unit(one: str, other: str) -> bool:
    """Whether two units are the same, or one abbreviates the other: "m" and "metres"."""
    short, long = sorted((one.lower().rstrip("s."), other.lower().rstrip("s.")), key=len)
    words = {"m": "met", "g": "gram", "h": "hour", "l": "lit", "s": "second", "km": "kilomet"}
    words |= {"cm": "centimet", "mm": "millimet", "kg": "kilogram", "min": "minute", "": "second"}
    abbreviated = len(short) >= 3 and long.startswith(short)
    return short == long or abbreviated or long.startswith(words.get(short, "\0"))


def is_percentage(text: str) -> bool:
    """Whether a number is stated in percents."""
    return bool(_PERCENT.search(trimmed(text)))
