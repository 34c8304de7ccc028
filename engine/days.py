"""The day on which something begins, as it stands in the log of a session: a text, YYYY-MM-DD."""

import time
from datetime import datetime


def day_of(seconds: float) -> str:
    """The day here at a Unix time, as YYYY-MM-DD."""
    return datetime.fromtimestamp(seconds).date().isoformat()


def today() -> str:
    """As `day_of`, now."""
    return day_of(time.time())
