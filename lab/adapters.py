"""Which adapters new sessions use, and whether a session can go on in this lab."""

from engine.errors import ParameterError
from engine.tree import Tree
from lab.models import adapted, adapter_of, format_label
from lab.results import ModelSettings
from sessions.adapters import ROLES, AdapterRow, Role
from sessions.errors import AdapterNeededError
from sessions.store import Store

BASE = "base"
"""In place of an adapter's id: the model without any."""


class Adapters:
    """The adapters of a home, for the models in use. Safe to use from many threads.

    Attributes:
        settings: the models in use.

    Args:
        store: where they are entered.
        settings: the models in use, at first.
    """

    def __init__(self, store: Store, settings: ModelSettings) -> None:
        self._store = store
        self.settings = settings

    def base(self, role: Role) -> str:
        """How logs name a model in use without any adapter."""
        return self.settings.label(role)

    def step_format(self) -> str:
        """How logs name the step format of the policy in use; "" where only loading it can tell."""
        return format_label(self.settings)

    def active(self, role: Role) -> str | None:
        """The adapter that new sessions use, None for the bare model."""
        return self._store.adapters.active(role, self.base(role))

    def start(self) -> dict[Role, str | None]:
        """The adapters that new sessions use."""
        return {role: self.active(role) for role in ROLES}

    def labels(self) -> tuple[str, str]:
        """How the logs of new sessions name (policy, process reward model)."""
        policy, prm = (adapted(self.base(role), self.active(role)) for role in ROLES)
        return policy, prm

    def label(self, role: Role, adapter: str | None) -> str:
        """How logs name a model in use with an adapter, None for without.

        Raises:
            AdapterNotFoundError: there is no such adapter.
            ParameterError: it is not one of the model in use.
        """
        if adapter is not None:
            row = self._store.adapters.row(adapter)
            if (row.role, row.base) != (role, self.base(role)):
                raise ParameterError(
                    f"Adapter {adapter} is one of the {row.role} {row.base}, not of the {role} "
                    f"{self.base(role)} that this lab runs."
                )
        return adapted(self.base(role), adapter)

    def rows(self) -> list[AdapterRow]:
        """All adapters, the oldest first, those of other models too."""
        return self._store.adapters.rows()

    def activate(self, adapter: str, role: Role | None = None) -> None:
        """Let new sessions use an adapter; `base` goes back to the bare models, or to that of a
        role if one is named.

        Raises:
            StoreError: there is no such adapter for the models in use.
        """
        if adapter == BASE:
            for each in ROLES if role is None else (role,):
                self._store.adapters.activate(each, self.base(each), None)
            return
        row = self._store.adapters.row(adapter)
        self._store.adapters.activate(row.role, self.base(row.role), adapter)

    def delete(self, *adapters: str) -> None:
        """Delete adapters for good, all of them or none.

        Sessions of batches that were made with them can still be read, and do not go on.

        Raises:
            AdapterNeededError: it is in use, or others, a person's own sessions or rounds that are
                not at their end need it.
            AdapterNotFoundError: there is none with one of these ids.
        """
        for row in self._store.rounds.rows():
            begun_with = set(row.setting["start"].values()) & set(adapters)
            if row.status == "open" and begun_with:
                raise AdapterNeededError(
                    f"Adapter {min(begun_with)} is needed: round {row.id} began with it and is not "
                    "at its end. Finish or delete that round first."
                )
        self._refuse_what_sessions_need(set(adapters))
        self._store.adapters.delete(*adapters)

    def _refuse_what_sessions_need(self, adapters: set[str]) -> None:
        needing = []
        for row in self._store.sessions():
            needed = {adapter_of(row.policy)[1], adapter_of(row.prm)[1]} & adapters
            if needed and row.batch is None:
                needing.append((row, min(one for one in needed if one)))
        if needing:
            row, adapter = needing[0]
            more = f" and {len(needing) - 1:,} more" if len(needing) > 1 else ""
            raise AdapterNeededError(
                f"Adapter {adapter} is needed: session {row.id}{more} would not go on without it. "
                "Let that go on with another (`lab rounds activate base --session "
                f"{row.id}`, or under Lineage on the page), or delete it."
            )

    def check(self, session: str, tree: Tree) -> None:
        """Make sure that the models in use can go on with a session.

        Raises:
            ParameterError: it was made with another model.
            AdapterNotFoundError: it was made with an adapter that is gone.
        """
        for option, made_with in zip(ROLES, (tree.policy, tree.prm), strict=True):
            if made_with == self.base(option):
                continue
            model, adapter = adapter_of(made_with)
            if model != self.base(option) or adapter is None:
                raise ParameterError(
                    f"Session {session} was made with the {option} {made_with}, and this lab runs "
                    f"{self.base(option)}: choose that model to go on with it (under Models on the "
                    f"page, else lab --{option} MODEL), or make a new session."
                )
            self._store.adapters.open(adapter)
