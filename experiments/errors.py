"""The error that a person sees when a result could not be recorded."""


class RecordingError(Exception):
    """MLflow did not take or give what it was asked for; results stay on disk."""
