"""How far the loading of weights is: transformers' own progress bars, turned into calls.

Nothing is printed. It knows neither models nor screens.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

Progress = Callable[[str, float], None]
"""Told what is being loaded and the share of it that is, 0 to 1; called in the loading thread."""


def untold(what: str, share: float) -> None:
    """A `Progress` that nobody follows."""


@contextlib.contextmanager
def weight_progress(tell: Callable[[float], None]) -> Iterator[None]:
    """Report the share of the weights that transformers has loaded; show no bar meanwhile."""
    from transformers.utils import logging as settings

    def counted(factory: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if args and hasattr(args[0], "__len__"):
            args = (_told(args[0], tell), *args[1:])
        return factory(*args, **options)

    shown = settings.is_progress_bar_enabled()
    settings.disable_progress_bar()  # type: ignore[no-untyped-call]
    before = settings.set_tqdm_hook(counted)
    try:
        yield
    finally:
        settings.set_tqdm_hook(before)
        if shown:
            settings.enable_progress_bar()  # type: ignore[no-untyped-call]


def _told(items: Any, tell: Callable[[float], None]) -> Iterator[Any]:
    for done, item in enumerate(items):
        tell(done / len(items))
        yield item
    tell(1.0)
