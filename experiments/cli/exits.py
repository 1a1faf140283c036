"""Exit statuses of commands."""

from cluster.errors import ServiceError, SettingsError
from datasets.errors import DataError, UsageError
from experiments.errors import RecordingError, UnreadableError
from jobs.errors import JobError

KNOWN = (ServiceError, SettingsError, DataError, UsageError, JobError, RecordingError, UnreadableError)
"""Errors that a command ends with, of which a person is told the words and not the traceback."""

GATE = 4
INTERRUPTED = 130


def exit_code(error: BaseException) -> int:
    """Return what a command that ends with this error exits with."""
    if isinstance(error, UsageError | SettingsError):
        return 2
    return 3 if isinstance(error, ServiceError | RecordingError) else 1
