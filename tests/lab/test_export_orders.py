"""Orders of a page for exports: plain names in one folder, counted before they are written."""

from collections.abc import Callable

import pytest

from engine.errors import ExportError, ParameterError
from lab.workbench import Workbench
from tests.lab.benches import finish

Make = Callable[..., Workbench]


def test_a_name_is_a_plain_one_in_the_folder(make: Make) -> None:
    bench = make()
    session = bench.create("What?", gold="1", seed=8)
    finish(bench, session, iterations=15)
    orders = bench.exports.orders
    this = {"selection": {"sessions": [session]}}
    for name in ("../x", "/x", "a/b", "a\\b", ".x", "..", "x\n", "a\0", "x" * 81, "é", "-x", "%2e"):
        with pytest.raises(ParameterError, match="cannot be called"):
            orders.save({**this, "name": name})
    assert not bench.exports.folder.exists()
    counted = orders.count(this)
    saved = [orders.save(this) for _ in range(3)]
    assert len({one.path for one in saved}) == 3
    assert all(one.counts == counted.counts for one in saved)
    orders.save({**this, "form": "json", "rows": False, "name": "a tree"})
    with pytest.raises(ExportError, match=r"a tree\.json is there already"):
        orders.save({**this, "form": "json", "rows": False, "name": "a tree"})
    names = {path.name for path in bench.exports.folder.iterdir()}
    assert names == {one.name for one in saved} | {"a tree.json"}


def test_what_there_is_not_is_refused_in_words(make: Make) -> None:
    bench = make()
    session = bench.create("What?", gold="1")
    orders = bench.exports.orders
    this = {"selection": {"sessions": [session]}}
    for entered, words in (
        ({"form": "csv"}, "no format of rows 'csv'"),
        ({"form": "values", "rows": False}, "no document 'values'"),
        ({"container": "zip"}, r"Invalid enum value 'zip'"),
        ({"settings": {"method": "x"}}, "no method 'x'"),
        ({"path": "/etc/passwd"}, "unknown field `path`"),
        ({"selection": {"sessions": session}}, "Expected `array"),
    ):
        for act in (orders.count, orders.save):
            with pytest.raises(ParameterError, match=words):
                act({**this, **entered})
    empty = orders.save(this)
    assert (empty.name, empty.counts.rows) == (None, 0)
    assert not bench.exports.folder.exists()
