"""One file, one kind of drill of streams: the file's name is its key, its DRILL the value."""

from core.plugins import Plugins
from experiments.studies.stream_drills.drill import StreamDrill

DRILLS: Plugins[StreamDrill] = Plugins(__name__, __path__, "DRILL")
