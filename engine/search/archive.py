"""Replies kept by address, so that nothing is generated twice."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from engine.models.base import Completion, Judgement, Summary, Valuation
from engine.search.requests import Executed

Kept = Completion | Valuation | Judgement | Summary | Executed


class Archive(Protocol):
    """Stored replies by address (hex SHA-256, `engine.randomness.address`).

    The address covers the model's identity and everything the reply depends on, and the kind of
    reply, so one address never means two things.
    """

    def completions(self, addresses: Iterable[str]) -> dict[str, Completion]:
        """Those of the addresses that are kept."""

    def keep_completions(self, items: Mapping[str, Completion]) -> None:
        """Keep replies for good."""

    def values(self, addresses: Iterable[str]) -> dict[str, Valuation]: ...

    def keep_values(self, items: Mapping[str, Valuation]) -> None: ...

    def judgements(self, addresses: Iterable[str]) -> dict[str, Judgement]: ...

    def keep_judgements(self, items: Mapping[str, Judgement]) -> None: ...

    def summaries(self, addresses: Iterable[str]) -> dict[str, Summary]: ...

    def keep_summaries(self, items: Mapping[str, Summary]) -> None: ...

    def executions(self, addresses: Iterable[str]) -> dict[str, Executed]: ...

    def keep_executions(self, items: Mapping[str, Executed]) -> None: ...


class MemoryArchive:
    """An archive that lasts as long as the process."""

    def __init__(self) -> None:
        self._completions: dict[str, Completion] = {}
        self._values: dict[str, Valuation] = {}
        self._judgements: dict[str, Judgement] = {}
        self._summaries: dict[str, Summary] = {}
        self._executions: dict[str, Executed] = {}

    def completions(self, addresses: Iterable[str]) -> dict[str, Completion]:
        """Those of the addresses that are kept."""
        return {a: self._completions[a] for a in addresses if a in self._completions}

    def keep_completions(self, items: Mapping[str, Completion]) -> None:
        """Keep replies until the process ends."""
        self._completions.update(items)

    def values(self, addresses: Iterable[str]) -> dict[str, Valuation]:
        """Those of the addresses that are kept."""
        return {a: self._values[a] for a in addresses if a in self._values}

    def keep_values(self, items: Mapping[str, Valuation]) -> None:
        """Keep replies until the process ends."""
        self._values.update(items)

    def judgements(self, addresses: Iterable[str]) -> dict[str, Judgement]:
        """Those of the addresses that are kept."""
        return {a: self._judgements[a] for a in addresses if a in self._judgements}

    def keep_judgements(self, items: Mapping[str, Judgement]) -> None:
        """Keep replies until the process ends."""
        self._judgements.update(items)

    def summaries(self, addresses: Iterable[str]) -> dict[str, Summary]:
        """Those of the addresses that are kept."""
        return {a: self._summaries[a] for a in addresses if a in self._summaries}

    def keep_summaries(self, items: Mapping[str, Summary]) -> None:
        """Keep replies until the process ends."""
        self._summaries.update(items)

    def executions(self, addresses: Iterable[str]) -> dict[str, Executed]:
        """Those of the addresses that are kept."""
        return {a: self._executions[a] for a in addresses if a in self._executions}

    def keep_executions(self, items: Mapping[str, Executed]) -> None:
        """Keep how programs ended until the process ends."""
        self._executions.update(items)
