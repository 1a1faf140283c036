"""One file, one model: the file's name is the key, its MODEL the value."""

from core.plugins import Plugins
from jobs.modelling.model import Model

MODELS: Plugins[type[Model]] = Plugins(__name__, __path__, "MODEL")
