"""Errors that nobody planned for: a short word for the person, the whole of it in a file."""

import traceback
from datetime import datetime
from pathlib import Path

FILE_NAME = "errors.log"
_LARGEST = 1_000_000


def in_words(error: BaseException, home: Path) -> str:
    """One sentence on an unexpected error; its traceback is added to `home`/errors.log."""
    text = " ".join(str(error).split())[:200]
    brief = f"Internal error ({type(error).__name__}{': ' if text else ''}{text})."
    path = home / FILE_NAME
    report = "".join(traceback.format_exception(error))
    try:
        if path.exists() and path.stat().st_size > _LARGEST:
            path.replace(path.with_suffix(".old.log"))
        with path.open("a", encoding="utf-8", errors="replace") as file:
            file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S}\n{report}\n")
    except OSError:
        return f"{brief} Its report could not be written to {path}."
    return f"{brief} The whole report is in {path}."
