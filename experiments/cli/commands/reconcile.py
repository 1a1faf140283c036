"""`reconcile`: is every message where it belongs exactly once?"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from cluster import configuration
from core.errors import FAILED, OK
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.page.tables import Table
from experiments.page.text_tables import as_text
from experiments.run.reconciling import reconcile
from jobs.runtime.request import Result


def _run(arguments: Namespace) -> int:
    """Print every check, and exit with 1 if something differs."""
    settings = configuration.load(arguments.cluster_set)
    return told(
        reconcile(
            settings, arguments.ledger, contents=not arguments.offsets_only, keyspace=arguments.keyspace
        )
    )


def told(result: Result) -> int:
    """Print what was compared and what differs; return the exit code."""
    header, *rows = [
        [f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell) for cell in row]
        for row in result.table
    ]
    print(as_text(Table(header, rows)))
    seconds = sum(time.seconds for time in result.phases)
    compared, differing = result.counts["compared"], result.counts["differing"]
    verdict = "reconciled" if not differing else f"NOT reconciled: {differing:,} differ"
    print(f"{verdict}; {compared:,} messages and rows compared in {seconds:.1f} s")
    return OK if not differing else FAILED


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    what = "ledger of a producer, whose acknowledged messages must have been read; may be repeated"
    parser.add_argument("--ledger", type=Path, action="append", default=[], metavar="FILE", help=what)
    what = "leave out the comparison of contents with Kafka's own messages"
    parser.add_argument("--offsets-only", action="store_true", help=what)
    parser.add_argument("--keyspace", default="", help="of the stream feedback, where it is not the default")


COMMAND = Command("see that every message is stored where it belongs, exactly once", _run, _arguments)
