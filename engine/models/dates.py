"""Dates that chat templates write.

Some templates tell the model what day it is. So that a search draws the same tree tomorrow, that
day is the one on which it began, as its log says (see `engine.events.SearchCreated`). So are
the texts that are trained on, or given to verifiers. What belongs to no search is written as of one
fixed day.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Generic, TypeVar

from engine.errors import ModelError

UNDATED = "2024-07-26"
"""The day where none is given: templates of Llama 3 know it, too."""

_APART = tuple(str(date(1990, 1, 1) + timedelta(351 * i)) for i in range(92))
"""Days of every month, number and weekday and of each year from 1990 to 2077: a template that only
compares one of these with something writes some of them differently.
"""
_KEPT = 64

Written = TypeVar("Written")


_NOW = (
    "{% macro strftime_now(format) %}"
    "{% set at = namespace(mark='') %}"
    "{% for one in format %}"
    "{% if at.mark or one == '%' %}"
    "{% set at.mark = at.mark + one %}"
    "{% if at.mark in lab_day %}{{ lab_day[at.mark] }}{% set at.mark = '' %}{% endif %}"
    "{% else %}{{ one }}{% endif %}"
    "{% endfor %}"
    "{{ at.mark }}"
    "{% endmacro %}\n"
)
"""Before a template, in place of the function of this name, which asks the clock.

The library hands plain data to templates, no functions, so the parts of the date come in a table.
The environment swallows the line end.
"""
_FLAGS = ("", "-", "_", "0", "^", "#")
_PARTS = "aAbBcCdDeFfgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%"


def template_day(tokenizer: Any, day: str) -> dict[str, Any]:
    """What `apply_chat_template` of a tokenizer is given to write a day instead of today.

    day: as YYYY-MM-DD; "" is `UNDATED`.

    Raises:
        ModelError: it is no day.
    """
    try:
        moment = datetime.strptime(day or UNDATED, "%Y-%m-%d")
    except ValueError as error:
        raise ModelError(f"{day!r:.40} is no day: it takes the form YYYY-MM-DD.") from error
    # Never `date_string`: a template that has a day of its own writes that, as it does elsewhere.
    given: dict[str, Any] = {}
    find = getattr(tokenizer, "get_chat_template", None)
    template = find() if find is not None and tokenizer.chat_template else ""
    if "strftime_now" in template:
        marks = [f"%{flag}{part}" for flag in _FLAGS for part in _PARTS]
        given["lab_day"] = {mark: moment.strftime(mark) for mark in marks}
        given["chat_template"] = _NOW + template
    return given


class ByDay(Generic[Written]):
    """What a template writes on a day, rendered once for each.

    Attributes:
        dated: whether it depends on the day.
    """

    def __init__(self, write: Callable[[str], Written]) -> None:
        self._write = lru_cache(maxsize=_KEPT)(write)
        self._usual = write("")
        self.dated = any(self._differs(write, day) for day in _APART)

    def _differs(self, write: Callable[[str], Written], day: str) -> bool:
        try:
            return write(day) != self._usual
        except ModelError:  # a template may refuse days long ago or far off
            return True

    def __call__(self, day: str) -> Written:
        return self._write(day if self.dated else "")


def day_for(model: object, day: str) -> str:
    """The day as part of a request: "" for a model whose template writes none, so that its replies
    are the same, and are found again, whatever the day.

    model: a policy or process reward model; one that knows nothing of days is not dated.
    """
    return day if getattr(model, "dated", False) else ""
