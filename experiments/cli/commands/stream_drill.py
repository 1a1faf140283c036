"""`stream-drill`: something fails in the middle of streams, and everything is reconciled afterwards."""

from argparse import ArgumentParser, Namespace

from cluster import configuration
from core.errors import FAILED, OK, UsageError
from core.options import nearest
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.report.stream_drills import show
from experiments.studies.stream_drills.kinds import DRILLS
from experiments.studies.stream_drills.session import Session

ALL = "all"


def _run(arguments: Namespace) -> int:
    """Print what came of each drill and write the page of all; exit with 1 if something was not reconciled."""
    wanted = list(dict.fromkeys(word.strip() for word in arguments.kind.split(",")))
    for kind in wanted:
        if kind not in (ALL, *DRILLS):
            raise UsageError(f"unknown drill of streams {kind!r}: {nearest(kind, (ALL, *DRILLS))}")
    every = ALL in wanted
    settings = configuration.load(arguments.cluster_set)
    session = Session(
        settings, list(DRILLS) if every else wanted, _seeds(arguments.seeds), _total(arguments.total)
    )
    found = session.run(leave_out=every)
    show(settings, session.place, found)
    return OK if all(one.good for one in found) else FAILED


def _seeds(text: str) -> list[int]:
    try:
        return [int(word) for word in text.replace(",", " ").split()]
    except ValueError:
        raise UsageError(
            f"--seeds must be whole numbers with commas between, as in 1,2,3, got {text!r}"
        ) from None


def _total(text: str) -> int:
    try:
        total = int(float(text))
    except ValueError:
        total = 0
    if total < 1000:
        raise UsageError(f"--total must be 1000 messages or more, as in 1e6, got {text!r}")
    return total


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    parser.add_argument("kind", help=f"what fails: {', '.join(DRILLS)}; several with commas between, or all")
    parser.add_argument("--seeds", default="1,2,3", help="of messages and of the moment (1,2,3)")
    parser.add_argument("--total", default="1e6", help="messages of each drill (1e6)")


COMMAND = Command(
    "let something fail in the middle of streams, and reconcile everything afterwards", _run, _arguments
)
