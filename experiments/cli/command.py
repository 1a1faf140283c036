"""Parts of a command of `python -m experiments`."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass


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
