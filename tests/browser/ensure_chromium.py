"""Sees to it that there is a Chromium for the browser tests; says in words when there is none.

Run as a script it installs Debian's Chromium when it is missing, the user is root and apt is there:
the build without windows (the tests take it a quarter less processor time), or the whole browser
where there is no such package. It never fails: without a browser the tests that need one are
skipped, and say so.
"""

import os
import shutil
import subprocess
import sys

PACKAGES = ("chromium-headless-shell", "chromium")
NAMES = (*PACKAGES, "chromium-browser", "google-chrome-stable", "google-chrome")
UPDATE = ("apt-get", "update", "--quiet")
INSTALL = ("apt-get", "install", "--yes", "--quiet", "--no-install-recommends")


def find() -> str | None:
    """Path of an installed Chromium or Chrome; LAB_CHROMIUM overrules the search."""
    named = os.environ.get("LAB_CHROMIUM")
    if named:
        return shutil.which(named)
    return next((path for path in map(shutil.which, NAMES) if path), None)


def why_not() -> str:
    """Why none can be installed here, "" if it can."""
    if os.environ.get("LAB_CHROMIUM"):
        return f"LAB_CHROMIUM names {os.environ['LAB_CHROMIUM']!r}, which does not run"
    if shutil.which("apt-get") is None:
        return "this is no Debian or Ubuntu"
    if os.geteuid() != 0:
        return "installing it needs root (apt install chromium)"
    return ""


def install() -> str:
    """Installs one of Debian's packages; what went wrong in words, "" if nothing did."""
    reason = why_not()
    if reason:
        return reason
    print("Installing Debian's Chromium for the browser tests.", flush=True)
    failed = _run(UPDATE)
    for package in () if failed else PACKAGES:
        failed = _run((*INSTALL, package))
        if not failed:
            break
    return failed


def _run(command: tuple[str, ...]) -> str:
    """What went wrong in words, "" if nothing did."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if not done.returncode:
        return ""
    words = (done.stderr or done.stdout).strip().splitlines()
    return f"{' '.join(command)} failed: {words[-1] if words else 'no message'}"


def main() -> int:
    """Installs what is missing and says what came of it."""
    if find() is None:
        reason = install()
        if find() is None:
            print(f"No Chromium, browser tests will be skipped: {reason}.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
