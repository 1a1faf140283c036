"""Stores by name, one file or folder each; a folder has its STORE in `store.py`, and what beside it needs no Spark.

Each is imported when it is asked for, so that readers without Spark can import its other modules.
"""

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it imports Spark
    from jobs.store import Store


class _Stores(Mapping[str, "type[Store]"]):
    """Classes by name; `modules` has the dotted name of the module that binds each."""

    def __init__(self) -> None:
        self.modules = {
            module.name: f"{__name__}.{module.name}{'.store' * module.ispkg}"
            for module in pkgutil.iter_modules(__path__)
        }

    def __getitem__(self, name: str) -> "type[Store]":
        store: type[Store] = import_module(self.modules[name]).STORE
        return store

    def __iter__(self) -> Iterator[str]:
        return iter(self.modules)

    def __len__(self) -> int:
        return len(self.modules)


STORES = _Stores()
