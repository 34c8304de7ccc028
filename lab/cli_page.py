"""Serving the page until Ctrl-C, or until its window is closed."""

import importlib
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import LabError, ParameterError
from lab import terminal

if TYPE_CHECKING:
    from lab.workbench import Workbench
    from ui.safety import Access


_LOOK_SECONDS = 0.2
_WINDOW = (1440, 900)


class PageError(LabError):
    """The page cannot be served."""


def access(host: str, auth: str | None, auth_file: Path | None, allow_open: bool) -> "Access":
    """Who may use the page.

    Args:
        host: that is listened on.
        auth: `USER:PASSWORD`.
        auth_file: a file with that in its first line.
        allow_open: let everybody use it who reaches it.

    Raises:
        ParameterError: that is no user and password, or strangers could use the page.
    """
    from ui.safety import Access, is_loopback

    if auth is not None and auth_file is not None:
        raise ParameterError("Give --auth or --auth-file, not both.")
    if auth_file is not None:
        try:
            lines = auth_file.expanduser().read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise ParameterError(f"--auth-file {auth_file} cannot be read ({reason}).") from error
        auth = lines[0].strip() if lines else ""
    if auth is None:
        if not (allow_open or is_loopback(host)):
            raise ParameterError(
                f"On {host} others could use the page: read your files, run models, delete "
                "sessions. Ask for a password with --auth USER:PASSWORD or --auth-file FILE, or "
                "let everybody in with --allow-open."
            )
        return Access(host)
    user, sign, password = auth.partition(":")
    if not (sign and user and password):
        raise ParameterError("A login is USER:PASSWORD, both with at least one character.")
    return Access(host, user, password)


def serve(
    bench: "Workbench",
    who: "Access",
    port: int | None,
    *,
    open_browser: bool,
    window: bool = False,
) -> None:
    """Serve the page of a workbench; returns after Ctrl-C or SIGTERM, or with its window.

    Raises:
        PageError: the address cannot be listened on, or there is nothing to show a window with.
    """
    webview = _webview() if window else None
    terminal.notice("Opening the page; this takes some seconds.")
    from ui.page import launch

    port = port if port is None else free_port(who.host, port)
    try:
        page, address = launch(bench, who, port, open_browser and not window, block=False)
    except OSError as error:
        raise PageError(f"The page cannot be served on {who.host} ({error}).") from error
    # Handlers that only take note: a second signal, as from make and terminal both, must not break
    # into the closing.
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: asked.append(received))
    try:
        terminal.out().print(f"The lab is open at {address}", soft_wrap=True)
        if who.asks:
            terminal.notice(f"It asks for the password of {who.user}.")
        elif not who.local:
            terminal.notice("Everybody who reaches this address can use the lab.")
        terminal.notice(f"Sessions are kept in {bench.home}. Ctrl-C closes the lab.")
        if webview is not None:
            _show(webview, address, asked)
        else:
            while not asked:
                time.sleep(_LOOK_SECONDS)
        terminal.notice("Closing; finished iterations are on disk.")
    finally:
        page.close(verbose=False)


def _webview() -> Any:
    """pywebview, which shows a page in a window of its own.

    Raises:
        PageError: it is not installed.
    """
    try:
        return importlib.import_module("webview")
    except ImportError as error:
        raise PageError(
            "A window of its own needs pywebview, which is not installed "
            f"({error}). Install it with: pip install 'rest-mcts-lab[window]'. Or open the page "
            "without --window and let the browser install it as an app."
        ) from error


def _show(webview: Any, address: str, asked: list[int]) -> None:
    """Show the page in a window; returns when it is closed or somebody asks to close the lab.

    Raises:
        PageError: this system has nothing to show it with.
    """
    width, height = _WINDOW
    shown = webview.create_window("lab", address, width=width, height=height, text_select=True)

    def watch() -> None:
        while not asked:
            time.sleep(_LOOK_SECONDS)
        shown.destroy()

    try:
        # The profile is kept, or theme and place would be forgotten with every window.
        webview.start(watch, private_mode=False)
    except Exception as error:  # of whatever toolkit there is, or is not
        raise PageError(
            f"The window cannot be opened ({error}). Open {address} in a browser instead."
        ) from error
    asked.append(0)


def free_port(host: str, port: int) -> int:
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
