"""What the interpreter refuses a model's code: looking into its own works.

The kernel keeps a program from the machine (`filter`); this keeps it from the few lines of `child`
that tell how it ended. An audit hook cannot be taken back. It is no wall: numpy reads memory by
address, and byte code that a program makes up can too. Such a program can say of itself that it
ran, and no more.
"""

import sys

_REFUSED = frozenset(
    {
        "code.__new__",
        "cpython.PyInterpreterState_New",
        "gc.get_objects",
        "gc.get_referents",
        "gc.get_referrers",
        "mmap.__new__",
        "sys._current_exceptions",
        "sys._current_frames",
        "sys.addaudithook",
        "sys.setprofile",
        "sys.settrace",
    }
)
_SIZES = ("c_long", "sizeof")
"""What sympy takes from `ctypes`."""


def install() -> None:
    """Refuse memory by address, other objects' owners, tracing, byte code and interpreters; take
    away what `ctypes` offers.
    """
    for module in ("ctypes", "_ctypes"):
        space = vars(sys.modules[module])  # emptied, because others have it, such as numpy
        for name in [one for one in space if one[:2] != "__" and one not in _SIZES]:
            del space[name]
    # Its frame can be looked at once it has raised: it holds nothing that could be changed.
    refused, error = _REFUSED, PermissionError

    def hook(event: str, args: tuple[object, ...]) -> None:
        if event in refused or event[:7] == "ctypes." or event[:15] == "sys.monitoring.":
            raise error(f"{event} is not for a model's code")

    sys.addaudithook(hook)
