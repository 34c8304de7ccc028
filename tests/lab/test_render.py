"""Text for the terminal: hostile characters, cut trees, what is said of an answer."""

import io
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from lab import render
from lab.terminal import plain, visible


def text_of(renderable: Any, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False, emoji=False)
    console.print(renderable)
    stream = console.file
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


def delta(*nodes: dict[str, Any], best: tuple[int, ...] = (0,)) -> dict[str, Any]:
    common = {"value": 0.5, "visits": 1, "step": "a step\n", "answer": None, "correct": None}
    return {
        "nodes": [{**common, **node} for node in nodes],
        "tree": {"question": "What?", "best_path": list(best)},
    }


@given(st.text())
def test_visible_text_cannot_steer_a_terminal(text: str) -> None:
    shown = visible(text)
    assert not set(shown) & {chr(code) for code in (*range(32), *range(127, 160))}
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028")


def test_hostile_text_is_written_out_and_markup_stays_text() -> None:
    shown = text_of(plain("[red]a[/red] \x1b[2J \u202e \x9b :smile: \ud800"))
    assert shown == "[red]a[/red] \\x1b[2J \\u202e \\x9b :smile: \\ud800\n"


def test_letters_of_every_language_stay() -> None:
    words = "Frank hat 27 Äpfel, 李 hat 3, علی, 👩\u200d🏫"
    assert visible(words) == words


def test_a_tree_shows_values_answers_and_the_best_path() -> None:
    shown = text_of(
        render.tree(
            delta(
                {"id": 0, "parent": None, "step": ""},
                {"id": 1, "parent": 0, "value": 0.25, "visits": 7},
                {"id": 2, "parent": 0, "value": 0.931, "answer": "41", "correct": True},
                {"id": 3, "parent": 1, "step": "Answer: 4", "answer": "4", "correct": False},
                best=(0, 2),
            )
        )
    )
    lines = shown.splitlines()
    assert lines[0] == "What?"
    assert "0.25 n 7" in lines[1]
    assert lines[2].endswith("Answer: 4  wrong")
    assert "* 0.93 n 1" in lines[3]
    assert lines[3].endswith("a step = 41  right")


def test_a_large_tree_is_cut_and_says_so() -> None:
    nodes: list[dict[str, Any]] = [{"id": 0, "parent": None, "visits": 99}]
    nodes += [{"id": i, "parent": 0, "visits": i} for i in range(1, 51)]
    nodes += [{"id": i, "parent": 50, "visits": 0} for i in range(51, 101)]
    nodes += [{"id": 101, "parent": 51, "visits": 0, "step": "the end"}]
    shown = text_of(render.tree(delta(*nodes, best=(0, 50, 51, 101)), 20))
    assert "the end" in shown
    whole = text_of(render.tree(delta(*nodes, best=(0, 50, 51, 101)), None))
    assert len(whole.splitlines()) == 102
    small = text_of(render.tree(delta(*nodes[:51], best=(0,)), 20))
    assert "more" not in small  # siblings of the best path are never cut
    cut = text_of(render.tree(delta(*nodes, best=(0, 1)), 20))
    assert "... 50 more" in cut


def test_the_summary_tells_right_from_wrong_from_unknown() -> None:
    result: dict[str, Any] = {
        "answer": "41",
        "gold": "41",
        "correct": True,
        "iterations": 1200,
        "nodes": 3,
        "seconds": 1.25,
        "stop": "exhausted",
        "refused": {"asked": 3, "refused": 0, "reasons": {}, "example": "", "words": ""},
        "tokens": {
            "policy": {"unique": 9, "generated": 2, "forwarded": 1, "cached": 8, "padded": 0},
            "prm": {"unique": 3, "forwarded": 3, "cached": 0, "padded": 5},
        },
    }
    assert "Answer 41  right  (expected 41)" in text_of(render.summary(result))
    assert "1,200 iterations" in text_of(render.summary(result))
    assert "nothing is left to expand" in text_of(render.summary(result))
    assert "2 tokens generated, 9 unique, 1 forwarded" in text_of(render.summary(result))
    assert "5 padded" in text_of(render.summary(result))
    assert "refused" not in text_of(render.summary(result))
    refused = {"asked": 9, "refused": 9, "words": "9 of 9 proposals (100 %): 9 too short"}
    said = text_of(render.summary({**result, "stop": "unusable", "refused": refused}))
    blocked = " ".join(said.split())
    assert "nothing usable came: 9 of 9 proposals were refused" in blocked
    assert "refused: 9 of 9 proposals (100 %): 9 too short" in blocked
    assert "ended" not in text_of(render.summary({**result, "stop": "iterations"}))
    assert "wrong" in text_of(render.summary({**result, "correct": False, "gold": "40"}))
    unknown = text_of(render.summary({**result, "correct": None, "gold": None}))
    assert "right" not in unknown
    assert "expected" not in unknown
    assert "No answer yet" in text_of(render.summary({**result, "answer": None}))


def test_a_value_outside_its_range_has_a_colour() -> None:
    assert render.value_style(-3.0) == render.value_style(0.0)
    assert render.value_style(9.0) == render.value_style(1.0)
