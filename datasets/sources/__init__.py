"""Mapping of the sources: each file's name to its SOURCE."""

import pkgutil
from importlib import import_module

from datasets.source import Source

SOURCES: dict[str, Source] = {
    module.name: import_module(f"{__name__}.{module.name}").SOURCE
    for module in pkgutil.iter_modules(__path__)
}
