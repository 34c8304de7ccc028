"""Named errors of the store. Each message names the file or session and says what to do."""

from engine.errors import LabError


class StoreError(LabError):
    """The store cannot be used; base of the errors below."""


class StoreUnwritableError(StoreError):
    """The home folder or the file in it cannot be written: permissions, full disk, a file there."""


class StoreForeignError(StoreError):
    """The file is no SQLite database, or one that another program made. It was not touched."""


class StoreDamagedError(StoreError):
    """The file is a store of the lab but is damaged. It was not touched."""


class StoreNewerError(StoreError):
    """The file was written by a newer lab. It was not touched."""


class StoreBusyError(StoreError):
    """Another process kept the file locked for longer than the busy timeout."""


class SessionNotFoundError(StoreError):
    """There is no session with this id."""


class SessionInUseError(StoreError):
    """Another process holds the lease of the session."""


class BatchNotFoundError(StoreError):
    """There is no batch with this id."""


class BatchInUseError(StoreError):
    """Another process works on the batch."""


class LogConflictError(StoreError):
    """The log grew since it was read: the events were not appended."""


class EventDamagedError(StoreError):
    """An event of a log is missing or cannot be decoded."""


class EvaluationNotFoundError(StoreError):
    """There is no evaluation with this id."""


class EvaluationInUseError(StoreError):
    """Another process works on the evaluation, or this one does."""


class RoundNotFoundError(StoreError):
    """There is no training round with this id."""


class RoundInUseError(StoreError):
    """Another process works on the training round, or this one does."""


class AdapterNotFoundError(StoreError):
    """There is no adapter with this id."""


class AdapterNeededError(StoreError):
    """The adapter cannot be deleted: others need it."""
