"""Numbers with units, as textbooks and models write them: compared exactly or within a tolerance.

Which names are one unit is what the pint library knows. Nothing is converted: 5 cm is not 0.05 m
where metres were asked for; only what mixes units ("2 hours 30 minutes") is added up.
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

from engine.tasks.algebra import same_value
from engine.tasks.arithmetic import leading_value
from engine.tasks.notation import plain
from engine.tasks.numerals import Amount, amount_of

_POWER = re.compile(r"\*?\s*10\s*\^\s*\{?\s*([-+]?\d{1,3})\s*\}?")
_TO_HERE = re.compile(r"=|\\(?:approx|simeq|sim|cong)(?![A-Za-z])")
_ABOUT = re.compile(r"(?:(?:about|approximately|approx\.?|around|roughly|exactly)\b|~)\s*", re.I)
_SPREAD = re.compile(r"\s*\\pm(?![A-Za-z])\s*[\d.]+")
_REMARK = re.compile(
    r"\s*[,;]\s|(?<!/)(?<!/ )\s\("
    r"|\s(?:which|because|since|as|when|where|in|at|for|of|is|to the)\s"
)
"""Where a remark after a unit begins; a bracket after a stroke is part of the unit."""

_ANOTHER = re.compile(
    r"(?:^|[\s,;(])(?!10\s*\^)\.?\d|[,;\s](?:or|and|to)\s[^A-Za-z]*\d|^\s*(?:\^\s*\{?-?\d|[-+,])"
)
"""What is no unit: a second number, or an unfinished one."""

_PERCENT = re.compile(r"%|per ?cents?")
_SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9}
_SCALES |= {"trillion": 10**12, "dozen": 12}
_PART = r"(\d{1,9}(?:\.\d{1,9})?) ?([A-Za-z]{1,12}|\$)"
_MIXED = re.compile(rf"{_PART}(?:(?:, and|,| and)? {_PART}){{1,3}}")
_IN_OTHER_UNITS = re.compile(r"([^()]{1,40}) \((?:or |about |i\.e\. )?(\d[^()]{1,60})\)")
_SYMBOL = re.compile(r"([^\W\d_]+|[$%\u20ac\u00a3\u00a5\u20b9\u00a2])\s?\^?\s?(-?\d{1,2})?")
_MONEY = "dollar=[dollar];cent=dollar/100;euro=[euro];sterling=[sterling];yen=[yen];rupee=[rupee]"
_SHORT = {"$": "dollar", "USD": "dollar", "US$": "dollar", "\u20ac": "euro", "EUR": "euro"}
_SHORT |= {"\u00a3": "sterling", "GBP": "sterling", "\u00a5": "yen", "\u20b9": "rupee"}
_SHORT |= {"Rs": "rupee", "Rs.": "rupee", "\u00a2": "cent", "kgs": "kg", "cms": "cm"}
_NO_UNITS = frozenset("unit units e c k u a x".split())
"""Words and letters that pint would take for microns, constants or years."""

_WRITTEN = [
    (re.compile(pattern), written)
    for pattern, written in (
        (r"\^\s?\\circ\s?([CF])\b", r" deg\1 "),
        (r"\bdegrees?\s([CF])(?:elsius|ahrenheit)?\b", r" deg\1 "),
        (r"\^\s?\\circ", " degree "),
        (r"\\[Oo]mega\b", "ohm"),
        (r"\\mu\s?|\u00b5\s?", "\u03bc"),
        (r"\\AA\b|\\mathring\s?\{?A\}?", "\u00c5"),
        (r"\\frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"\1/\2"),
        (r"\b(?:square|sq\.?)\s([^\W\d_]+)|\b([^\W\d_]+)\ssquared\b", r"\1\2^2"),
        (r"\b(?:cubic|cu\.)\s([^\W\d_]+)|\b([^\W\d_]+)\scubed\b", r"\1\2^3"),
        (r"\bper\b|/", " / "),
        (r"[{}()*]", " "),
    )
]


class Unit(NamedTuple):
    """What a unit is made of.

    Attributes:
        factor: of the basic units.
        powers: of each basic unit.
        names: of the units as pint calls them.
    """

    factor: Fraction
    powers: frozenset[tuple[str, Fraction]]
    names: frozenset[str]


class Measure(NamedTuple):
    """A number and the text of its unit in plain notation, "" without one."""

    value: Fraction
    unit: str


@lru_cache(maxsize=1)
def _registry() -> Any:
    import pint  # slow, and most answers have no unit

    registry: Any = pint.UnitRegistry(non_int_type=Fraction)
    for definition in _MONEY.split(";"):
        registry.define(definition)
    return registry


@lru_cache(maxsize=1024)
def _base(name: str) -> Unit | None:
    """The unit of one name, None if there is none."""
    name = _SHORT.get(name, name)
    if name in _NO_UNITS:
        return None
    registry = _registry()
    found = registry.parse_unit_name(name) or (
        registry.parse_unit_name(name.lower()) if len(name) > 3 else ()
    )
    if not found:
        return None
    known = f"{found[0][0]}{found[0][1]}"
    if known.startswith("degree_"):  # a scale with a zero of its own
        return Unit(Fraction(1), frozenset({(known, Fraction(1))}), frozenset({known}))
    root = registry.Quantity(Fraction(1), known).to_root_units()
    powers = frozenset((one, Fraction(power)) for one, power in root.unit_items())
    return Unit(Fraction(root.magnitude), powers, frozenset({known}))


@lru_cache(maxsize=1024)
def unit_of(text: str) -> Unit | None:
    """What a unit's text in plain notation means, None if that is not known."""
    factor, powers, names, sign = Fraction(1), dict[str, Fraction](), set[str](), 1
    for pattern, written in _WRITTEN:
        text = pattern.sub(written, text)
    text = re.sub(r"\s+(?=\^)|(?<=\^)\s+", "", " ".join(text.split())).strip(".,")
    for part in text.split():
        if part == "/":
            sign = -1
            continue
        match = _SYMBOL.fullmatch(part)
        base = None if match is None else _base(match[1])
        if match is None or base is None:
            return None
        power = sign * int(match[2] or 1)
        if match[1] == "ms" and power < 0:  # many write metres per second so
            return None
        factor *= base.factor**power
        names |= base.names
        for one, times in base.powers:
            powers[one] = powers.get(one, Fraction(0)) + times * power
    made = frozenset((one, power) for one, power in powers.items() if power)
    return Unit(factor, made, frozenset(names))


def same_unit(one: str, other: str) -> bool | None:
    """Whether two units' texts mean the same unit; None if neither is known and they differ."""
    if _words(one) == _words(other):
        return True
    first, second = unit_of(one), unit_of(other)
    if first is None and second is None:
        return None
    if first is None or second is None or first.factor != second.factor:
        return False
    if first.powers == second.powers:
        return True
    # An angle in radians has no dimension, but its rate is no number of turns.
    bare = [frozenset(p for p in unit.powers if p[0] != "radian") for unit in (first, second)]
    return bare[0] == bare[1] != frozenset() and "hertz" not in first.names | second.names


def _words(unit: str) -> str:
    words = unit if len(unit) < 4 else re.sub(r"(?<=[a-z]{3})s\b", "", unit.lower())
    return re.sub(r"\s", "", words)


def same_amount(one: str, other: str) -> bool | None:
    """Whether two texts state the same number in the same unit; None if one states none.

    A unit counts only where both have one. A percentage also equals the bare number of percents and
    the share: "50 %" is both "50" and "0.5"; so is "5 million" both "5" and "5,000,000".
    """
    first, second = _stated(one), _stated(other)
    mixed = [_added_up(text) for text in (one, other)]
    if any(mixed):
        totals = [
            total or (amount and amount.unit and _total([(amount.value, amount.unit)]))
            for total, amount in zip(mixed, (first, second), strict=True)
        ]
        return bool(all(totals) and totals[0] == totals[1])
    if first is None or second is None:
        return None
    if first.name and second.name and first.name != second.name:
        return False
    return _same_number(first, second)


def _same_number(first: Amount, second: Amount) -> bool | None:
    one, other = _scaled(first), _scaled(second)
    if one.unit and other.unit and not same_unit(one.unit, other.unit):
        return False
    if one.value is None or other.value is None:
        return same_value(first.number, second.number)
    if one.value == other.value:
        return True
    scaled = [amount.value != said.value for amount, said in ((one, first), (other, second))]
    if any(scaled):  # the question may have named the "million", or the unit
        bare = second if scaled[0] else first
        return not all(scaled) and not bare.unit and first.value == second.value
    if one.unit == "%" and not other.unit:
        return one.value == other.value * 100
    return other.unit == "%" and not one.unit and other.value == one.value * 100


def _scaled(amount: Amount) -> Amount:
    """With "million" and its kin as part of the number."""
    word, _, unit = amount.unit.partition(" ")
    if amount.value is None or word.lower() not in _SCALES:
        return amount
    return amount._replace(value=amount.value * _SCALES[word.lower()], unit=unit)


def _stated(text: str) -> Amount | None:
    """The amount of a text; what says it again in other units, in brackets, counts for nothing."""
    again = _IN_OTHER_UNITS.fullmatch(plain(text).strip(" ."))
    if again:
        sizes = [_added_up(part, fewest=1) for part in again.groups()]
        return amount_of(again[1]) if sizes[0] and sizes[0] == sizes[1] else None
    return amount_of(text)


def _added_up(text: str, fewest: int = 2) -> tuple[Fraction, object] | None:
    """What "2 hours and 40 minutes" is in basic units, and which these are."""
    text = plain(text).strip(" .")
    parts = re.findall(_PART, text)
    if len(parts) < fewest or not (_MIXED.fullmatch(text) or re.fullmatch(_PART, text)):
        return None
    return _total([(Fraction(number), unit) for number, unit in parts])


def _total(parts: list[tuple[Fraction | None, str]]) -> tuple[Fraction, object] | None:
    total, kinds = Fraction(0), set()
    for number, text in parts:
        unit = unit_of(text)
        if unit is None or number is None:
            return None
        total += number * unit.factor
        kinds.add(unit.powers)
    return (total, kinds.pop()) if len(kinds) == 1 else None


def measure_of(text: str) -> Measure | None:
    r"""The number that a text begins with, and what follows as its unit; None if there is none.

    The number may be written arithmetic, as `leading_value` reads it. "T = 2 \pi s" and "T = a
    \approx 6.3 s" are read from their last sign of equality on.
    """
    text = _TO_HERE.split(plain(text))[-1].strip().lstrip("$")
    found = leading_value(_ABOUT.sub("", text, count=1), rounded=True)
    return None if found is None else Measure(found[0], found[1].strip(" .$"))


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
    return Measure(found.value, stated.strip(" .,$"))


def same_measure(
    answer: Measure,
    wanted: Measure,
    *,
    share: Fraction = Fraction(0),
    apart: Fraction = Fraction(0),
) -> bool:
    """Whether two numbers are as good as equal, and their units do not contradict.

    Args:
        answer: what was answered. Of percents it may be the bare number or the share: 25 % is 25,
            and 0.25, but not 0.25 %.
        wanted: what is right. A unit such as "10^3 J" may have been read as part of the answer's
            number or not: 2, 2 10^3 and 2 10^3 J are right then, 2 J is not.
        share: how far apart they may be, of the larger magnitude, such as 1/20.
        apart: how far apart they may be, in the unit of `wanted`.
    """
    factor, unit = _factor(wanted.unit)
    own, given = _factor(answer.unit)
    factors = {factor}
    if _PERCENT.fullmatch(given) and _PERCENT.fullmatch(unit):
        given = unit
    elif _PERCENT.fullmatch(unit) and not given:
        factors.add(Fraction(1, 100))
    elif _PERCENT.fullmatch(given) and not unit:
        given = ""
        factors.add(Fraction(100))
    if given and unit and same_unit(given, unit) is False and unit_of(given) and unit_of(unit):
        return False
    if not given or unit_of(given) is None:
        factors.add(Fraction(1))
    value = answer.value * own
    return any(
        abs(value - wanted.value * times)
        <= max(share * max(abs(value), abs(wanted.value * times)), apart * times)
        for times in factors
    )


def _factor(unit: str) -> tuple[Fraction, str]:
    """A power of ten before a unit, 1 without one, and the unit itself."""
    power = _POWER.match(unit)
    if power is None:
        return Fraction(1), unit
    return Fraction(10) ** int(power[1]), unit[power.end() :].strip()
