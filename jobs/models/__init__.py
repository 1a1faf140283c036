"""One file, one model: the file's name is the key, its MODEL the value."""

import pkgutil
from importlib import import_module

from jobs.modelling.model import Model

MODELS: dict[str, type[Model]] = {
    module.name: import_module(f"{__name__}.{module.name}").MODEL for module in pkgutil.iter_modules(__path__)
}
