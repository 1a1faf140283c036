"""Plug-in folders: one file adds one thing, the file's name is its key, and nothing else has to name it."""

import os
import pkgutil
from collections.abc import Iterator, Mapping, MutableSequence
from importlib import import_module
from pathlib import Path
from typing import TypeVar

FOLDER = "RECSCALE_PLUGINS"
"""Environment variable that names a folder of further plug-ins, laid out as the project is: `cluster/services/NAME.py`."""

Bound = TypeVar("Bound")


class Plugins(Mapping[str, Bound]):
    """Things of one kind by name, each imported when it is asked for; an error of the import is the caller's to see.

    Args:
        package: dotted name of the folder that holds their files.
        path: the package's `__path__`, to which the folder of further plug-ins is added.
        binds: the name that each file gives its thing.
        within: where a plug-in is a folder of several files, the one that binds the name; empty for its `__init__`.

    Attributes:
        modules: dotted name of the module that binds each.
    """

    def __init__(self, package: str, path: MutableSequence[str], binds: str, within: str = "") -> None:
        more = os.environ.get(FOLDER)
        own = Path(more).absolute().joinpath(*package.split(".")) if more else None
        if own is not None and own.is_dir() and str(own) not in path:
            path.append(str(own))
        self._binds = binds
        self.modules = {
            module.name: ".".join([package, module.name, *([within] if within and module.ispkg else [])])
            for module in pkgutil.iter_modules(path)
        }

    def __getitem__(self, name: str) -> Bound:
        bound: Bound = getattr(import_module(self.modules[name]), self._binds)
        return bound

    def __contains__(self, name: object) -> bool:
        return name in self.modules

    def __iter__(self) -> Iterator[str]:
        return iter(self.modules)

    def __len__(self) -> int:
        return len(self.modules)
