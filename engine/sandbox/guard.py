"""What the interpreter refuses a model's code: looking into its own works.

The kernel keeps a program from the machine (`filter`); this keeps it from the few lines of `child`
that tell how it ended. An audit hook cannot be taken back.
"""

import sys

_REFUSED = frozenset(
    {
        "code.__new__",
        "cpython.PyInterpreterState_New",
        "gc.get_objects",
        "gc.get_referents",
        "gc.get_referrers",
        "sys._current_exceptions",
        "sys._current_frames",
        "sys.addaudithook",
        "sys.setprofile",
        "sys.settrace",
    }
)


def install() -> None:
    """Refuse memory by address, other objects' owners, tracing, byte code and interpreters."""
    # Its frame can be looked at once it has raised: it holds nothing that could be changed.
    refused, error = _REFUSED, PermissionError

    def hook(event: str, args: tuple[object, ...]) -> None:
        if event in refused or event[:7] == "ctypes." or event[:15] == "sys.monitoring.":
            raise error(f"{event} is not for a model's code")

    sys.addaudithook(hook)
