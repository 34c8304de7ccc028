"""A model's Python: it computes, and nothing else. Twenty ways out are tried, and more."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.sandbox.runner import SandboxLimits, protection, run

pytestmark = pytest.mark.skipif(
    not protection(), reason="this machine cannot filter the system calls of a process"
)
QUICK = SandboxLimits(cpu_seconds=1, wall_seconds=4.0)


@pytest.fixture(scope="module")
def listener() -> Iterator[tuple[int, list[str]]]:
    """A server on this machine that notes whoever comes."""
    came: list[str] = []
    server = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                came.append(str(server.accept()[1]))
            except OSError:
                return

    threading.Thread(target=accept, daemon=True).start()
    yield server.getsockname()[1], came
    server.close()


def test_it_computes() -> None:
    ran = run(
        "import math\nfrom fractions import Fraction\nprint(math.comb(10, 3), Fraction(1, 3))"
    )
    assert (ran.ended, ran.output) == ("done", "120 1/3\n")
    assert any("system calls" in layer for layer in ran.layers)


def test_an_exception_is_told_in_words() -> None:
    ran = run("print('so far')\n1 / 0")
    assert (ran.ended, ran.output) == ("error", "so far\n")
    assert ran.error == "ZeroDivisionError: division by zero"
    assert "SyntaxError" in run("def (").error


ESCAPES = {
    "read a file": "print(open({secret!r}).read())",
    "read by descriptor": "import os; print(os.read(os.open({secret!r}, 0), 99))",
    "write a file": "open({target!r}, 'w').write('x')",
    "append to a file": "open({secret!r}, 'a').write('x')",
    "delete a file": "import os; os.unlink({secret!r})",
    "rename a file": "import os; os.rename({secret!r}, {target!r})",
    "make a folder": "import os; os.mkdir({target!r})",
    "link a file": "import os; os.symlink({secret!r}, {target!r})",
    "change modes": "import os; os.chmod({secret!r}, 0o777)",
    "list a folder": "import os; print(os.listdir('/'))",
    "start a shell": "import os; os.system('touch ' + {target!r})",
    "start a program": "import os; os.execv('/bin/sh', ['sh', '-c', 'touch ' + {target!r}])",
    "spawn a program": "import os; os.posix_spawn('/bin/touch', ['touch', {target!r}], {{}})",
    "fork": "import os; os.fork()",
    "kill the lab": "import os; os.kill({lab}, 9)",
    "kill its group": "import os; os.killpg(0, 9)",
    "call C": (
        "import sys; from ctypes import CDLL; CDLL(None).system(b'touch ' + {target!r}.encode())"
    ),
    "connect": ("import _socket; s = _socket.socket(); s.connect(('127.0.0.1', {port}))"),
    "import from elsewhere": "import sys; sys.path.append({folder!r}); import planted",
    "climb to builtins": (
        "[c for c in ().__class__.__base__.__subclasses__() if c.__name__ == 'Popen']"
        "[0](['touch', {target!r}])"
    ),
    "raise its limits": (
        "import resource; resource.setrlimit(resource.RLIMIT_CPU, (-1, -1)); print('raised')"
    ),
    "threads": "import _thread; _thread.start_new_thread(print, ('ran',))",
    "look at the lab's memory": "print(open('/proc/{lab}/environ').read())",
    "wait as another process": "import os; os.setsid(); os.execv({python!r}, [{python!r}])",
}


@pytest.mark.parametrize("way", ESCAPES)
def test_there_is_no_way_out(way: str, tmp_path: Path, listener: tuple[int, list[str]]) -> None:
    secret, target = tmp_path / "secret.txt", tmp_path / "made"
    secret.write_text("the secret")
    (tmp_path / "planted.py").write_text("print('planted ran')")
    port, came = listener
    code = ESCAPES[way].format(
        secret=str(secret),
        target=str(target),
        lab=os.getpid(),
        port=port,
        folder=str(tmp_path),
        python=sys.executable,
    )
    ran = run(code, QUICK)
    assert "secret" not in ran.output
    assert "ran" not in ran.output
    assert "raised" not in ran.output
    assert "PATH" not in ran.output
    time.sleep(0.01)
    assert not target.exists()
    assert secret.read_text() == "the secret"
    assert secret.stat().st_mode & 0o777 != 0o777
    assert not came
    if way not in ("call C", "kill its group", "start a shell"):  # these may raise nothing
        assert ran.ended in ("error", "killed"), ran


@pytest.mark.parametrize(
    ("code", "ended"),
    [
        ("while True: pass", "time"),
        ("import time; time.sleep(60)", "time"),
        ("x = 'a' * 10**11", "memory"),
        ("x = []\nwhile True: x.append('a' * 10**6 + str(len(x)))", "memory"),
        ("while True: print('x' * 1000)", "output"),
        ("try:\n    while True: pass\nexcept BaseException: pass\nwhile True: pass", "time"),
        ("def f(): return f()\nf()", "error"),
        ("import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass", "time"),
        ("import os; os._exit(3)", "killed"),
    ],
)
def test_limits_hold(code: str, ended: str) -> None:
    limits = SandboxLimits(cpu_seconds=1, wall_seconds=2.0, memory_bytes=256 * 1024 * 1024)
    ran = run(code, limits)
    assert ran.ended == ended, ran
    assert len(ran.output) <= limits.output_bytes


def test_it_dies_with_the_lab() -> None:
    code = "from engine.sandbox.runner import run; run('import time; print(1); time.sleep(60)')"
    lab = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    try:
        child = _child_of(lab.pid)
        lab.kill()
        lab.wait()
        for _ in range(200):
            if not Path(f"/proc/{child}").exists() or _zombie(child):
                return
            time.sleep(0.02)
        pytest.fail("the process outlived the lab")
    finally:
        lab.kill()


def _child_of(parent: int) -> int:
    for _ in range(500):
        found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        if found and b"runpy" in Path(f"/proc/{found[0]}/cmdline").read_bytes():
            time.sleep(0.2)  # until it has limited itself
            return int(found[0])
        time.sleep(0.02)
    raise AssertionError("no process was started")


def _zombie(pid: int) -> bool:
    try:
        return ") Z" in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
