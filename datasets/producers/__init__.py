"""One file, one producer: the file's name is the key, its PRODUCER the value."""

from core.plugins import Plugins
from datasets.producer import Producer

PRODUCERS: Plugins[type[Producer]] = Plugins(__name__, __path__, "PRODUCER")
