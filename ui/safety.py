"""Who may use the page: requests of other sites, of other names and of strangers are refused.

A person's browser is on many sites at once. Any of them can send requests to a lab on the same
machine, and one that owns a name can point it there (DNS rebinding). So a request must be for a
name that the lab is served at, and, unless it only goes to the page, come from the page itself.
"""

import asyncio
import base64
import binascii
import hmac
import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.batches import PageError

_WRONG_SECONDS = 0.5
"""How long a wrong password takes to be refused: guessing many of them would take too long."""

_TELL_NOTHING = re.compile(r"/gradio_api/startup-events|/manifest\.json|/lab-web/.*")
"""Asked for without a password: by Gradio when it starts, by browsers for the page as an app. They
say nothing of a person's, and change nothing."""

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Gradio's page has scripts and styles within, and makes functions out of text; all else comes
    # from the lab itself, and nothing that the page shows can reach another host.
    "Content-Security-Policy": "; ".join(
        [
            "default-src 'self'",
            "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "media-src 'self' blob:",
            "worker-src 'self' blob:",
            "connect-src 'self' blob: data:",
            "frame-src 'none'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    ),
}


@dataclass(frozen=True)
class Access:
    """Who may use the page.

    Attributes:
        host: that is listened on.
        user, password: asked of everybody; "" for nobody.
    """

    host: str = "127.0.0.1"
    user: str = ""
    password: str = ""

    @property
    def asks(self) -> bool:
        """Whether a password is asked for."""
        return bool(self.user or self.password)

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the page."""
        return is_loopback(self.host)

    def serves(self, name: str) -> bool:
        """Whether requests for a host of this name are answered.

        Where a password is asked for any name will do, as that of a proxy: a browser sends the
        password to no other name than the one where a person has given it.
        """
        if self.asks or is_loopback(name) or name == _plain(self.host):
            return True
        return not self.local and (_is_address(name) or name in _own_names())

    def knows(self, authorization: str) -> bool:
        """Whether an Authorization header says the user and the password."""
        kind, _, given = authorization.partition(" ")
        try:
            said = base64.b64decode(given, validate=True) if kind.lower() == "basic" else b""
        except (binascii.Error, ValueError):
            said = b""
        return hmac.compare_digest(said, f"{self.user}:{self.password}".encode())


@dataclass(frozen=True)
class Folders:
    """The folders that paths from the page may lead to.

    Attributes:
        roots: these folders and all below; None for everything that the person may read.
    """

    roots: tuple[Path, ...] | None = None

    def check(self, path: str) -> str:
        """The path, if it may be used. A mere name, such as that of bundled problems or a hub id,
        may: read as a path it leads into the current folder.

        Raises:
            PageError: it leads elsewhere, links followed, or to something hidden.
        """
        if self.roots is None:
            return path
        try:
            real = Path(path).expanduser().resolve()
        except (OSError, ValueError, RuntimeError):  # no path: the reader says so
            return path
        for root in self.roots:
            whole = root.resolve()
            if real.is_relative_to(whole) and not _hidden(real.relative_to(whole)):
                return path
        folders = ", ".join(map(str, self.roots))
        raise PageError(
            f"{path[:200]} cannot be read from this page, because others may use it too: it reads "
            f"{folders}, and nothing hidden there. Put the file into one of these folders."
        )


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def folders(access: Access, home: Path) -> Folders:
    """What the page may read: everything on a person's own machine, and where others can reach the
    page only that person's home folder, the current one and the lab's own.
    """
    if access.local and not access.asks:
        return Folders()
    return Folders((Path.home(), Path.cwd(), home))


def is_loopback(name: str) -> bool:
    """Whether a host is this machine, reached from nowhere else."""
    plain = _plain(name)
    if plain == "localhost" or plain.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(plain).is_loopback
    except ValueError:
        return False


class Guard:
    """Answers requests of people who use the page, and refuses those of others.

    Args:
        app: what answers.
        access: who may use the page.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self.app = app
        self.access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or say why not."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        refusal = await self._refusal(scope)
        if refusal is None:
            await self.app(scope, receive, _with_headers(send))
        elif scope["type"] == "http":
            await refusal(scope, receive, _with_headers(send))
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        name = _plain(urlsplit(f"//{headers.get('host', '')}").hostname or "")
        if not self.access.serves(name):
            return PlainTextResponse(
                f"The lab does not answer to the name {name[:80]!r}: open it at the address that "
                "it printed when it started.",
                421,
            )
        if not _from_the_page(scope, headers):
            return PlainTextResponse(
                "This request comes from another site; the lab answers its own page only.", 403
            )
        if self.access.asks and not _TELL_NOTHING.fullmatch(scope["path"]):
            given = headers.get("authorization")
            if given is None or not self.access.knows(given):
                if given is not None:
                    await asyncio.sleep(_WRONG_SECONDS)
                asked = {"WWW-Authenticate": 'Basic realm="lab", charset="UTF-8"'}
                return PlainTextResponse("The lab asks for user and password.", 401, asked)
        return None


def _from_the_page(scope: Scope, headers: Mapping[str, str]) -> bool:
    """Whether a request is one of the page, of a program, or of a person who goes to the page.

    Browsers say where a request comes from, programs say nothing.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is not None:
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    if site in (None, "same-origin", "none"):
        return True
    reads = scope.get("method") in ("GET", "HEAD")
    return reads and headers.get("sec-fetch-mode") == "navigate" and scope["path"] == "/"


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending


def _plain(host: str) -> str:
    return host.strip().strip("[]").rstrip(".").lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _own_names() -> set[str]:
    return {socket.gethostname().lower(), socket.getfqdn().lower()}
