"""`preprocess`: fetch, clean and store a data set."""

from argparse import ArgumentParser, Namespace
from dataclasses import replace

from cluster import configuration
from core.errors import UsageError
from core.options import nearest
from experiments.cli import arguments as shared
from experiments.cli.command import Command
from experiments.page.tables import Table
from experiments.page.text_tables import as_text
from experiments.run.harness import Harness
from experiments.run.prepare import prepare
from experiments.run.progress import Progress
from experiments.spec.grid import CLEANING, data_of


def _run(arguments: Namespace) -> int:
    """Print what became of its rows."""
    settings = configuration.load([*shared.shape_sets(arguments), *arguments.cluster_set])
    values = shared.read_sets(arguments.set)
    for key in values:
        if key not in CLEANING and not key.startswith("dataset."):
            raise UsageError(
                f"unknown key {key!r} of preprocess: {nearest(key, (*CLEANING, 'dataset.<option>'))}"
            )
    data = data_of({**values, "dataset": arguments.dataset}, "preprocess")
    assert data is not None
    progress = Progress()
    with Harness(settings, progress.say) as harness:
        data = replace(data, store=data.store or harness.default_store)
        prepared = prepare(data, harness, [harness.default_shape], progress.say)
    header, *rows = [
        [f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in prepared.table
    ]
    print(as_text(Table(header, rows)))
    print(
        f"{'stored in' if prepared.fresh else 'nothing to do, already in'} {prepared.data.store}: {prepared.root}"
    )
    return 0


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    shared.shape(parser)
    shared.sets(parser)
    parser.add_argument("--dataset", required=True, help="source/variant, for example movielens/1m")


COMMAND = Command("fetch, clean and store a data set", _run, _arguments)
