"""One file, one source: the file's name is the key, its SOURCE the value."""

import pkgutil
from importlib import import_module

from datasets.source import Source

SOURCES: dict[str, Source] = {
    module.name: import_module(f"{__name__}.{module.name}").SOURCE
    for module in pkgutil.iter_modules(__path__)
}
