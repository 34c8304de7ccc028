"""Text that tries to be more than text. None of it may run, load anything or break the layout.

A payload that ran would set `window.pwned` or ask for a file at `HOST`.
"""

import json
from pathlib import Path

HOST = "http://evil.invalid"
_RUN = "window.pwned=1"

PAYLOADS = [
    f"<script>{_RUN}</script>",
    f"<img src=x onerror={_RUN}>",
    f"<img src='{HOST}/pixel.png'>",
    f"<svg onload={_RUN}>",
    f"<svg><script>{_RUN}</script></svg>",
    f"<iframe srcdoc='<script>parent.{_RUN}</script>'></iframe>",
    f"<iframe src='javascript:parent.{_RUN}'></iframe>",
    f"<body onload={_RUN}>",
    f"<details open ontoggle={_RUN}>x</details>",
    f"<input autofocus onfocus={_RUN}>",
    f"<a href='javascript:{_RUN}'>click</a>",
    f"<math><mtext><img src=x onerror={_RUN}></mtext></math>",
    f"<style>@import '{HOST}/a.css'; body {{ display: none }}</style>",
    f"<link rel=stylesheet href={HOST}/a.css>",
    f"<meta http-equiv=refresh content='0;url={HOST}'>",
    f"<form action={HOST}><button>go</button></form>",
    "</textarea><h1>out</h1>",
    "</script><h1>out</h1>",
    '"><h1>out</h1>',
    "'><h1>out</h1>",
    "--><h1>out</h1>",
    "]]><h1>out</h1>",
    "&lt;b&gt;not bold&lt;/b&gt; &amp; &#60;b&#62;",
    f"${{{_RUN}}}",
    f"${{(() => {{ {_RUN}; return 1 }})()}}",
    f"`${{{_RUN}}}`",
    "{{value}} {{#if value}}x{{/if}} {{{value}}}",
    f"{{{{constructor.constructor('{_RUN}')()}}}}",
    "@children",
    "<%= 7 * 7 %> #{7*7} {% raw %} %s %n {0} {a.__class__}",
    f"[click](javascript:{_RUN})",
    f"![image]({HOST}/image.png)",
    f"[reference]: {HOST} 'title'",
    "# heading\n\n* list\n\n| a | b |\n|---|---|",
    "```html\n<b>code</b>\n```",
    r"$\href{javascript:window.pwned=1}{x}$ $$\frac{1}{2}$$ \(x\)",
    r"\includegraphics{x} \input{/etc/passwd}",
    "\x1b[31mred\x1b[0m \x1b]8;;http://evil.invalid\x07link\x1b]8;;\x07 \x1b[2J\x1b[H",
    "a\rb\bc\x00d\x07e\x7ff",
    "abc \u202egnihtemos\u202c def",
    "\u2066isolate\u2069 \u200fmark\u200e \u061c",
    "zero\u200bwidth\u200c \u2060join\ufeff \u00ad",
    "\U000e0041\U000e0042 tags",
    "line\u2028separator\u2029paragraph",
    "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d" * 40,
    "👩‍👩‍👧‍👦 🏳️‍🌈 ﷽ \U0001d57f\U0001d58a",
    "word" * 2000,
    "a " * 3000,
    "\n" * 400 + "end",
    "\t" * 200 + "x",
    "__proto__",
    "constructor",
    "null",
    "NaN",
    "-1e999",
    "'; DROP TABLE sessions; --",
    "../../../../etc/passwd\x00.png",
    "x" * 1_000_000,
]  # fmt: skip


def naughty_strings() -> list[str]:
    """The Big List of Naughty Strings (see data/blns_LICENSE), without the empty ones."""
    path = Path(__file__).parent / "data" / "blns.json"
    return [text for text in json.loads(path.read_text("utf-8")) if text.strip()]
