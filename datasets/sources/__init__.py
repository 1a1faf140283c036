"""One file, one source: the file's name is the key, its SOURCE the value."""

from core.plugins import Plugins
from datasets.source import Source

SOURCES: Plugins[Source] = Plugins(__name__, __path__, "SOURCE")
