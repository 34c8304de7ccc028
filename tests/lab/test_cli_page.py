"""`lab` without a command: the page is served, and closed by a signal."""

import re
import subprocess
import time
import urllib.request
from pathlib import Path

from tests.lab.test_cli import command, environment, lab

SWITCHES = re.compile(r"^voluntary_ctxt_switches:\s*(\d+)$", re.MULTILINE)


def looks(process: int) -> int:
    """How often the threads of a process have waited for something so far."""
    found = Path(f"/proc/{process}/task").glob("*/status")
    return sum(int(SWITCHES.findall(path.read_text("ascii"))[0]) for path in found)


def test_the_page_is_served_until_it_is_told_to_close(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("--no-browser", "--port", "0", "--home", tmp_path / "home"),
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.fullmatch(r"The lab is open at (http://127\.0\.0\.1:(\d+)/?)\n", line)
        assert match, line
        open_directly = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with open_directly.open(match[1], timeout=60) as page:
            assert b"gradio" in page.read()
        if Path("/proc/self/task").is_dir():  # where Linux counts it
            time.sleep(1)  # whatever a start does at last
            before = looks(process.pid)
            time.sleep(2)
            assert looks(process.pid) - before < 200, "nobody asks, and models need the processor"
        taken = lab("--no-browser", "--port", match[2], home=tmp_path)
        assert taken.code == 1
        assert f"port {match[2]}" in taken.err
        assert "Traceback" not in taken.err
    finally:
        for _ in range(3):  # as make and the terminal both do
            process.terminate()
        out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    assert out == ""
    assert str(tmp_path / "home") in err
    assert "Traceback" not in err


def test_a_page_option_before_a_command_is_refused(tmp_path: Path) -> None:
    done = lab("--port", "8000", "sessions", "list", home=tmp_path)
    assert done.code == 2
    assert "--port" in done.err


def test_strangers_are_let_in_only_on_demand(tmp_path: Path) -> None:
    done = lab("--host", "0.0.0.0", "--no-browser", home=tmp_path)
    assert done.code == 2
    assert "--auth" in done.err
    assert "--allow-open" in done.err
    assert not (tmp_path / "home").exists()


def test_a_window_of_its_own_closes_the_lab(tmp_path: Path) -> None:
    """With a stand-in for pywebview that says what it was asked and is closed at once."""
    missing = tmp_path / "missing"
    missing.mkdir()
    (missing / "webview.py").write_text("raise ImportError('no webview here')")
    asked = environment(tmp_path) | {"PYTHONPATH": str(missing)}
    done = subprocess.run(
        command("--window", "--home", tmp_path / "home"),
        env=asked,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 1
    assert "pip install 'rest-mcts-lab[window]'" in done.stderr
    (missing / "webview.py").write_text(
        "def create_window(title, url, **more): print('window', title, url)\n"
        "def start(watch, **more): print('closed')\n"
    )
    done = subprocess.run(
        command("--window", "--port", "0", "--home", tmp_path / "home"),
        env=asked,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = re.search(r"open at (\S+)\nwindow lab (\S+)\nclosed", done.stdout)
    assert said is not None, done.stdout
    assert said[1] == said[2]
