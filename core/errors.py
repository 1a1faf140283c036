"""Errors that a person is told: what is wrong, and what to do next."""

from pathlib import Path


class UsageError(Exception):
    """Unknown name, key or value; the message gives the nearest known one, and the command exits with 2."""


class SettingsError(Exception):
    """Unknown setting or invalid value; the command exits with 2."""


class DataError(Exception):
    """Data that cannot be found, fetched or read; the command exits with 1."""


class Unreachable(DataError):  # noqa: N818 - it describes the publisher
    """A publisher that cannot be reached from here; a caller may use other data."""


class JobError(Exception):
    """Failure of a job, with the reason and the next step; the command exits with 1."""


class ServiceError(Exception):
    """Service that cannot start, stop or answer, with the end of its log and the next step; exit status 3."""


class RecordingError(Exception):
    """MLflow did not take or give what it was asked for; results stay on disk."""


class UnreadableError(Exception):
    """A file of the run folder is damaged, or a newer version of this project wrote it.

    Attributes:
        path: of the file; text: what is wrong with it, after its path.
    """

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(f"{path} {text}")
        self.path, self.text = path, text
