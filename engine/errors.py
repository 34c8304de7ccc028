"""Named errors of the lab.

Every error that a person can cause or cure derives from `LabError`; its message says what was
wrong (the value, the limit) and what to do about it. Anything else is a bug and keeps its
traceback.
"""


class LabError(Exception):
    """Base of all errors whose message is written for the person at the keyboard."""


class ParameterError(LabError):
    """A search or sampling parameter is unknown, of the wrong type or out of its range."""


class EventError(LabError):
    """An event does not fit the tree it is applied to: the log is damaged or out of order."""


class ModelError(LabError):
    """A policy or process reward model cannot be loaded or does not have the expected form."""


class OutOfMemoryError(ModelError):
    """The device's memory does not hold even one text."""


class TaskError(LabError):
    """A question, a problem file or a step format is not usable."""


class ExportError(LabError):
    """A file to be written is there already, or cannot be written."""


class ImportFileError(LabError):
    """A file to be imported, or a row of it, is not what it should be."""


class TrainingError(LabError):
    """There is nothing to train on, or training cannot go on."""
