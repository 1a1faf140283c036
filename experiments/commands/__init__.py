"""One file, one command: the file's name is what is typed, its COMMAND the value."""

import pkgutil
from importlib import import_module

from experiments.command import Command

COMMANDS: dict[str, Command] = {
    module.name.replace("_", "-"): import_module(f"{__name__}.{module.name}").COMMAND
    for module in pkgutil.iter_modules(__path__)
}
