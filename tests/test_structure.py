"""How the house is built: which room may import which, how long a module may be, what is told."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("lab", "ui", "sessions", "engine", "assets")
FOLDERS = {*ROOMS, "tests", "docs", ".ci"}
MAY_IMPORT = {
    "lab": {"lab", "ui", "sessions", "engine", "assets"},
    "ui": {"ui", "assets"},
    "sessions": {"sessions", "engine"},
    "engine": {"engine"},
    "assets": set(),
}
LONGEST_MODULE = 500


@cache
def tracked() -> tuple[Path, ...]:
    """Files of the project: what git knows or would add; everything where there is no git."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode == 0:
        paths = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
        return tuple(path for path in paths if path.is_file())
    skipped = {".venv", ".git"}
    return tuple(
        path
        for path in sorted(ROOT.rglob("*"))
        if path.is_file() and not skipped & set(path.relative_to(ROOT).parts)
    )


def modules(room: str) -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py" and path.is_relative_to(ROOT / room)]


def imports(path: Path) -> Iterator[str]:
    """Modules of ours that a module imports anywhere, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_downwards(room: str) -> None:
    allowed = MAY_IMPORT[room]
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(room)
        for name in imports(path)
        if not any(name == one or name.startswith(f"{one}.") for one in allowed)
    ]
    assert not wrong, "\n".join(wrong)


def test_search_and_trees_know_no_model_library() -> None:
    heavy = {"torch", "transformers", "bitsandbytes", "peft", "gradio", "sqlite3", "sqlite_utils"}
    core = [ROOT / "engine" / name for name in ("tree.py", "events.py", "randomness.py")]
    for path in [*core, *modules("engine/search")]:
        found = {
            alias.name.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in ([ast.alias(node.module or "")] if hasattr(node, "module") else node.names)
        }
        assert not found & heavy, f"{path.relative_to(ROOT)} imports {found & heavy}"


def test_the_top_level_folders_are_the_designed_ones() -> None:
    folders = {path.relative_to(ROOT).parts[0] for path in tracked() if path.parent != ROOT}
    assert folders == FOLDERS


def test_every_module_is_short_and_says_what_it_is() -> None:
    for path in tracked():
        if path.suffix != ".py":
            continue
        text = path.read_text("utf-8")
        name = path.relative_to(ROOT)
        assert len(text.splitlines()) < LONGEST_MODULE, f"{name} is too long"
        if text.strip():
            assert ast.get_docstring(ast.parse(text)), f"{name} has no docstring"


def test_nothing_is_left_to_do_and_no_machine_is_named() -> None:
    unwanted = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b|index-url|find-links|/root/", re.ASCII)
    kinds = {".py", ".md", ".toml", ".txt", ".js", ".css", ".html", ".yml", ""}
    for path in tracked():
        if path.suffix not in kinds or path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            found = unwanted.search(line)
            assert not found, f"{path.relative_to(ROOT)}:{number}: {found and found[0]}"


def test_the_pinned_closure_names_packages_only() -> None:
    lines = (ROOT / "constraints.txt").read_text("ascii").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", pin) for pin in pins)
    names = [pin.split("==")[0].lower().replace("_", "-") for pin in pins]
    assert len(set(names)) == len(names)
    assert "torch==2.13.0" in pins
    assert not [name for name in names if name.startswith(("nvidia", "triton", "cuda"))]


def test_every_command_and_option_is_documented() -> None:
    from typer.main import get_command

    from lab.cli import app

    documented = (ROOT / "docs" / "cli.md").read_text("utf-8")
    missing = []
    waiting = [("lab", get_command(app))]
    while waiting:
        name, command = waiting.pop()
        if f"`{name}" not in documented:
            missing.append(name)
        section = documented.split(f"\n## `{name}`", 1)[-1].split("\n## ", 1)[0]
        for parameter in command.params:
            for option in parameter.opts:
                if option.startswith("--") and f"`{option}" not in section:
                    missing.append(f"{name} {option}")
        children = getattr(command, "commands", {})
        waiting += [(f"{name} {child}", below) for child, below in children.items()]
    assert not missing, ", ".join(missing)
