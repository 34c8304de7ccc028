"""Serving the page until Ctrl-C."""

import signal
import socket
import time
from typing import TYPE_CHECKING

from engine.errors import LabError
from lab import terminal

if TYPE_CHECKING:
    from lab.workbench import Workbench


_LOOK_SECONDS = 0.2


class PageError(LabError):
    """The page cannot be served."""


def serve(bench: "Workbench", host: str, port: int | None, *, open_browser: bool) -> None:
    """Serve the page of a workbench; returns after Ctrl-C or SIGTERM.

    Raises:
        PageError: the address cannot be listened on.
    """
    terminal.notice("Opening the page; this takes some seconds.")
    from ui.page import launch

    port = port if port is None else _port(host, port)
    try:
        page, address = launch(bench, host, port, open_browser, block=False)
    except OSError as error:
        raise PageError(f"The page cannot be served on {host} ({error}).") from error
    # Handlers that only take note: a second signal, as from make and terminal both, must not break
    # into the closing.
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: asked.append(received))
    try:
        terminal.out().print(f"The lab is open at {address}", soft_wrap=True)
        terminal.notice(f"Sessions are kept in {bench.home}. Ctrl-C closes the lab.")
        while not asked:
            time.sleep(_LOOK_SECONDS)
        terminal.notice("Closing; finished iterations are on disk.")
    finally:
        page.close(verbose=False)


def _port(host: str, port: int) -> int:
    """A port that can be listened on: the one asked for, or any free one for 0.

    Raises:
        PageError: it is taken, or the address is none of this machine's.
    """
    try:
        family, *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return int(probe.getsockname()[1])
    except OSError as error:
        raise PageError(
            f"The page cannot be served on {host}, port {port} ({error.strerror or error}). "
            "Take another port, or --port 0 for any free one."
        ) from error
