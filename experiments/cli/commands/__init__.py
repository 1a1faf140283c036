"""One file, one command: the file's name is what is typed, its COMMAND the value."""

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module

from experiments.cli.command import Command


class _Commands(Mapping[str, Command]):
    """Commands by what is typed, each imported when it is asked for: what one needs takes the others seconds to import."""

    def __init__(self) -> None:
        self._modules = {
            module.name.replace("_", "-"): f"{__name__}.{module.name}"
            for module in pkgutil.iter_modules(__path__)
        }

    def __getitem__(self, name: str) -> Command:
        command: Command = import_module(self._modules[name]).COMMAND
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)


COMMANDS: Mapping[str, Command] = _Commands()
