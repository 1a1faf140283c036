"""One file, one store: the file's name is the key, its STORE the value."""

import pkgutil
from importlib import import_module

from jobs.store import Store

STORES: dict[str, type[Store]] = {
    module.name: import_module(f"{__name__}.{module.name}").STORE for module in pkgutil.iter_modules(__path__)
}
