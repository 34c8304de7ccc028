"""What the page's script may ask: thin, JSON-able answers of the workbench."""

import functools
from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec

from ui.interface import Workbench
from ui.tree_view import ServerFunction

_serial = count(1)


def reply(**content: Any) -> dict[str, Any]:
    """A reply of the form's presses; the serial makes two equal ones differ."""
    return {"serial": next(_serial), **content}


def words(error: Exception) -> str:
    """What to tell a person of an error."""
    return str(error) or type(error).__name__


def guarded(handler: Callable[..., Any]) -> Callable[..., Any]:
    """A press that fails answers with the error's words and keeps the session."""

    @functools.wraps(handler)
    def wrapped(self: Any, session: str, *values: Any) -> tuple[str, dict[str, Any]]:
        try:
            result: tuple[str, dict[str, Any]] = handler(self, session, *values)
        except Exception as error:  # whatever it is, it belongs where the person looks
            return session, reply(error=words(error))
        return result

    return wrapped


class Server:
    """The server functions of the view, over one workbench."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench

    def functions(self) -> list[ServerFunction]:
        """All of them, as Gradio wants them: plain functions with the names the script calls."""
        names = ("delta", "node", "note", "sessions", "about")
        return [self._expose(name) for name in names]

    def _expose(self, name: str) -> ServerFunction:
        method = getattr(self, name)

        def function(query: dict[str, Any]) -> Any:
            try:
                return method(**query)
            except Exception as error:  # the view shows it; a lost poll is asked again
                return {"error": words(error)}

        function.__name__ = name
        return function

    def delta(self, session: str, since: int) -> dict[str, Any]:
        return self._workbench.delta(session, int(since))

    def node(self, session: str, node: int) -> dict[str, Any]:
        return self._workbench.node(session, int(node))

    def note(self, session: str, node: int, text: str) -> dict[str, Any]:
        self._workbench.note(session, int(node), str(text))
        return {}

    def sessions(self) -> dict[str, Any]:
        """All sessions, the newest first."""
        return {"sessions": msgspec.to_builtins(list(self._workbench.sessions()))}

    def about(self) -> dict[str, Any]:
        """The models in use, and what a person should know about them once they are loaded."""
        models = self._workbench.models
        names = ("policy", "prm", "quant", "device")
        return {
            **{name: getattr(models, name) for name in names},
            "notices": list(self._workbench.notices()),
        }
