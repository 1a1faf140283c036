"""One file, one stream: the file's name is the key, its STREAM the value."""

from core.plugins import Plugins
from jobs.streaming.stream import Stream

STREAMS: Plugins[Stream] = Plugins(__name__, __path__, "STREAM")
