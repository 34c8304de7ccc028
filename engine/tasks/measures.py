"""Numbers with units, as textbooks and models write them, compared within a tolerance.

Units are compared only where both are made of symbols known here; a question that names the unit
has said the rest. Nothing is converted: 5 cm is not 0.05 m where metres were asked for.
"""

import re
from fractions import Fraction
from typing import NamedTuple

_POWER = r"10\s*(?:\^|\*\*)\s*\{?\s*(?P<power>[-+\u2212]?\d{1,3})\s*\}?"
_NUMBER = re.compile(
    r"(?P<sign>[-+\u2212])?\s*(?P<digits>\d{1,3}(?:,\d{3})+|\d+)?(?P<decimals>\.\d+)?"
    r"(?:[eE](?P<exponent>[-+]?\d{1,3}))?"
    rf"(?:\s*(?:\\times|\\cdot|[x*\u00d7\u00b7])\s*{_POWER})?"
)
_ONLY_POWER = re.compile(rf"(?P<sign>[-+\u2212])?\s*{_POWER}")
_NAME = re.compile(r"\\?[A-Za-z]\w{0,15}\s*=\s*")
_DRESS = re.compile(r"\\(?:mathrm|textrm|text|rm|mbox|operatorname|left|right)\b|[$()]")
_GAP = re.compile(r"\\[,; :]|\\cdot|\\times|~|\u00b7|\*")
_SYMBOL = re.compile(r"([A-Za-z\u00b5\u03a9\u00b0\u00c5]+)\^?(-?\d+)?")
_WRITTEN = {
    r"\mu": "\u00b5",
    "\u03bc": "\u00b5",
    r"\Omega": "\u03a9",
    r"\AA": "\u00c5",
    r"^\circ": "\u00b0",
    r"^{\circ}": "\u00b0",
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


class Measure(NamedTuple):
    """A number and the text of its unit, "" without one."""

    value: Fraction
    unit: str


def measure_of(text: str) -> Measure | None:
    """The number that a text begins with, and what follows as its unit; None if there is none.

    Reads decimals, thousands separators, 3e-7 and 3 x 10^-7 in plain and LaTeX form, "x = " before.
    """
    text = text.strip().strip("$").strip()
    text = _NAME.sub("", text, count=1) if _NAME.match(text) else text
    text = re.sub(r"^(?:\\approx|\\sim|about|approximately|~)\s*", "", text).replace("{,}", ",")
    found = _ONLY_POWER.match(text) or _NUMBER.match(text)
    if found is None or not (found.group("power") or found["digits"] or found["decimals"]):
        return None
    groups = found.groupdict()
    digits = (groups.get("digits") or "").replace(",", "") + (groups.get("decimals") or "")
    value = Fraction(digits) if digits else Fraction(1)
    for name in ("exponent", "power"):
        value *= Fraction(10) ** int((groups.get(name) or "0").replace("\u2212", "-"))
    negative = groups["sign"] in ("-", "\u2212")
    return Measure(-value if negative else value, text[found.end() :].strip().strip(".$").strip())


def same_measure(answer: Measure, wanted: Measure, tolerance: Fraction) -> bool:
    """Whether two numbers are as good as equal, and their units do not contradict.

    tolerance: of the larger magnitude, such as 1/20. A unit such as "10^3 J" may have been read as
    part of the number, or not.
    """
    factor, unit = _factor(wanted.unit)
    if answer.unit and unit and _contradict(answer.unit, unit):
        return False
    return any(
        abs(answer.value - value) <= tolerance * max(abs(answer.value), abs(value))
        for value in (wanted.value, wanted.value * factor)
    )


def _factor(unit: str) -> tuple[Fraction, str]:
    """A power of ten before a unit, 1 without one, and the unit itself."""
    power = re.match(rf"\s*\$?\s*(?:\\times\s*)?{_POWER}", unit)
    if power is None:
        return Fraction(1), unit
    exponent = int(power["power"].replace("\u2212", "-"))
    return Fraction(10) ** exponent, unit[power.end() :].strip()


def _contradict(one: str, other: str) -> bool:
    """Whether two units are both known and differ."""
    first, second = _plain(_factor(one)[1]), _plain(other)
    if first.replace(" ", "") == second.replace(" ", ""):
        return False
    powers = [_powers(text) for text in (first, second)]
    return None not in powers and powers[0] != powers[1]


def _plain(unit: str) -> str:
    """A unit without LaTeX, such as "J mol^-1"."""
    for written, plain in _WRITTEN.items():
        unit = unit.replace(written, plain)
    unit = _GAP.sub(" ", _DRESS.sub(" ", unit))
    unit = re.sub(r"\^\s*\{\s*([-+]?\d+)\s*\}", r"^\1", unit).replace("{", " ").replace("}", " ")
    unit = re.sub(r"\s+\^", "^", unit.replace("/", " / "))
    return " ".join(unit.split()).rstrip(".,")


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
        found[symbol] = found.get(symbol, 0) + sign * int(match[2] or 1)
    return found
