"""`preprocess`: fetch, clean and store a data set."""

from argparse import Namespace
from dataclasses import replace

from cluster import configuration
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.page.tables import Table
from experiments.page.text_tables import as_text
from experiments.run.harness import Harness
from experiments.run.prepare import prepare


def _run(arguments: Namespace) -> int:
    """Print what became of its rows."""
    settings = configuration.load([*shared.shape_sets(arguments), *arguments.cluster_set])
    data = shared.read_data_set(arguments, "preprocess")
    with Harness(settings) as harness:
        data = replace(data, store=data.store or harness.default_store)
        prepared = prepare(data, harness, [harness.default_shape])
    header, *rows = [
        [f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in prepared.table
    ]
    print(as_text(Table(header, rows)))
    print(
        f"{'stored in' if prepared.fresh else 'nothing to do, already in'} {prepared.data.store}: {prepared.root}"
    )
    return 0


COMMAND = Command("fetch, clean and store a data set", _run, shared.data_set)
