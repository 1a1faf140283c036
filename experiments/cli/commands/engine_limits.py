"""`engine-limits`: an iteration of the engine on more workers and more ratings than were measured, by arithmetic."""

from argparse import ArgumentParser, Namespace

from cluster import configuration
from cluster.lifecycle import Cluster
from core.units import positive
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.page.index import INDEX
from experiments.run import environment
from experiments.studies.engine_limits.arithmetic import Measured
from experiments.studies.engine_limits.report import document

_MEASURED = {
    "gflops": "50",
    "load-mb-per-s": "4600",
    "stage-s": "0.18",
    "slowest": "1.03",
    "network-mb-per-s": "1250",
}
"""Of a fit of ten million ratings on two virtual cores of an AMD EPYC, both at work (`engine/...` in its record); the network is assumed, ten gigabits a second."""


def _run(arguments: Namespace) -> int:
    """Print the table and write the page."""
    settings = configuration.load(arguments.cluster_set)
    values = [positive(getattr(arguments, name.replace("-", "_")), f"--{name}") for name in _MEASURED]
    host = environment.describe(Cluster(settings).driver_host)
    memory = positive(arguments.memory, "--memory") * 1e9
    report = document(arguments.rank, Measured(*values), memory, host)
    print(f"\n{report.text()}\n")
    written = report.write(settings.run_dir / "reports")
    print(f"page: {written[0]}\nnumbers: {written[1]}\nall reports: {written[0].with_name(INDEX)}")
    return 0


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    parser.add_argument("--rank", type=int, default=64, help="number of factors (64)")
    parser.add_argument("--memory", default="1", help="gigabytes that a worker has for factors (1)")
    for name, value in _MEASURED.items():
        parser.add_argument(f"--{name}", default=value, help=f"as measured or assumed ({value})")


COMMAND = Command(
    "an iteration of the engine on more workers and ratings than were measured", _run, _arguments
)
