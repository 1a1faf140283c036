"""What a command exits with."""

from cluster.errors import ServiceError, SettingsError
from datasets.errors import UsageError
from experiments.errors import RecordingError

GATE = 4
INTERRUPTED = 130


def exit_code(error: BaseException) -> int:
    """Return what a command that ends with this error exits with."""
    if isinstance(error, UsageError | SettingsError):
        return 2
    return 3 if isinstance(error, ServiceError | RecordingError) else 1
