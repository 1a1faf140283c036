"""`rename-metrics`: today's names for the metrics of runs that an older version recorded."""

from argparse import ArgumentParser, Namespace

from cluster import configuration
from cluster.lifecycle import Cluster
from core.errors import RecordingError, ServiceError
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.metric_table import described
from experiments.page.tables import Table
from experiments.page.text_tables import as_text
from experiments.run.runner import open_recorder
from experiments.studies.renaming import rename


def _run(arguments: Namespace) -> int:
    if arguments.list:
        rows = [[name, unit, what] for name, unit, what, _, _ in described()]
        print(as_text(Table(["metric", "unit", "what it is"], rows)))
        return 0
    settings = configuration.load(arguments.cluster_set)
    try:
        changed = rename(open_recorder(settings, Cluster(settings).address("mlflow")).tracking)
    except RecordingError as error:
        raise ServiceError(f"the record cannot be changed: {error}") from error
    for name, count in changed.items():
        print(f"{name}: metrics of {count} run{'s' * (count != 1)} have the names of this version, too")
    if not changed:
        print("nothing to do: every run has the names of this version")
    else:
        print(
            "The old names stay beside the new ones, because MLflow cannot delete a metric; hide them in its charts."
        )
    return 0


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    parser.add_argument(
        "--list", action="store_true", help="print names, units and meanings, and change nothing"
    )


COMMAND = Command("name the metrics of older runs in MLflow as this version does", _run, _arguments)
