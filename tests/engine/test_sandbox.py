"""A model's Python: it computes, and nothing else. Two dozen ways out are tried: each of them works
outside of the sandbox, which is tried first, and not within.
"""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.sandbox import runner
from engine.sandbox.runner import SandboxLimits, protection, run, run_all

pytestmark = pytest.mark.skipif(
    not protection(), reason="this machine cannot filter the system calls of a process"
)
QUICK = SandboxLimits(cpu_seconds=1, wall_seconds=4.0)
SECRET = "the secret"


def test_it_computes() -> None:
    ran = run(
        "import math, itertools, statistics\nfrom fractions import Fraction\n"
        "print(math.comb(10, 3), Fraction(1, 3), statistics.mean([1, 3]), next(itertools.count(7)))"
    )
    assert (ran.ended, ran.output) == ("done", "120 1/3 2 7\n")
    assert any("system calls" in layer for layer in ran.layers)


def test_it_computes_with_algebra_and_arrays() -> None:
    """Modules that are imported late come from memory: no file can be opened by then."""
    symbolic, arrays, absent = run_all(
        [
            "from sympy import symbols, solve, integrate, diophantine, sin\nx, y = symbols('x y')\n"
            "print(solve(x**2 - 2, x), integrate(sin(x), x), diophantine(3*x + 5*y - 1) != set())",
            "import numpy as np\nfrom sympy import lambdify, symbols\nx = symbols('x')\n"
            "print(lambdify(x, x**2, 'numpy')(np.arange(3)), np.linalg.det(np.eye(2)))",
            "import torch",
        ]
    )
    assert (symbolic.ended, symbolic.output) == ("done", "[-sqrt(2), sqrt(2)] -cos(x) True\n")
    assert (arrays.ended, arrays.output) == ("done", "[0 1 4] 1.0\n")
    assert absent.error == "ModuleNotFoundError: No module named 'torch'"


def test_what_is_not_python_can_be_imported_too() -> None:
    ran = run(
        "import base64, secrets, zipfile, contextvars, hashlib\nprint(base64.b64encode(b'a'))"
    )
    assert (ran.ended, ran.output) == ("done", "b'YQ=='\n")


def test_the_same_program_prints_the_same() -> None:
    code = "import random; print(random.random(), {'a', 'b', 'c', 'd'}, hash('e'))"
    first, second = run_all([code, code])
    assert first.output == second.output
    assert first.ended == "done"


def test_programs_run_at_the_same_time_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(4))
    code = "import time; print({}, time.time()); time.sleep(0.8); print(time.time())"
    ran = run_all([code.format(k) for k in range(4)])
    lines = [one.output.split() for one in ran]
    assert [number for number, _, _ in lines] == ["0", "1", "2", "3"]
    assert max(float(start) for _, start, _ in lines) < min(float(end) for _, _, end in lines)


def test_an_interrupt_ends_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = runner.run

    def interrupted(code: str, **rest: object) -> object:
        if code == "interrupt":
            raise KeyboardInterrupt
        return whole(code, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(runner, "run", interrupted)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(2))
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_all(["interrupt", "import time; time.sleep(9)", "import time; time.sleep(9)"])
    assert time.monotonic() - began < 4


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
    "list a folder": "import os; print(os.listdir({folder!r}))",
    "ask for a file": "import os; print('escaped', os.stat({secret!r}).st_size)",
    "start a shell": "import os; os.system('touch ' + {target!r})",
    "start a program": "import os; os.execv('/bin/sh', ['sh', '-c', 'touch ' + {target!r}])",
    "spawn a program": "import os; os.waitpid(os.posix_spawn('/bin/sh', ['sh', '-c', "
    "'touch ' + {target!r}], {{}}), 0)",
    "run a program": "import subprocess; subprocess.run(['/bin/sh', '-c', 'touch ' + {target!r}])",
    "fork": "import os\nif os.fork() == 0: print('escaped')",
    "kill the lab": "import os; os.kill({victim}, 9)",
    "kill its group": "import os; os.killpg({victim}, 9)",
    "call C": "from ctypes import CDLL; CDLL(None).system(b'touch ' + {target!r}.encode())",
    "connect": "import socket; socket.create_connection(('127.0.0.1', {port})); print('escaped')",
    "send": "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', "
    "{port})); print('escaped')",
    "listen": "import socket; socket.create_server(('127.0.0.1', 0)); print('escaped')",
    "import from elsewhere": "import sys; from importlib.machinery import PathFinder; "
    "sys.meta_path.append(PathFinder); sys.path.append({folder!r}); import planted",
    "climb to a shell": "import os; [c for c in ().__class__.__base__.__subclasses__() "
    "if c.__name__ == '_wrap_close'][0].__init__.__globals__['system']('touch ' + {target!r})",
    "raise its limits": "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)); "
    "print('escaped')",
    "threads": "import _thread, time; _thread.start_new_thread(print, ('escaped',)); "
    "time.sleep(0.2)",
    "look at the lab's environment": "print(open('/proc/{victim}/environ').read())",
    "leave its session": "import os; os.setsid(); print('escaped')",
    "share memory": "import os; os.memfd_create('x'); print('escaped')",
}


REFUSALS = (
    "PermissionError",
    "cannot import name 'CDLL'",
    "can't start new thread",
    "not allowed to raise maximum limit",
)


class Outside:
    """What lies around the sandbox, to be got at."""

    def __init__(self, folder: Path, port: int, came: list[str]) -> None:
        folder.mkdir()
        self.folder, self.port, self.came = folder, port, came
        self.secret, self.target = folder / "secret.txt", folder / "made"
        self.secret.write_text(SECRET)
        (folder / "planted.py").write_text("print('escaped')")
        # As a lab that runs elsewhere: it waits to be killed, and has something in its environment.
        self.victim = subprocess.Popen(
            ["/bin/sleep", "60"], env={"KEY": SECRET}, start_new_session=True
        )

    def code(self, way: str) -> str:
        return ESCAPES[way].format(
            secret=str(self.secret),
            target=str(self.target),
            folder=str(self.folder),
            victim=self.victim.pid,
            port=self.port,
        )

    def escaped(self, printed: str) -> bool:
        """Whether anything outside was read, changed or reached."""
        if self._killed() or self.target.is_symlink() or self.target.exists():
            return True
        if not self.secret.exists() or self.secret.read_text() != SECRET:
            return True
        told = any(word in printed for word in (SECRET, "secret.txt", "escaped"))
        return told or self.secret.stat().st_mode & 0o777 == 0o777 or bool(self.came)

    def _killed(self) -> bool:
        try:
            return self.victim.wait(0.01) != 0
        except subprocess.TimeoutExpired:
            return False

    def close(self) -> None:
        self.victim.kill()
        self.victim.wait()
        self.came.clear()


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


@contextmanager
def outside(folder: Path, listener: tuple[int, list[str]]) -> Iterator[Outside]:
    found = Outside(folder, *listener)
    try:
        yield found
    finally:
        found.close()


@pytest.mark.parametrize("way", ESCAPES)
def test_there_is_no_way_out(way: str, tmp_path: Path, listener: tuple[int, list[str]]) -> None:
    with outside(tmp_path / "open", listener) as place:
        command = [sys.executable, "-I", "-S", "-B", "-c", place.code(way)]
        free = subprocess.run(command, capture_output=True, text=True, timeout=20)
        # On a busy machine the killed are not dead at once, nor is who came noted.
        deadline = time.monotonic() + 20
        while not place.escaped(free.stdout):
            assert time.monotonic() < deadline, f"it is no way out: {free.stderr}"
    with outside(tmp_path / "closed", listener) as place:
        ran = run(place.code(way), QUICK)
        assert not place.escaped(ran.output), ran
    if way not in ("climb to a shell", "start a shell"):  # these return a code
        assert ran.ended == "error", ran
    if ran.ended == "error" and way != "import from elsewhere":
        assert any(word in ran.error for word in REFUSALS), ran.error


AT_AN_ADDRESS = """
import ctypes
def read(at, count=8):
    found = (ctypes.c_char * count)()
    ctypes.memmove(found, at, count)
    return bytes(found)
"""
BY_NUMPY = """
import numpy
def read(at, count=8):
    class There:
        __array_interface__ = {
            "shape": (count,), "typestr": "|u1", "data": (at, True), "version": 3}
    return numpy.asarray(There()).tobytes()
"""
BEHIND_A_FRAME = """
import os, sys
def pointer(at): return int.from_bytes(read(at), "little")
frame = sys._getframe().f_back.f_back
report, inner = frame.f_locals["report"], pointer(id(frame) + 24)
try: print(open(outside).read())
except (NameError, OSError): pass
for k in range(9, 40):
    there = pointer(inner + 8 * k)
    if 1 << 20 < there < 1 << 47 and there % 8 == 0 and pointer(there + 8) == id(bytes):
        if pointer(there + 16) == 64:
            os.write(report, read(there + 32, 64) + b"\\n")
            os._exit(0)
raise ValueError("never the last line")
"""
FORGERIES = {
    "leave early": "import os; os._exit(0)",
    "leave politely": "import sys; sys.exit(0)",
    "say so": (
        "import os\nfor report in range(3, 999):\n"
        '    for line in (b\'\\n\', b\'{"ended":"done","error":""}\'):\n'
        "        try: os.write(report, line)\n        except OSError: pass\nos._exit(0)"
    ),
    "find the secret in a frame": (
        "import os, sys\nframe = sys._getframe()\nwhile frame:\n"
        "    for value in [*frame.f_locals.values(), *frame.f_globals.values()]:\n"
        "        for one in value if isinstance(value, list) else [value]:\n"
        "            if isinstance(one, (str, bytes)) and len(one) > 15:\n"
        "                text = one if isinstance(one, bytes) else one.encode()\n"
        "                for report in range(3, 999):\n"
        "                    try: os.write(report, text + b'\\n')\n"
        "                    except OSError: pass\n"
        "    frame = frame.f_back\nos._exit(0)"
    ),
    "find it among all objects": "import gc, os; gc.get_objects(); os._exit(0)",
    "find it by its owner": "import gc, sys; gc.get_referents(sys._getframe(1)); x = 1 / 0",
    "find it in memory": "import ctypes; ctypes.string_at(id(0), 9); x = 1 / 0",
    "find it behind a frame": AT_AN_ADDRESS + BEHIND_A_FRAME,
    "share memory with code": "import mmap; mmap.mmap(-1, 4096, prot=7); x = 1 / 0",
    "jump over the error": "import sys; sys.settrace(lambda *event: None); x = 1 / 0",
    "be the one that tells": "import sys; sys.modules['__main__'].main()",
    "read the code again": "import os, sys; os.lseek(0, 0, 0); x = 1 / 0",
}


@pytest.mark.parametrize("way", FORGERIES)
def test_a_run_that_did_not_come_to_its_end_cannot_say_that_it_did(way: str) -> None:
    ran = run(FORGERIES[way], QUICK)
    assert ran.ended in ("error", "killed"), ran
    assert ran.error
    if way.startswith(("find it", "share", "jump")):  # they stop at their first look
        assert "not for a model's code" in ran.error or "'ctypes' has no attribute" in ran.error


def test_a_run_that_finds_its_secret_by_numpy_gains_no_more_than_that(
    tmp_path: Path, listener: tuple[int, list[str]]
) -> None:
    """The limit of what a run is believed: it can say that it ran, and the sandbox holds."""
    pytest.importorskip("numpy")
    with outside(tmp_path / "closed", listener) as place:
        ran = run(f"outside = {str(place.secret)!r}\n{BY_NUMPY}{BEHIND_A_FRAME}", QUICK)
        assert ran.ended in ("done", "error", "killed")
        assert not place.escaped(ran.output), ran


def test_programs_that_are_not_wanted_end_at_once_or_never_begin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(2))
    pressed = time.monotonic() + 0.4
    ran = run_all(["print(1)", *["while True: pass"] * 8], None, lambda: time.monotonic() > pressed)
    assert time.monotonic() - pressed < 1.5
    assert [one.ended for one in ran] == ["done", *["cancelled"] * 8]
    ran = run_all(["import time; time.sleep(0.3)"] * 3, patience=0.1)
    assert [one.ended for one in ran] == ["done", "done", "cancelled"]


def test_a_machine_that_could_not_protect_itself_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, probe = runner._run, runner._Probe()
    monkeypatch.setattr(runner, "_probe", probe)
    monkeypatch.setattr(runner, "_run", lambda *rest: runner._CANCELLED)
    assert protection() == ()
    with pytest.raises(runner.SandboxError):
        run("print(1)")
    monkeypatch.setattr(runner, "_run", whole)
    assert protection() == (), "not at every look"
    monkeypatch.setattr(probe, "_again", 0.0)
    assert len(protection()) == 3


def test_what_code_writes_to_the_report_holds_nothing_up() -> None:
    code = (
        "import os\nwhile True:\n    for report in range(3, 999):\n"
        "        try: os.write(report, b'x' * 4096)\n        except OSError: pass"
    )
    ran = run(code, SandboxLimits(cpu_seconds=5, wall_seconds=9.0))
    assert ran.ended == "output"
    assert ran.seconds < 3
    harmless = run(
        "import os\nfor f in range(3, 999):\n    try: os.write(f, b'x')\n"
        "    except OSError: pass\nprint('on')"
    )
    assert (harmless.ended, harmless.output) == ("done", "on\n")


LIMITED = {
    "while True: pass": "time",
    "import time; time.sleep(60)": "time",
    "x = 'a' * 10**11": "memory",
    "x = []\nwhile True: x.append('a' * 10**6 + str(len(x)))": "memory",
    "while True: print('x' * 1000)": "output",
    "try:\n    while True: pass\nexcept BaseException: pass\nwhile True: pass": "time",
    "def f(): return f()\nf()": "error",
    "import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass": "time",
    "import os; os._exit(3)": "killed",
}


def test_limits_hold() -> None:
    limits = SandboxLimits(cpu_seconds=1, wall_seconds=3.0, memory_bytes=256 * 1024 * 1024)
    ran = run_all(list(LIMITED), limits)
    assert [one.ended for one in ran] == list(LIMITED.values())
    assert all(len(one.output) <= limits.output_bytes for one in ran)


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
        if found and b"child.py" in Path(f"/proc/{found[0]}/cmdline").read_bytes():
            time.sleep(0.2)  # until it has limited itself
            return int(found[0])
        time.sleep(0.02)
    raise AssertionError("no process was started")


def _zombie(pid: int) -> bool:
    try:
        return ") Z" in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
