"""Mapping of the stores: each file's name to its STORE."""

import pkgutil
from importlib import import_module

from jobs.store import Store

STORES: dict[str, type[Store]] = {
    module.name: import_module(f"{__name__}.{module.name}").STORE for module in pkgutil.iter_modules(__path__)
}
