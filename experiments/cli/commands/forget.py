"""`forget`: erase one person from what streams have kept."""

from argparse import ArgumentParser, Namespace

from cluster import configuration
from datasets.topics import declared
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.cli.commands.reconcile import told
from experiments.page.tables import Table
from experiments.page.text_tables import as_text
from experiments.run.reconciling import erased, forget


def _run(arguments: Namespace) -> int:
    """Print what was erased, what is left elsewhere, and whether the rest adds up."""
    settings = configuration.load(arguments.cluster_set)
    result = forget(settings, arguments.user, arguments.keyspace)
    rows = [[name, f"{count:,}"] for name, count in sorted(erased(result).items()) if count]
    print(as_text(Table(["erased from", "rows"], rows)) if rows else "no row names this user")
    longest = max(declared.topics().values(), key=lambda topic: topic.retention_ms)
    print(
        "Kafka keeps its own copies until their retention is over "
        f"({longest.name}: {longest.retention}; the others: {declared.topic('events').retention}). Models that were made before "
        "know the user until they are made again."
    )
    return told(result)


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    parser.add_argument("user", help="identifier of the person, as messages have it")
    parser.add_argument(
        "--keyspace", default="", help="of the streams feedback and refresh, where it is not the default"
    )


COMMAND = Command("erase one person from lake, dead letters and Cassandra", _run, _arguments)
