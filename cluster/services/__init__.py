"""Mapping of the kinds of services: each file's name to its `describe`."""

import pkgutil
from importlib import import_module

from cluster.service import Describe

SERVICES: dict[str, Describe] = {
    module.name: import_module(f"{__name__}.{module.name}").describe
    for module in pkgutil.iter_modules(__path__)
}
