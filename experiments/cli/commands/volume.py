"""`volume`: the bytes that streams store, at the measured sizes of messages."""

from argparse import ArgumentParser, Namespace

from cluster import configuration
from cluster.lifecycle import Cluster
from core.units import positive
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.page.index import INDEX
from experiments.report.show import added
from experiments.run import environment
from experiments.run.runner import open_recorder
from experiments.studies.volume.growth import document
from experiments.studies.volume.measured import measured
from experiments.studies.volume.record import record


def _run(arguments: Namespace) -> int:
    """Print the tables, write the page, and record both."""
    settings = configuration.load(arguments.cluster_set)
    rate = positive(arguments.rate, "--rate")
    cluster = Cluster(settings)
    sizes = measured(cluster, settings.run_dir)
    report = document(sizes, rate, environment.describe(cluster.driver_host))
    print(f"\n{report.text()}\n")
    written = report.write(settings.run_dir / "reports")
    with added():
        record(open_recorder(settings, cluster.address("mlflow")), report, sizes, rate, written)
    print(f"page: {written[0]}\nnumbers: {written[1]}\nall reports: {written[0].with_name(INDEX)}")
    return 0


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    parser.add_argument(
        "--rate", default="1000", help="messages a second, of all topics together (default 1000)"
    )


COMMAND = Command(
    "bytes a second, minute, hour, day and year at the measured sizes of messages", _run, _arguments
)
