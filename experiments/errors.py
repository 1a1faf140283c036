"""Errors of the harness that a command ends with."""


class RecordingError(Exception):
    """MLflow did not take or give what it was asked for; results stay on disk."""
