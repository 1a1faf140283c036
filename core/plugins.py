"""Plug-in folders: one file adds one thing, the file's name is its key, and nothing else has to name it."""

import os
import pkgutil
from collections.abc import Collection, Iterator, Mapping, MutableSequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TypeVar

from core.errors import UsageError

FOLDER = "RECSCALE_PLUGINS"
"""Environment variable that names a folder of further plug-ins, laid out as the project is: `cluster/services/NAME.py`."""

Bound = TypeVar("Bound")


def further() -> Path | None:
    """Return the folder of further plug-ins; None where the environment names none.

    Raises:
        UsageError: it is not there.
    """
    named = os.environ.get(FOLDER)
    if not named:
        return None
    folder = Path(named).absolute()
    if not folder.is_dir():
        raise UsageError(
            f"{FOLDER}={named} is no folder: name one that holds plug-ins, for example as jobs/models/NAME.py, or unset it"
        )
    return folder


def further_sources(packages: Collection[str]) -> dict[str, Path]:
    """Return the further plug-ins of these packages: the place in the project that each file takes, and the file.

    Executors and containers get them there, among the project's own files, and need no environment variable.
    """
    folder = further()
    paths = sorted(path for path in folder.rglob("*") if path.is_file()) if folder else []
    found = {path.relative_to(folder).as_posix(): path for path in paths if folder}
    return {
        name: path
        for name, path in found.items()
        if name.partition("/")[0] in packages and "__pycache__" not in path.parts and "/." not in name
    }


class Plugins(Mapping[str, Bound]):
    """Things of one kind by name, each imported when it is asked for; an error of the import is the caller's to see.

    Args:
        package: dotted name of the folder that holds their files.
        path: the package's `__path__`, to which the folder of further plug-ins is added.
        binds: the name that each file gives its thing.
        within: where a plug-in is a folder of several files, the one that binds the name; empty for its `__init__`.
    """

    def __init__(self, package: str, path: MutableSequence[str], binds: str, within: str = "") -> None:
        self._package, self._path, self._binds, self._within = package, path, binds, within
        named = os.environ.get(FOLDER)
        # A zip, as executors import it, holds the further plug-ins already.
        if named and all(Path(place).is_dir() for place in path):
            own = str(Path(named).absolute().joinpath(*package.split(".")))
            if own not in path:
                path.append(own)

    @cached_property
    def modules(self) -> dict[str, str]:
        """Dotted name of the module that binds each.

        Raises:
            UsageError: a further plug-in has the name of one that there is already, or its folder is not there.
        """
        further()
        found: dict[str, str] = {}
        for module in (module for place in self._path for module in pkgutil.iter_modules([place])):
            if module.name in found:
                raise UsageError(
                    f"{FOLDER} holds {self._package.replace('.', '/')}/{module.name}, a name that the project's own plug-ins "
                    "have already: give it another"
                )
            inner = [self._within] if self._within and module.ispkg else []
            found[module.name] = ".".join([self._package, module.name, *inner])
        return found

    def __getitem__(self, name: str) -> Bound:
        bound: Bound = getattr(import_module(self.modules[name]), self._binds)
        return bound

    def __contains__(self, name: object) -> bool:
        return name in self.modules

    def __iter__(self) -> Iterator[str]:
        return iter(self.modules)

    def __len__(self) -> int:
        return len(self.modules)
