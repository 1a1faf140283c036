"""One file, one command: the file's name is what is typed (with - for _), its COMMAND the value."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass

from core.plugins import Plugins


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        what: what it does, for the command line's help.
        run: does it; returns the exit code (0 well, 1 a trial failed, 4 a gate said no). Errors are raised.
        arguments: adds its arguments to its parser.
    """

    what: str
    run: Callable[[Namespace], int]
    arguments: Callable[[ArgumentParser], None]


COMMANDS: Plugins[Command] = Plugins(__name__, __path__, "COMMAND")
