"""The process behind `engine.tasks.algebra`: questions in, verdicts out, one JSON line each.

Two formulas are equal where their difference is proved to be nothing. Numbers at test points only
refute: closeness is no proof. What is not proved is undecided.
"""

import contextlib
import json
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, TextIO

from engine.errors import TaskError
from engine.tasks.formula import Node, read

MEMORY = 3 * 2**30
"""Most address space in bytes; a runaway product fails in here instead of filling the machine."""

_MOST_PARTS = 64
_MOST_POWER = 10_000
_POINTS = ("1.37", "-2.21", "0.61", "3.73", "-0.43", "7.19", "2.93", "-5.57", "0.29")
"""Values of the unknowns at which two formulas have to agree, as far as both are defined."""

_NEAR = 1e-25
_NOISE = 1e-40
_IN_TURN = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


def main(processor_seconds: float) -> None:
    """Answer until the pipe closes; die of the question that takes longer."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    logging.disable(logging.CRITICAL)
    import sympy  # noqa: F401  # slow, so before the first question

    out = sys.stdout
    sys.stdout = sys.stderr  # a library that prints must not answer
    _send(out, "ready")
    for line in sys.stdin:
        question = json.loads(line)
        _alarm(processor_seconds)
        reply = compare(question["answer"], question["gold"])
        _alarm(0.0)
        _send(out, reply)


def _alarm(seconds: float) -> None:
    """End this process after so much processor time; the signal needs no Python code to run."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _send(out: TextIO, reply: bool | str | None) -> None:
    print(json.dumps(reply), file=out, flush=True)


def compare(answer: str, gold: str) -> bool | None:
    """Whether the two are equal; None if that is not known."""
    try:
        one, other = _bared(read(answer), read(gold))
        return _same(_expanded(one), _expanded(other))
    except (Exception, RecursionError):
        return None


def _expanded(node: Node) -> Node:
    r"""A list for what stands for several: "5 \pm 2", "x = 1, 2", "(x, y) = (1, 2)", {1, 1}."""
    if node.kind != "list" and _has_sign(node):
        node = Node("list", tuple(_signed(node, plus) for plus in (True, False)), "or")
    if node.kind == "relation" and node.text == "=":
        left, right = node.parts[0], node.parts[-1]
        if left.kind == right.kind == "group" and len(left.parts) == len(right.parts):
            pairs = zip(left.parts, right.parts, strict=True)
            return Node("list", tuple(Node("relation", pair, "=") for pair in pairs), "and")
        if right.kind in ("list", "set") and _named(left):
            each = tuple(Node("relation", (left, part), "=") for part in right.parts)
            return _expanded(Node("list", each, "or"))
    if node.kind != "list":
        return node
    first, parts = node.parts[0], list[Node]()
    named = first.kind == "relation" and first.text == "="
    for part in map(_expanded, node.parts):
        if named and part.kind not in ("relation", "group", "list", "cup"):  # x = 1, 2
            part = Node("relation", (first.parts[0], part), "=")
        parts += part.parts if part.kind == "list" else [part]
    return Node("list", tuple(parts), node.text)


def _has_sign(node: Node) -> bool:
    return node.kind in ("\\pm", "\\mp") or any(map(_has_sign, node.parts))


def _signed(node: Node, plus: bool) -> Node:
    kind = {"\\pm": "+-"[not plus], "\\mp": "-+"[not plus]}.get(node.kind, node.kind)
    return Node(kind, tuple(_signed(part, plus) for part in node.parts), node.text)


def _same(one: Node, other: Node) -> bool | None:
    if _is_region(one) or _is_region(other):
        return _same_region(one, other)
    one, other = _bared(one, other)
    kinds = {one.kind, other.kind}
    if kinds & {"list", "set"}:
        if _has_equation(one) != _has_equation(other):
            return False
        return _same_lists(_listed(one), _listed(other))
    if "relation" in kinds:
        both = one.kind == other.kind == "relation"
        return _same_relation(one, other) if both else False
    if "matrix" in kinds:
        one, other = _matrix(one), _matrix(other)
    if {one.kind, other.kind} & {"group", "ratio", "matrix", "row"}:
        alike = one.kind == other.kind and one.text == other.text
        return alike and _all_same(one.parts, other.parts)
    return _equal(one, other)


def _matrix(node: Node) -> Node:
    """A matrix of a list of lists in square brackets."""
    if node.kind == "group" and all(p.kind == "group" and p.text == "[]" for p in node.parts):
        return Node("matrix", tuple(Node("row", part.parts) for part in node.parts))
    return node


def _all_same(ones: Sequence[Node], others: Sequence[Node]) -> bool | None:
    if len(ones) != len(others):
        return False
    found = [_same(one, other) for one, other in zip(ones, others, strict=True)]
    return False if False in found else None if None in found else True


def _listed(node: Node) -> list[Node]:
    """The members of a list, those of a set once; anything else is the only one."""
    if node.kind == "set":
        once: list[Node] = []
        for part in node.parts:
            if not any(_same(part, one) for one in once):
                once.append(part)
        return once
    return list(node.parts) if node.kind == "list" else [node]


def _same_lists(ones: list[Node], others: list[Node]) -> bool | None:
    """Whether each member has its own like in the other list, in any order."""
    if len(ones) != len(others) or len(ones) > _MOST_PARTS:
        return False
    undecided = False
    for one in ones:
        verdicts = [_same(one, other) for other in others]
        if True in verdicts:
            others = others[: verdicts.index(True)] + others[verdicts.index(True) + 1 :]
            continue
        undecided |= None in verdicts
        return None if undecided else False
    return True


def _bared(one: Node, other: Node) -> tuple[Node, Node]:
    """Both without the name that only one of them says: "x = 4" beside "4"."""
    if _name(one) and not _name(other) and not _has_equation(other):
        return _value(one), other
    if _name(other) and not _name(one) and not _has_equation(one):
        return one, _value(other)
    return one, other


def _has_equation(node: Node) -> bool:
    return node.kind == "relation" or (node.kind == "list" and any(map(_has_equation, node.parts)))


def _name(node: Node) -> Node | None:
    """What a value, or each value of a list, is said to be of."""
    if node.kind == "list":
        names = [_name(part) for part in node.parts]
        return names[0] if all(name == names[0] for name in names) else None
    equation = node.kind == "relation" and set(node.text) <= set("= ")
    return node.parts[0] if equation and all(map(_named, node.parts[:-1])) else None


def _value(node: Node) -> Node:
    if node.kind == "list":
        return Node("list", tuple(map(_value, node.parts)), node.text)
    return node.parts[-1]


def _named(node: Node) -> bool:
    """Whether a side of an equation only says what the other is: names, or a sum of numbers."""
    return _of(node, ("name", "call")) or (node.kind != "number" and _of(node, ("number",)))


def _of(node: Node, leaves: tuple[str, ...]) -> bool:
    if node.kind in leaves:
        return node.text not in ("i", "e", "pi", "infty")
    inner = node.kind in ("+", "-", "*", "/", "neg", "group") or (
        leaves == ("number",) and node.kind in ("^", "!", "root")
    )
    return inner and all(_of(part, leaves) for part in node.parts)


def _same_relation(one: Node, other: Node) -> bool | None:
    """The same sides, or for two sides the same up to a factor that keeps the sign."""
    if one.text == other.text and _all_same(one.parts, other.parts):
        return True
    if len(one.parts) != 2 or len(other.parts) != 2:
        return None
    (left, right), (first, second) = one.parts, other.parts
    if other.text == _IN_TURN.get(one.text):
        first, second = second, first
    elif one.text != other.text:
        return False
    if one.text == "=" and any(_explicit(node) for node in (one, other)):
        return _same(left, second) and _same(right, first)
    import sympy

    ratio = sympy.cancel((_sympy(left) - _sympy(right)) / (_sympy(first) - _sympy(second)))
    constant = ratio.is_Rational and (one.text in ("=", "!=") or ratio > 0)
    return bool(ratio.is_Rational and ratio != 0 and constant) or None


def _explicit(node: Node) -> bool:
    """Whether an equation says what a name is: "x = 4"."""
    return any(part.kind in ("name", "call") for part in node.parts) and any(
        not _unknowns(part) for part in node.parts
    )


def _is_region(node: Node) -> bool:
    """Whether only a set of numbers is meant: an inequality, a union, a half-open interval."""
    if node.kind == "list" and node.text in ("and", "or"):
        return all(map(_is_region, node.parts))
    if node.kind == "relation":
        return any(sign in node.text for sign in "<>!n")
    empty = node.kind == "name" and node.text in ("emptyset", "mathbb R")
    return empty or node.kind in ("cup", "cap", "minus")


def _same_region(one: Node, other: Node) -> bool | None:
    names: set[str] = set()
    try:
        first, second = _region(one, names), _region(other, names)
    except TaskError:
        both = one.kind == other.kind == "relation"
        return _same_relation(one, other) if both else None
    return first == second if len(names) < 2 else False


def _region(node: Node, names: set[str]) -> Any:
    """The set of real numbers that is meant; the names of the unknowns are added to `names`."""
    import sympy

    kind, parts = node.kind, node.parts
    if kind == "relation":
        return reduce(
            sympy.Intersection,
            [
                _half(left, sign, right, names)
                for left, sign, right in zip(parts, node.text.split(), parts[1:], strict=False)
            ],
        )
    if kind == "group" and len(parts) == 2 and node.text[0] in "([":
        low, high = map(_bound, parts)
        return sympy.Interval(low, high, node.text[0] == "(", node.text[1] == ")")
    if kind == "name" and node.text in ("emptyset", "mathbb R"):
        return sympy.S.EmptySet if node.text == "emptyset" else sympy.S.Reals
    inner = (
        [_region(part, names) for part in parts]
        if kind in ("cup", "cap", "minus") or (kind == "list" and any(map(_is_region, parts)))
        else []
    )
    if kind == "cup" or (inner and node.text == "or"):
        return sympy.Union(*inner)
    if kind == "cap" or (inner and node.text == "and"):
        return sympy.Intersection(*inner)
    if kind == "minus":
        return sympy.Complement(*inner)
    if inner:
        raise TaskError("Whether both or one of them is meant is not said.")
    return sympy.FiniteSet(*map(_bound, parts if kind in ("set", "list") else [node]))


def _half(left: Node, sign: str, right: Node, names: set[str]) -> Any:
    """The numbers for which two sides of an inequality stand so."""
    import sympy

    if right.kind == "name" and not _unknowns(left):
        left, sign, right = right, _IN_TURN.get(sign, sign), left
    if left.kind != "name" or left.text in ("i", "e", "pi", "infty"):
        raise TaskError("Only an inequality of one name is a set of numbers.")
    names.add(left.text)
    if sign == "in":
        return _region(right, names)
    bound, infinite = _bound(right), sympy.oo
    return {
        "<": lambda: sympy.Interval.open(-infinite, bound),
        ">": lambda: sympy.Interval.open(bound, infinite),
        "<=": lambda: sympy.Interval(-infinite, bound),
        ">=": lambda: sympy.Interval(bound, infinite),
        "!=": lambda: sympy.S.Reals - sympy.FiniteSet(bound),
        "=": lambda: sympy.FiniteSet(bound),
    }[sign]()


def _bound(node: Node) -> Any:
    import sympy

    if _unknowns(node):
        raise TaskError("A bound is a number.")
    return sympy.radsimp(_sympy(node))


def _unknowns(node: Node) -> set[str]:
    if node.kind == "name":
        return set() if node.text in ("i", "e", "pi", "infty") else {node.text}
    if node.kind in ("based", "call") and node.text not in _CALLS:
        return {repr(node)}
    return set().union(*map(_unknowns, node.parts))


def _equal(one: Node, other: Node) -> bool | None:
    """Whether two values are equal: refuted at points, or proved."""
    import sympy

    if _letters_alone(one) and _letters_alone(other) and one != other:
        return False
    if _refuted(one, other):
        return False
    first, second = _sympy(one), _sympy(other)
    undefined = [value.has(sympy.zoo, sympy.nan) for value in (first, second)]
    if any(undefined):
        return None if all(undefined) else False
    if first.is_infinite or second.is_infinite:
        return one == other
    if first == second:
        return True
    difference = first - second
    if difference.is_Rational:
        return bool(difference == 0)
    for attempt in (sympy.expand, sympy.radsimp, lambda d: sympy.cancel(sympy.together(d))):
        if attempt(difference) == 0:
            return True
    return True if sympy.simplify(difference) == 0 or difference.equals(0) else None


def _letters_alone(node: Node) -> bool:
    """Whether it may be a word: three letters side by side, or capitals."""
    letters = [part.text for part in _leaves(node)]
    return node.text == "letters" and (len(letters) > 2 or "".join(letters).isupper())


def _leaves(node: Node) -> list[Node]:
    return [leaf for part in node.parts for leaf in _leaves(part)] if node.parts else [node]


def _refuted(one: Node, other: Node) -> bool:
    """Whether the two differ at a point where both are defined, in reals unless one says i."""
    import mpmath

    leaves = _leaves(one) + _leaves(other)
    is_complex = any(leaf.text == "i" for leaf in leaves)
    # ln|x| is defined where ln x is not; other differences of that kind count for nothing.
    bars = _has_bars(one) != _has_bars(other)
    names = sorted(_unknowns(one) | _unknowns(other))
    with mpmath.workdps(60):
        for start in range(len(_POINTS) if names else 1):
            point = {
                name: mpmath.mpf(_POINTS[(start + place * (start + 1)) % len(_POINTS)])
                for place, name in enumerate(names)
            }
            first, second = (_defined(node, point, is_complex) for node in (one, other))
            if first is None or second is None:
                if bars and first is not second:
                    return True
                continue
            apart = abs(first - second)
            if apart > _NEAR * max(abs(first), abs(second)) and apart > _NOISE:
                return True
    return False


def _has_bars(node: Node) -> bool:
    return node.text == "abs" or any(map(_has_bars, node.parts))


def _defined(node: Node, point: dict[str, Any], is_complex: bool) -> Any:
    try:
        return _at(node, point, is_complex)
    except (TaskError, ArithmeticError, ValueError, TypeError, LookupError):
        return None


def _at(node: Node, point: dict[str, Any], is_complex: bool) -> Any:
    """A formula's value; what is not defined in reals raises."""
    import mpmath

    if repr(node) in point:
        return point[repr(node)]
    parts = [_at(part, point, is_complex) for part in node.parts]
    if node.kind == "number":
        over, _, under = node.text.partition("/")
        return mpmath.mpf(over) / mpmath.mpf(under or 1)
    if node.kind == "name":
        known = {"pi": mpmath.pi, "e": mpmath.e, "i": mpmath.mpc(0, 1)}
        return known[node.text] + 0 if node.text in known else point[node.text]
    if node.kind in _OPERATIONS:
        value = _OPERATIONS[node.kind](mpmath, *parts)
    elif node.kind == "call" and node.text in _CALLS:
        value = _CALLS[node.text](
            mpmath, *parts, *([mpmath.mpf("1.913")] * (node.text == "log" and len(parts) == 1))
        )
    else:
        raise TaskError("This has no value at a point.")
    if not mpmath.isfinite(value) or (not is_complex and isinstance(value, mpmath.mpc)):
        raise TaskError("This is not defined in real numbers.")
    return value


def _root(library: Any, base: Any, degree: Any) -> Any:
    """A root in reals, for mpmath."""
    odd = degree == 3 and base < 0
    return -library.power(-base, 1 / degree) if odd else library.power(base, 1 / degree)


def _small(value: Any) -> Any:
    """A number that can be an exponent."""
    if not getattr(value, "free_symbols", None) and abs(value) > _MOST_POWER:
        raise TaskError(f"An exponent is at most {_MOST_POWER}.")
    return value


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": lambda _, a, b: a + b,
    "-": lambda _, a, b: a - b,
    "*": lambda _, a, b: a * b,
    "/": lambda _, a, b: a / b,
    "^": lambda _, a, b: a ** _small(b),
    "neg": lambda _, a: -a,
    "!": lambda library, a: library.factorial(_small(a)),
    "degrees": lambda library, a: a * library.pi / 180,
    "root": lambda library, a, degree: _root(library, a, degree),
}
_CALLS: dict[str, Callable[..., Any]] = {
    "ln": lambda library, a: library.log(a),
    "log": lambda library, a, base: library.log(a) / library.log(base),
    "lfloor": lambda library, a: library.floor(a),
    "lceil": lambda library, a: library.ceil(a) if hasattr(library, "ceil") else library.ceiling(a),
    "abs": lambda library, a: library.Abs(a) if hasattr(library, "Abs") else abs(a),
    "binom": lambda library, n, k: library.binomial(n, k),
    **{
        short: lambda library, a, name=name: getattr(library, name)(a)
        for short, name in [(one, one) for one in "sin cos tan cot sec csc exp".split()]
        + [(one, one) for one in "sinh cosh tanh".split()]
        + [(f"arc{one}", f"a{one}") for one in ("sin", "cos", "tan")]
    },
}
"""Operations and functions, for mpmath and for sympy."""


def _sympy(node: Node) -> Any:
    """A formula for sympy; its unknowns stand for positive numbers.

    Raises:
        TaskError: it is no value.
    """
    import sympy

    parts = [_sympy(part) for part in node.parts]
    if node.kind == "number":
        return sympy.Rational(node.text.rstrip("."))
    if node.kind == "name":
        known = {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "infty": sympy.oo}
        return known.get(node.text) or sympy.Symbol(node.text, positive=True)
    if node.kind == "based":
        return sympy.Symbol(node.text, positive=True)
    if node.kind == "root":
        odd = parts[1] == 3 and parts[0].is_negative
        return -sympy.root(-parts[0], 3) if odd else sympy.root(*parts)
    if node.kind in _OPERATIONS:
        return _OPERATIONS[node.kind](sympy, *parts)
    if node.kind == "call" and node.text in _CALLS:
        unsaid = [sympy.Symbol("base of log", positive=True)] * (
            node.text == "log" and len(parts) == 1
        )
        return _CALLS[node.text](sympy, *parts, *unsaid)
    if node.kind == "call":
        return sympy.Function(node.text, positive=True)(*parts)
    raise TaskError(f"No value: {node.kind}.")


if __name__ == "__main__":
    main(float(sys.argv[1]))
