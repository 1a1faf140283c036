"""Errors of the harness that a command ends with."""

from pathlib import Path


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
