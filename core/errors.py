"""Errors that a person is told, and the statuses that commands exit with."""

import logging
from pathlib import Path
from typing import ClassVar

logger = logging.getLogger(__name__)

OK, FAILED, USAGE, SERVICE, GATE, INTERRUPTED, ENDED = 0, 1, 2, 3, 4, 130, 143
"""All went well; a trial, a job or data failed; wrong names or values; a service; a gate; Ctrl-C; SIGTERM."""


class RecscaleError(Exception):
    """Error that a command ends with, of which a person is told the words and not the traceback.

    The words say what is wrong, the value, what is allowed, and how to mend it.
    """

    exit_status: ClassVar[int] = FAILED


class UsageError(RecscaleError):
    """Unknown name, key or setting (the message gives the nearest known one), or a value that is not allowed."""

    exit_status = USAGE


class DataError(RecscaleError):
    """Data that cannot be found, fetched or read."""


class Unreachable(DataError):  # noqa: N818 - it describes the publisher
    """A publisher that cannot be reached from here; a caller may use other data."""


class JobError(RecscaleError):
    """Failure of a job, with the reason and the next step."""


class ServiceError(RecscaleError):
    """Service that cannot start, stop or answer, with the end of its log and the next step."""

    exit_status = SERVICE


class RecordingError(RecscaleError):
    """MLflow did not take or give what it was asked for; results stay on disk."""

    exit_status = SERVICE


class UnreadableError(RecscaleError):
    """A file of the run folder is damaged, or a newer version of this project wrote it.

    Attributes:
        path: of the file; text: what is wrong with it, after its path.
    """

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(f"{path} {text}")
        self.path, self.text = path, text


def tell(program: str, error: RecscaleError) -> int:
    """Say an error's words as the last of a program; return the status to exit with."""
    logger.error("%s: %s", program, error)
    return error.exit_status
