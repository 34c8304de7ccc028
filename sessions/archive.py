"""Stored model replies by address.

A reply is a pure function of its address, so the first one stays, and one that cannot be read any
more is dropped: it will be computed again. How a program ended may not be such a function (it can
print the time); there the first one stays because searches go on from it.
"""

import json
from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from engine.models.base import Completion, Judgement, Summary, Valuation
from engine.search.requests import Executed
from sessions.database import Connection

_Reply = TypeVar("_Reply", bound=msgspec.Struct)


class SqliteArchive:
    """`engine.search.archive.Archive` in the store. Addresses are hex SHA-256 strings.

    Every method raises StoreError if the file cannot be read or written.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def completions(self, addresses: Iterable[str]) -> dict[str, Completion]:
        """The stored steps among these addresses."""
        return self._find("completions", addresses, Completion)

    def keep_completions(self, items: Mapping[str, Completion]) -> None:
        """Store steps."""
        self._keep("completions", items)

    def values(self, addresses: Iterable[str]) -> dict[str, Valuation]:
        """The stored values among these addresses."""
        return self._find("valuations", addresses, Valuation)

    def keep_values(self, items: Mapping[str, Valuation]) -> None:
        """Store values."""
        self._keep("valuations", items)

    def judgements(self, addresses: Iterable[str]) -> dict[str, Judgement]:
        """The stored verdicts among these addresses."""
        return self._find("judgements", addresses, Judgement)

    def keep_judgements(self, items: Mapping[str, Judgement]) -> None:
        """Store verdicts."""
        self._keep("judgements", items)

    def summaries(self, addresses: Iterable[str]) -> dict[str, Summary]:
        """The stored final answers among these addresses."""
        return self._find("summaries", addresses, Summary)

    def keep_summaries(self, items: Mapping[str, Summary]) -> None:
        """Store final answers."""
        self._keep("summaries", items)

    def executions(self, addresses: Iterable[str]) -> dict[str, Executed]:
        """How the programs among these addresses ended."""
        return self._find("executions", addresses, Executed)

    def keep_executions(self, items: Mapping[str, Executed]) -> None:
        """Store how programs ended."""
        self._keep("executions", items)

    def _find(self, table: str, addresses: Iterable[str], kind: type[_Reply]) -> dict[str, _Reply]:
        wanted = list(addresses)
        if not wanted:
            return {}
        with self._connection.reading() as db:
            # As bytes, so that damaged text reaches the decoder instead of failing the query.
            rows = db.execute(
                f"SELECT address, CAST(body AS BLOB) FROM {table} "
                "WHERE address IN (SELECT value FROM json_each(?))",
                [json.dumps(wanted)],
            ).fetchall()
        found, damaged = {}, []
        for address, body in rows:
            try:
                found[address] = msgspec.json.decode(body, type=kind)
            except (msgspec.DecodeError, UnicodeDecodeError):
                damaged.append((address,))
        if damaged:
            with self._connection.writing() as db:
                db.conn.executemany(f"DELETE FROM {table} WHERE address = ?", damaged)
        return found

    def _keep(self, table: str, items: Mapping[str, msgspec.Struct]) -> None:
        if not items:
            return
        rows = [(address, msgspec.json.encode(item).decode()) for address, item in items.items()]
        with self._connection.writing() as db:
            db.conn.executemany(f"INSERT OR IGNORE INTO {table} VALUES (?, ?)", rows)
