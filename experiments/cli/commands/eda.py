"""`eda`: explore a data set."""

from argparse import ArgumentParser, Namespace

from cluster import configuration
from core.errors import UsageError
from core.options import nearest
from experiments.cli import arguments as shared
from experiments.cli.command import Command
from experiments.page.index import INDEX
from experiments.run.harness import Harness
from experiments.run.progress import Progress
from experiments.spec.grid import CLEANING, data_of
from experiments.studies.eda.launch import explore
from experiments.studies.eda.report import text, write


def _run(arguments: Namespace) -> int:
    """Print what is in a data set and write its page."""
    settings = configuration.load([*shared.shape_sets(arguments), *arguments.cluster_set])
    values = shared.read_sets(arguments.set)
    for key in values:
        if key not in CLEANING and not key.startswith("dataset."):
            raise UsageError(f"unknown key {key!r} of eda: {nearest(key, (*CLEANING, 'dataset.<option>'))}")
    data = data_of({**values, "dataset": arguments.dataset}, "eda")
    assert data is not None
    progress = Progress()
    with Harness(settings, progress.say) as harness:
        explored = explore(data, harness, progress.say)
    print(f"\n{text(explored)}\n")
    written = write(explored, settings.run_dir / "reports")
    print(f"page: {written[0]}\nnumbers: {written[1]}\nall reports: {written[0].with_name(INDEX)}")
    return 0


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    shared.shape(parser)
    shared.sets(parser)
    parser.add_argument("--dataset", required=True, help="source/variant, for example movielens/1m")


COMMAND = Command("explore a data set: distributions on one page", _run, _arguments)
