"""Which sessions a person has said something of that a process reward model can be measured by."""

from sessions.database import Connection

_KINDS = ("marked", "regraded", "overruled")


class Labelled:
    """Looks through the logs of a store. Raises StoreError if it cannot be read.

    Args:
        reads: connection for reading.
    """

    def __init__(self, reads: Connection) -> None:
        self._reads = reads

    def sessions(self) -> list[str]:
        """Sessions with marks, verdicts on answers or overruled values in their logs."""
        kinds = " OR ".join(f'body LIKE \'{{"kind":"{kind}"%\'' for kind in _KINDS)
        with self._reads.reading() as db:
            rows = db.query(
                f"SELECT id FROM sessions WHERE deleted IS NULL AND EXISTS (SELECT 1 FROM events "
                f"WHERE session = sessions.id AND ({kinds})) ORDER BY created, id"
            )
            return [str(row["id"]) for row in rows]
