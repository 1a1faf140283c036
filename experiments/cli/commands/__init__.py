"""One file, one command: the file's name is what is typed (with - for _), its COMMAND the value."""

from core.plugins import Plugins
from experiments.cli.command import Command

COMMANDS: Plugins[Command] = Plugins(__name__, __path__, "COMMAND")
