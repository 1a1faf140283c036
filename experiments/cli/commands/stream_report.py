"""`stream-report`: the page of a run of streams, while it goes on or after it ended."""

from argparse import ArgumentParser, Namespace

from cluster import configuration
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.report.streams import find, show


def _run(arguments: Namespace) -> int:
    """Print and write the page, and record what the record lacks of any run of streams."""
    settings = configuration.load(arguments.cluster_set)
    names = [name.strip() for name in arguments.names.split(",") if name.strip()]
    show(settings, *find(settings, names, arguments.start))
    return 0


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    parser.add_argument(
        "names",
        nargs="?",
        default="",
        help="streams that ran together, with commas between (the newest run of any)",
    )
    parser.add_argument(
        "--start",
        default="",
        help="name of a start, as its folder in the run folder's streaming (the newest)",
    )


COMMAND = Command("the page of a stream's run: rates, batches, lag, state, restarts", _run, _arguments)
