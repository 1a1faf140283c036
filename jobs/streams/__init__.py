"""One file, one stream: the file's name is the key, its STREAM the value."""

from collections.abc import Iterable

from core.errors import UsageError
from core.options import nearest
from core.plugins import Plugins
from jobs.streaming.stream import Stream

STREAMS: Plugins[Stream] = Plugins(__name__, __path__, "STREAM")


def check_names(names: Iterable[str]) -> None:
    """Refuse a name that no stream has.

    Raises:
        UsageError: gives the nearest one.
    """
    for name in names:
        if name not in STREAMS:
            raise UsageError(f"unknown stream {name!r}: {nearest(name, STREAMS)}")
