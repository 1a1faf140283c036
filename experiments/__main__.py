"""Runs, records and reports experiments: `python -m experiments COMMAND`."""

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from core.errors import INTERRUPTED, RecscaleError, tell
from core.log import shown
from experiments.cli.commands import COMMANDS

logger = logging.getLogger(__package__)


def main(argv: Sequence[str] | None = None) -> int:
    """Return 0 when all went well, 1 for a failed trial, 2 for wrong names, 3 for a service, 4 for a gate, 130 when interrupted."""
    given = sys.argv[1:] if argv is None else argv
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    with shown():
        try:
            arguments = parser(given[0] if given else "").parse_args(given)
            return int(arguments.command(arguments))
        except RecscaleError as error:
            return tell("experiments", error)
        except KeyboardInterrupt:
            logger.error("interrupted; what was measured is recorded, the same command goes on from there")
            return INTERRUPTED


def parser(name: str) -> argparse.ArgumentParser:
    """Return the command line of one command, or of all of them where there is none of this name."""
    top = argparse.ArgumentParser(prog="python -m experiments", description=__doc__)
    sub = top.add_subparsers(required=True, metavar="COMMAND")
    file = name.replace("-", "_")
    for each in [file] if file in COMMANDS else COMMANDS:
        command = COMMANDS[each]
        made = sub.add_parser(each.replace("_", "-"), help=command.what, description=command.what)
        command.arguments(made)
        made.set_defaults(command=command.run)
    return top


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
