"""A small round of the bundled models through the command: killed in training, gone on with, shown.

One round is shared by all tests: it takes a few dozen seconds.
"""

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from sessions.store import Store
from tests.lab import fresh
from tests.lab.test_cli import Done, environment, lab

pytestmark = pytest.mark.timeout(600)  # loads models and trains them

SMALL = (
    *("round", "--pool-limit", "8", "--heldout-limit", "8", "--guided-limit", "4"),
    *("--iterations", "6", "--updates", "40"),
)
LONG = 200.0


def killed_after(home: Path, phase: str, *arguments: str) -> None:
    """Run a command until a phase of its round is done, and a little longer; then kill it."""
    home.mkdir(parents=True, exist_ok=True)
    with fresh.Command(arguments, environment(home)) as running:
        store, deadline = Store(home), time.monotonic() + LONG
        while time.monotonic() < deadline and running.running:
            rows = store.rounds.rows()
            if rows and rows[0].result(phase) is not None:
                break
            time.sleep(0.01)
        store.close()
        time.sleep(0.2)
        running.signal(signal.SIGKILL)
        assert running.ended()[0] == -signal.SIGKILL


def files(home: Path) -> dict[str, bytes]:
    """Weights of the adapters of a home."""
    return {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*.safetensors")}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """A home with a round that was killed after the first training, and gone on with."""
    home = tmp_path_factory.mktemp("home")
    killed_after(home, "prm", *SMALL)
    before = {name: content for name, content in files(home).items() if "adapters/" in name}
    assert before
    store = Store(home)
    (row,) = store.rounds.rows()
    assert row.status == "open"
    begun = {info.id for info in store.sessions()}
    store.close()
    finished = lab(*SMALL, "--json", home=home)
    assert before.items() <= files(home).items(), "what was trained stays as it was"
    assert f"Going on with round {row.id}; done: search, examples, prm" in finished.err
    assert " MiB where memory is short, while training on 16 texts of 2" in finished.err
    (found,) = finished.json["rounds"]
    assert found["id"] == row.id
    store = Store(home)
    assert begun <= {info.id for info in store.sessions()}
    store.close()
    return home, finished


def report(done: Done) -> dict[str, Any]:
    (found,) = done.json["rounds"]
    assert isinstance(found, dict)
    return found


def test_the_round_says_whether_it_helped(trained: tuple[Path, Done]) -> None:
    _, done = trained
    found = report(done)
    assert (found["status"], found["message"]) == ("done", "")
    verdict = found["verdict"]
    assert verdict["greedy"]["n"] == 8
    assert ", n = 8: " in verdict["greedy"]["sentence"]
    assert verdict["guided"]["n"] == 4
    assert verdict["steps"]["checked"] == verdict["steps"]["solutions"] > 0
    assert {adapter["role"] for adapter in found["adapters"]} == {"policy", "prm"}
    for words in ("ReST-MCTS*", "Searches 8 problems: mcts_star, 6 iterations", "Memory: "):
        assert words in done.err
    assert "Traceback" not in done.err
    assert "Warning" not in done.err, "no word of a library"


def test_adapters_are_what_plain_peft_loads(trained: tuple[Path, Done]) -> None:
    home, done = trained
    for adapter in report(done)["adapters"]:
        folder = home / "adapters" / adapter["id"]
        config = json.loads((folder / "adapter_config.json").read_text())
        assert config["peft_type"] == "LORA"
        assert (folder / "value_head.safetensors").exists() == (adapter["role"] == "prm")
        meta = json.loads((folder / "meta.json").read_text("ascii"))
        assert meta["id"] == adapter["id"]
        assert meta["evaluation"]["guided"]["n"] == 4
    assert not list((home / "rounds").rglob("checkpoint*")), "they are of no use any more"


def test_a_search_uses_what_is_in_use(trained: tuple[Path, Done]) -> None:
    home, done = trained
    found = report(done)
    used = lab("rounds", "activate", found["id"][:6], "--json", home=home).json
    policy, prm = (found["verdict"]["adapters"][role] for role in ("policy", "prm"))
    assert used == {
        "policy": f"bundled + adapter {policy}",
        "prm": f"bundled + adapter {prm}",
    }
    searching = ("search", "--problem", "stories-heldout-0001", "--iterations", "2", "--json")
    first = lab(*searching, home=home).json
    assert first["models"] == used
    back = lab("rounds", "activate", "base", home=home)
    assert "New sessions use bundled and bundled." in back.err
    assert lab(*searching, home=home).json["models"] == {"policy": "bundled", "prm": "bundled"}
    again = lab("search", "--session", first["session"], "--iterations", "1", "--json", home=home)
    assert again.json["models"] == used, "a session goes on with its own"
    assert again.json["iterations"] == 3
    other = ("rounds", "activate", "base", "--session", first["session"][:6])
    assert (
        f"Session {first['session']} goes on with bundled and bundled."
        in lab(*other, home=home).err
    )
    again = lab("search", "--session", first["session"], "--iterations", "1", "--json", home=home)
    assert again.json["models"] == {"policy": "bundled", "prm": "bundled"}


def test_rounds_are_listed_shown_and_compared(trained: tuple[Path, Done]) -> None:
    home, done = trained
    found = report(done)
    listed = lab("rounds", "list", home=home)
    assert found["id"] in listed.out
    assert all(adapter["id"] in listed.out for adapter in found["adapters"])
    as_json = lab("rounds", "list", "--json", home=home).json
    assert [one["id"] for one in as_json["rounds"]] == [found["id"]]
    shown = lab("rounds", "show", found["id"][:4], home=home)
    for words in ("Train the policy", "greedy answers", "traces without a wrong step", "AUC"):
        assert words in shown.out or words == "AUC"
    shown_json = lab("rounds", "show", found["id"], "--json", home=home).json
    assert shown_json["verdict"] == found["verdict"]
    compared = lab("rounds", "compare", found["id"], found["id"], home=home)
    assert "+0.0 points, 95 % CI -36.9 to 36.9, n = 8: not significant" in compared.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("rounds", "show", "nothing"), "no round 'nothing'"),
        (("rounds", "activate", "nothing"), "no adapter 'nothing'"),
        (("round", "--recipe", "none"), "no recipe 'none'. Known are: rest_mcts"),
        (("round", "--pool", "heldout", "--pool-limit", "600"), "are in the pool (heldout)"),
        (("round", "--rounds", "0"), "--rounds"),
        (("rounds", "delete", "nothing", "--yes"), "no round 'nothing'"),
    ],
)
def test_bad_input_is_told(
    trained: tuple[Path, Done], arguments: tuple[str, ...], words: str
) -> None:
    done = lab(*arguments, home=trained[0])
    assert done.code == 2
    assert words.lower() in " ".join(done.err.replace("│", " ").split()).lower()
    assert "Traceback" not in done.err


def test_ctrl_c_keeps_what_is_finished(trained: tuple[Path, Done]) -> None:
    home, done = trained
    with fresh.Command([*SMALL, "--seed", "1"], environment(home)) as running:
        store, deadline = Store(home), time.monotonic() + LONG
        while time.monotonic() < deadline:
            newest = store.rounds.rows()[0]
            if newest.status == "open" and newest.result("search"):
                break
            time.sleep(0.01)
        running.signal(signal.SIGINT)
        code, out, err = running.ended()
    assert (code, "Traceback" in err) == (130, False)
    assert "Ended by Ctrl-C; what is finished is kept. Go on with: lab round" in err
    assert "Search the pool" in out
    row = store.rounds.rows()[0]
    assert (row.status, row.message) == ("open", "")
    store.rounds.hold(row.series)
    store.close()
    assert lab("rounds", "delete", row.id, "--yes", home=home).code == 0
    assert lab("rounds", "list", "--json", home=home).json["rounds"][0]["id"] == report(done)["id"]


def test_what_is_in_use_is_not_deleted_and_the_rest_is(trained: tuple[Path, Done]) -> None:
    home, done = trained
    found = report(done)
    lab("rounds", "activate", found["id"], home=home)
    refused = lab("rounds", "delete", found["id"], "--yes", home=home)
    assert (refused.code, "is the one in use" in refused.err) == (2, True)
    asked = lab("rounds", "delete", found["id"], home=home)
    assert (asked.code, "needs --yes" in asked.err) == (2, True)
    lab("rounds", "activate", "base", home=home)
    assert lab("rounds", "delete", found["id"], "--yes", home=home).code == 0
    assert "No rounds yet" in lab("rounds", "list", home=home).out
    assert not list((home / "adapters").iterdir())
