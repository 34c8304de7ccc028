"""Numbers with units, as textbooks and models write them, compared within a tolerance.

Units are compared only where both are made of symbols known here; a question that names the unit
has said the rest. Nothing is converted: 5 cm is not 0.05 m where metres were asked for.
"""

import re
from fractions import Fraction
from typing import NamedTuple

from engine.tasks.arithmetic import leading_value

_POWER = r"10\s*(?:\^|\*\*)\s*\{?\s*(?P<power>[-+\u2212]?\d{1,3})\s*\}?"
_TO_HERE = re.compile(r"=|\\(?:approx|simeq|sim|cong)(?![A-Za-z])|\u2248|\u2243|\u2245")
_ABOUT = re.compile(r"(?:(?:about|approximately|approx\.?|around|roughly|exactly)\b|~)\s*", re.I)
_SPREAD = re.compile(r"\s*(?:\\pm(?![A-Za-z])|\u00b1|\+/-)\s*[\d.]+")
_REMARK = re.compile(
    r"\s*[,;]\s|(?<!/)(?<!/ )\s\("
    r"|\s(?:which|because|since|as|when|where|in|at|for|of|is|to the)\s"
)
"""Where a remark after a unit begins; a bracket after a stroke is part of the unit."""

_ANOTHER = re.compile(
    r"(?:^|[\s,;(])(?!10\s*(?:\^|\*\*))\.?\d"
    r"|[,;\s](?:or|and|to)\s[^A-Za-z]*\d|^\s*(?:\^\s*\{?-?\d|[-+,])"
)
"""What is no unit: a second number, or an unfinished one."""

_DRESS = re.compile(r"\\(?:mathrm|textrm|text|rm|mbox|operatorname|left|right)\b|[$()]")
_GAP = re.compile(r"\\[,; :]|\\cdot|\\times|~|\u00b7|\*")
_PERCENT = re.compile(r"\\?%|per ?cent|percents")
_SYMBOL = re.compile(r"([A-Za-z\u00b5\u03a9\u00b0\u00c5]+)\^?(-?\d+)?")
_WRITTEN = {
    r"\mu": "\u00b5",
    "\u03bc": "\u00b5",
    r"\Omega": "\u03a9",
    r"\AA": "\u00c5",
    r"^\circ": "\u00b0",
    r"^{\circ}": "\u00b0",
    r"^ {\circ}": "\u00b0",
    r"{\circ}": "\u00b0",
    r"\circ": "\u00b0",
    r"\degree": "\u00b0",
    "\u2212": "-",
    "\u207b": "-",
    "\u00b9": "^1",
    "\u00b2": "^2",
    "\u00b3": "^3",
}
_BASES = "m g s A K J N W V C F T H L l M Pa Hz mol eV cal bar atm \u03a9".split()
_PREFIXES = ["", *"GMkdcm\u00b5np"]
_KNOWN = {prefix + base: prefix + base for base in _BASES for prefix in _PREFIXES}
_KNOWN |= {one: one for one in ("min", "h", "\u00b0", "\u00b0C", "\u00b0F", "\u00c5", "rad", "ft")}
_KNOWN |= {
    name: symbol
    for symbol, names in {
        "m": "metre metres meter meters",
        "cm": "centimetre centimetres centimeter centimeters",
        "km": "kilometre kilometres kilometer kilometers",
        "s": "second seconds sec",
        "min": "minute minutes",
        "h": "hour hours hr",
        "g": "gram grams",
        "kg": "kilogram kilograms",
        "J": "joule joules",
        "kJ": "kilojoule kilojoules",
        "N": "newton newtons",
        "W": "watt watts",
        "V": "volt volts",
        "A": "ampere amperes amps",
        "K": "kelvin kelvins",
        "Pa": "pascal pascals",
        "Hz": "hertz",
        "mol": "mole moles",
        "L": "l litre litres liter liters",
        "mL": "ml",
        "\u00b0": "degree degrees",
        "rad": "radian radians",
    }.items()
    for name in names.split()
}
_MADE_OF: dict[str, dict[str, int]] = {
    "Hz": {"s": -1},
    "N": {"kg": 1, "m": 1, "s": -2},
    "Pa": {"kg": 1, "m": -1, "s": -2},
    "J": {"kg": 1, "m": 2, "s": -2},
    "W": {"kg": 1, "m": 2, "s": -3},
    "V": {"kg": 1, "m": 2, "s": -3, "A": -1},
    "C": {"A": 1, "s": 1},
    "L": {"dm": 3},
    "mL": {"cm": 3},
    "M": {"mol": 1, "dm": -3},
}
"""Units that are others by definition, without a factor."""


class Measure(NamedTuple):
    """A number and the text of its unit, "" without one."""

    value: Fraction
    unit: str


def measure_of(text: str) -> Measure | None:
    r"""The number that a text begins with, and what follows as its unit; None if there is none.

    The number may be written arithmetic, as `leading_value` reads it. "T = 2 \pi s" and "T = a
    \approx 6.3 s" are read from their last sign of equality on.
    """
    text = text.strip().strip("$").strip()
    text = _TO_HERE.split(text)[-1].strip().lstrip("$")
    text = text[about.end() :] if (about := _ABOUT.match(text)) else text
    found = leading_value(text.replace("\\$", "").replace("$", " ").strip())
    return None if found is None else Measure(found[0], found[1].strip(" .$\t\n"))


def answered_measure(text: str) -> Measure | None:
    """The one measure that an answer states, without the remarks after it.

    None if it states several, such as "3 or 4", "3, 4" and "3 to 4": none of them is the answer.
    """
    found = measure_of(text)
    if found is None:
        return None
    unit = _SPREAD.sub("", " " + found.unit, count=1)
    remark = _REMARK.search(unit)
    stated = unit if remark is None else unit[: remark.start()]
    beside = "" if remark is None else unit[remark.start() :].lstrip()
    if _ANOTHER.search(stated) or re.match(r"[,;]\s*[-+$\\]*\.?\d", beside):
        return None
    return Measure(found.value, stated.strip(" .,$\t\n"))


def same_measure(answer: Measure, wanted: Measure, tolerance: Fraction) -> bool:
    """Whether two numbers are as good as equal, and their units do not contradict.

    Args:
        answer: what was answered. Of percents it may be the bare number or the share: 25 % is 25,
            and 0.25, but not 0.25 %.
        wanted: what is right. A unit such as "10^3 J" may have been read as part of the answer's
            number or not: 2, 2 10^3 and 2 10^3 J are right then, 2 J is not.
        tolerance: of the larger magnitude, such as 1/20.
    """
    factor, unit = _factor(wanted.unit)
    own, given = _factor(answer.unit)
    numbers = {wanted.value * factor}
    if _is_percent(given) and _is_percent(unit):
        given = unit
    elif _is_percent(unit) and not given:
        numbers.add(wanted.value / 100)
    elif _is_percent(given) and not unit:
        given = ""
        numbers.add(wanted.value * 100)
    if given and unit and _contradict(given, unit):
        return False
    if not _powers(_plain(given)):
        numbers.add(wanted.value)
    value = answer.value * own
    return any(abs(value - one) <= tolerance * max(abs(value), abs(one)) for one in numbers)


def _is_percent(unit: str) -> bool:
    return bool(_PERCENT.fullmatch(_plain(unit)))


def _factor(unit: str) -> tuple[Fraction, str]:
    """A power of ten before a unit, 1 without one, and the unit itself."""
    power = re.match(rf"\s*\$?\s*(?:\\times\s*)?{_POWER}", unit)
    if power is None:
        return Fraction(1), unit
    exponent = int(power["power"].replace("\u2212", "-"))
    return Fraction(10) ** exponent, unit[power.end() :].strip()


def _contradict(one: str, other: str) -> bool:
    """Whether two units are both known and differ."""
    first, second = _plain(one), _plain(other)
    if first.replace(" ", "") == second.replace(" ", ""):
        return False
    found, wanted = ({"%": 1} if _is_percent(one) else _powers(one) for one in (first, second))
    if found is None or wanted is None or found == wanted:
        return False
    # An angle in radians has no dimension, but is not one in degrees.
    bare = [
        {unit: power for unit, power in one.items() if unit != "rad"} for one in (found, wanted)
    ]
    return not (bare[0] == bare[1] != {})


def _plain(unit: str) -> str:
    """A unit without LaTeX, such as "J mol^-1"."""
    for written, plain in _WRITTEN.items():
        unit = unit.replace(written, plain)
    unit = _GAP.sub(" ", _DRESS.sub(" ", unit))
    unit = re.sub(r"\^\s*\{\s*([-+]?\d+)\s*\}", r"^\1", unit).replace("{", " ").replace("}", " ")
    unit = re.sub(r"\s+\^", "^", unit.replace("/", " / "))
    return " ".join(unit.split()).replace("\u00b5 ", "\u00b5").rstrip(".,")


def _powers(unit: str) -> dict[str, int] | None:
    """Power of each symbol, None if one is not known; all after a stroke are below it."""
    found: dict[str, int] = {}
    sign = 1
    for part in unit.replace(" per ", " / ").split():
        if part == "/":
            sign = -1
            continue
        match = _SYMBOL.fullmatch(part)
        symbol = None if match is None else _KNOWN.get(match[1])
        if match is None or symbol is None:
            return None
        power = sign * int(match[2] or 1)
        if symbol == "ms" and power < 0:  # many write metres per second so
            return None
        for base, times in _MADE_OF.get(symbol, {symbol: 1}).items():
            found[base] = found.get(base, 0) + times * power
    return {base: power for base, power in found.items() if power}
