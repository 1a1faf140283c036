"""Exit statuses of commands."""

from core.errors import (
    DataError,
    JobError,
    RecordingError,
    ServiceError,
    SettingsError,
    UnreadableError,
    UsageError,
)

KNOWN = (ServiceError, SettingsError, DataError, UsageError, JobError, RecordingError, UnreadableError)
"""Errors that a command ends with, of which a person is told the words and not the traceback."""

GATE = 4
INTERRUPTED = 130


def exit_code(error: BaseException) -> int:
    """Return what a command that ends with this error exits with."""
    if isinstance(error, UsageError | SettingsError):
        return 2
    return 3 if isinstance(error, ServiceError | RecordingError) else 1
