r"""One way of writing for what Unicode, LaTeX and keyboards write differently.

Superscripts, fractions, digits of other scripts and letters of other fonts are spelled as Unicode's
own data say. Nothing is dropped but what says how a text looks: fonts, sizes of brackets, spaces.
"""

import re
import unicodedata

_SIGNS = {
    **dict.fromkeys("\u2212\ufe63\uff0d", "-"),
    **dict.fromkeys("\u00d7\u00b7\u22c5\u2219\u2217\u2062", "*"),
    **dict.fromkeys("\u00f7\u2215\u2044\u2236", "/"),
    **dict.fromkeys("\u2264\u2a7d\u2266", r"\le "),
    **dict.fromkeys("\u2265\u2a7e\u2267", r"\ge "),
    **dict.fromkeys("\u200b\u200c\u200d\u2060\u2061\ufeff", ""),
    **dict.fromkeys("\u00ba\u00b0\u02da", r"^\circ "),
    **dict.fromkeys("\u201c\u201d", '"'),
    **dict.fromkeys("\u2032\u2019\u2018\u02b9", "'"),
    **dict.fromkeys("\u2248\u2243\u2245", r"\approx "),
    "\u221a": " sqrt ",
    "\u221b": " cbrt ",
    "\u221e": r"\infty ",
    "\u2260": r"\ne ",
    "\u222a": r"\cup ",
    "\u2229": r"\cap ",
    "\u2208": r"\in ",
    "\u2205": r"\emptyset ",
    "\u2216": r"\setminus ",
    "\u211d": r"\mathbb{R}",
    "\u00b1": r"\pm ",
    "\u2213": r"\mp ",
    "\u2223": "|",
}
_ALIASES = {
    **dict.fromkeys(("leq", "leqslant", "leqq"), r"\le "),
    **dict.fromkeys(("geq", "geqslant", "geqq"), r"\ge "),
    **dict.fromkeys(("times", "cdot", "ast"), "*"),
    **dict.fromkeys(("dfrac", "tfrac", "cfrac"), r"\frac"),
    **dict.fromkeys(("dbinom", "tbinom"), r"\binom"),
    **dict.fromkeys(("varnothing", "O"), r"\emptyset "),
    **dict.fromkeys(("vert", "lvert", "rvert"), "|"),
    **dict.fromkeys(("quad", "qquad", "space", "thinspace", "displaystyle", "textstyle"), " "),
    "neq": r"\ne ",
    "lt": "<",
    "gt": ">",
    "div": "/",
    "lbrace": r"\{",
    "rbrace": r"\}",
    "backslash": r"\setminus ",
    "degree": r"^\circ ",
    "colon": ":",
    "dots": "...",
    "ldots": "...",
}
_GREEK = re.compile(r"GREEK (CAPITAL|SMALL) LETTER ([A-Z]+)")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_SIZES = re.compile(
    r"\\(?:left|right)(?![A-Za-z])\.?|\\[bB]igg?[lrm]?(?![A-Za-z])|\\(?:no)?limits(?![A-Za-z])"
)
_FONTS = (
    r"text|textbf|textit|textrm|textsf|texttt|mathrm|mathbf|mathit|mathsf|boldsymbol|bm|mbox|rm|bf"
    r"|operatorname\*?|emph|boxed|fbox"
)
_FONT = re.compile(rf"\\(?:{_FONTS})\s*\{{([^{{}}]*(?:\{{[^{{}}]*\}}[^{{}}]*)?)\}}")
_BARE_FONT = re.compile(rf"\\(?:{_FONTS})(?![A-Za-z])")
_WORN = 4
"""Fonts within fonts."""

_REWRITTEN = [
    (re.compile(pattern), written)
    for pattern, written in (
        (r"\{,\}", ","),
        (r"(?<=\d)(?:\\[,;: ]|~)(?=\d{3}(?!\d))", " "),
        (r"\\!", ""),
        (r"(?<!\\)\\(?:[,;: ]|[()\[\]])", " "),
        (r"~", " "),
        (r"\\([%_#$])", r"\1"),
        (
            r"\^\s*\{\s*(\\circ)\s*\}|\{\s*(\\circ)\s*\}|(?<!\^)(?<!\^ )(\\circ)(?![A-Za-z])",
            r"^\\circ ",
        ),
        (r"\{([^{}]{1,99})\\over(?![A-Za-z])([^{}]{1,99})\}", r"\\frac{\1}{\2}"),
        (r"((?:\d\u0305)+)", lambda found: rf"\overline{{{found[0].replace(chr(0x305), '')}}}"),
        (r"\\(?:bar|dot)\s*\{?(\d)\}?", r"\\overline{\1}"),
        (r"\*\*", "^"),
        (r"\^\s*\{?\s*\\prime(?![A-Za-z])\s*\}?", "'"),
        (r"<=|=<", r"\\le "),
        (r">=", r"\\ge "),
        (r"\+/-", r"\\pm "),
        (r"(?<=\d)\s*[xX]\s*(?=\d)", "*"),
        (r"(?<=[)\]}])\s*U\s*(?=[(\[{\\])", r"\\cup "),
        (
            r"(?<![A-Za-z}_^])(\\?\{)\s*[A-Za-z]\s*(?:\||\\mid(?![A-Za-z])|:)"
            r"(?=[^{}]{0,99}(?:[<>]|\\[lg]e|\\ne|\\in))",
            r"\1",
        ),
        (r"(?<![\d.])\u2013|\u2013(?![\d.])", "-"),
    )
]
"""What is written otherwise, in this order."""


_COUNTED = re.compile(
    r"\$\s?(?=\d[\d,]*(?:\.\d+)?\s?(?:\\times|\\div|\\cdot|[-+*/=\u2212\u00d7])\s?\$?\d)"
)
"""The currency of an amount that is counted with: "$2 + $3 = $5" is 5 dollars."""


def plain(text: str) -> str:
    r"""The text in one notation, such as "x^{2}" for x\u00b2; "$" in it is a currency's sign."""
    text = _CONTROL.sub("\ufffd", text)
    text = re.sub("\x02\x01|\x04\x03", "", "".join(map(_spelled, text)))
    text = text.translate({1: "^{", 2: "}", 3: "_{", 4: "}"})
    text = _SIZES.sub("", _without_delimiters(text))
    for _ in range(_WORN):
        text = _FONT.sub(r" \1 ", text)
    text = _BARE_FONT.sub(" ", text)
    text = _COMMAND.sub(lambda found: _ALIASES.get(found[1], found[0]), text)
    for pattern, written in _REWRITTEN:
        text = pattern.sub(written, text)
    return " ".join(text.split())


def _spelled(sign: str) -> str:
    """A character as it is written with others, by Unicode's data."""
    if sign.isascii():
        return sign
    if sign in _SIGNS:
        return _SIGNS[sign]
    if sign.isdecimal():
        return str(unicodedata.decimal(sign))
    if letter := _GREEK.fullmatch(unicodedata.name(sign, "")):
        name = letter[2].lower()
        return f"\\{name.title() if letter[1] == 'CAPITAL' else name} "
    kind, *codes = unicodedata.decomposition(sign).split() or [""]
    if not kind.startswith("<"):
        return sign
    spelled = "".join(_spelled(chr(int(code, 16))) for code in codes)
    if kind == "<fraction>":
        over, _, under = spelled.partition("/")
        return rf"\frac{{{over}}}{{{under}}}" if under else spelled
    raised = {"<super>": f"\x01{spelled}\x02", "<sub>": f"\x03{spelled}\x04"}
    return raised.get(kind, spelled)


def _without_delimiters(text: str) -> str:
    """Without the dollars around formulas; a single one before a number is a currency's."""
    text = text.replace("\\$", "\0")
    if text.count("$") % 2 == 0 or not re.search(r"\$\s*[-\d.]", text):
        text = text.replace("$", " ")
    return _COUNTED.sub("", text.replace("\0", "$"))


_QUOTED = re.compile(r"[\"'\u2018\u201c\u00ab]([^\"']+?)\.?[\"'\u2019\u201d\u00bb]")


def trimmed(text: str) -> str:
    """Without the marks around an answer: dollars of a formula, bold stars, a full stop."""
    text = text.strip().strip("*`").strip()
    for opening, closing in (("\\(", "\\)"), ("\\[", "\\]"), ("$$", "$$"), ("$", "$")):
        if text.startswith(opening) and text.endswith(closing) and len(text) > len(opening) * 2:
            text = text[len(opening) : -len(closing)].strip()
    text = re.sub(r"[.,;:]$", "", text).strip().strip("*`").strip()
    return quoted[1].strip() if (quoted := _QUOTED.fullmatch(text)) else text
