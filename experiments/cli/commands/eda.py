"""`eda`: explore a data set."""

from argparse import Namespace

from cluster import configuration
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.page.index import INDEX
from experiments.run.harness import Harness
from experiments.studies.eda.launch import explore
from experiments.studies.eda.report import document


def _run(arguments: Namespace) -> int:
    """Print what is in a data set and write its page."""
    settings = configuration.load([*shared.shape_sets(arguments), *arguments.cluster_set])
    data = shared.read_data_set(arguments, "eda")
    with Harness(settings) as harness:
        explored = explore(data, harness)
    report = document(explored)
    print(f"\n{report.text()}\n")
    written = report.write(settings.run_dir / "reports")
    print(f"page: {written[0]}\nnumbers: {written[1]}\nall reports: {written[0].with_name(INDEX)}")
    return 0


COMMAND = Command("explore a data set: distributions on one page", _run, shared.data_set)
