"""Trees as graphs and pictures: complete, readable by others, and hostile text only text."""

import xml.etree.ElementTree as ET
from pathlib import Path

import networkx
import pytest
from PIL import Image

from engine import events as ev
from engine.exports.graph import graph, writable, write_graphml
from engine.exports.layout import positions
from engine.exports.page import write_page
from engine.exports.picture import write_picture
from engine.exports.words import legible, shortened
from engine.search.driver import Limits
from engine.tree import Tree
from tests.browser.hostile import HOST, PAYLOADS, naughty_strings
from tests.engine.trees import QUESTION, log_of, small_log, small_tree
from tests.engine.worlds import World, new_search, run

TEXTS = [*PAYLOADS, *naughty_strings()]


@pytest.fixture(scope="module")
def hostile() -> Tree:
    paths = [[text] for text in dict.fromkeys(TEXTS)]
    log = log_of(paths, {place: place % 2 == 0 for place in range(len(paths))}, question=TEXTS[0])
    return Tree.fold([*log, *(ev.Noted(n, text) for n, (text,) in enumerate(paths, 1))])


def test_the_graph_is_the_tree() -> None:
    found = graph(small_tree())
    assert networkx.is_arborescence(found)
    assert set(found.edges) == {(0, 1), (0, 2), (1, 3), (1, 4), (3, 5), (4, 6)}
    assert found.nodes[5]["step"] == "Answer: 9\n"
    assert (found.nodes[5]["value"], found.nodes[5]["correct"]) == (0.9, True)
    assert found.graph["question"] == QUESTION


def test_graphml_reads_back(tmp_path: Path) -> None:
    write_graphml(Tree.fold([*small_log(), ev.Marked(3, "right")]), tmp_path / "t.graphml")
    found = networkx.read_graphml(tmp_path / "t.graphml", node_type=int)
    assert networkx.is_arborescence(found)
    assert found.nodes[5]["step"] == "Answer: 9\n"
    assert found.nodes[5]["correct"] is True
    assert found.nodes[6]["value"] == 0.2
    assert found.nodes[3]["mark"] == "right"
    assert "prm" not in found.nodes[0]


def test_graphml_reads_back_whatever_the_text(hostile: Tree, tmp_path: Path) -> None:
    write_graphml(hostile, tmp_path / "t.graphml")
    found = networkx.read_graphml(tmp_path / "t.graphml", node_type=int)
    for node in hostile.nodes[1:]:
        assert found.nodes[node.id]["step"] == writable(node.step)
        assert found.nodes[node.id]["note"] == writable(node.note)
    assert writable("a\x00\x1b\rb\ufffe\ttab\n") == "a\\x00\\x1b\\rb\\ufffe\ttab\n"


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_pictures_are_drawn_whatever_the_text(hostile: Tree, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"t.{kind}"
    write_picture(hostile, path, kind)
    if kind == "png":
        with Image.open(path) as image:
            image.verify()
            assert max(image.size) <= 6000
    elif kind == "svg":
        check_svg(path)
    else:
        assert path.read_bytes().startswith(b"%PDF-")


def check_svg(path: Path) -> None:
    """Well-formed, and nothing in it runs or is asked for."""
    for element in ET.parse(path).iter():
        assert element.tag.rpartition("}")[2] not in ("script", "foreignObject", "a", "iframe")
        for name, value in element.attrib.items():
            assert not name.lower().startswith("on")
            assert "href" not in name or value.startswith(("#", "data:image/png;base64,"))
            assert HOST not in value


def test_a_picture_shows_the_steps_as_text(tmp_path: Path) -> None:
    write_picture(small_tree(), tmp_path / "t.svg", "svg")
    words = "".join(ET.parse(tmp_path / "t.svg").getroot().itertext())
    for node in small_tree().nodes[1:]:
        assert f"{node.step.strip()}  {node.value:.2f}" in words
    assert QUESTION in words


def test_the_same_tree_gives_the_same_picture(tmp_path: Path) -> None:
    for kind in ("png", "svg", "pdf"):
        for name in ("one", "other"):
            write_picture(small_tree(), tmp_path / name, kind)
        assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes(), kind


def test_formulas_are_not_typeset(tmp_path: Path) -> None:
    tree = Tree.fold(log_of([[r"$\frac{broken$ ", "$x^2$\n"]], {0: True}, question=r"$\bad{"))
    write_picture(tree, tmp_path / "t.svg", "svg")
    assert "$x^2$" in (tmp_path / "t.svg").read_text("utf-8")


def test_a_bare_root_and_a_large_tree_are_drawn(tmp_path: Path) -> None:
    root = new_search().tree
    search = new_search(branch=8)
    run(search, Limits(iterations=120), World(words=9))
    assert len(search.tree.nodes) > 300
    for tree in (root, search.tree):
        write_picture(tree, tmp_path / "t.png", "png")
        write_graphml(tree, tmp_path / "t.graphml")
        write_page(tree, tmp_path / "t.html")
        with Image.open(tmp_path / "t.png") as image:
            assert max(image.size) <= 6000


def test_no_two_nodes_share_a_place_and_parents_stand_above_their_children() -> None:
    search = new_search(branch=4)
    run(search, Limits(iterations=40), World(words=9))
    places = positions(search.tree)
    assert len(set(places.values())) == len(search.tree.nodes)
    for node in search.tree.nodes:
        assert places[node.id][1] == -node.depth
        if node.children:
            across = [places[child][0] for child in node.children]
            assert min(across) <= places[node.id][0] <= max(across)


def test_drawn_text_hides_nothing() -> None:
    assert legible("a\x1b[31m\u202eb\nc") == "a\\x1b[31m\\u202eb\nc"
    assert shortened("one\ntwo   three", 100) == "one two three"
    assert shortened("x" * 50, 10) == "x" * 9 + "…"
    assert len(shortened("word " * 1000, 30)) <= 30
