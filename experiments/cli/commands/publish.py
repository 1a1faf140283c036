"""`publish`: a new model takes the place of the one whose lists readers see, when active people have lists of it."""

import os
from argparse import ArgumentParser, Namespace
from pathlib import Path

from cluster import configuration
from cluster.lifecycle import Cluster
from core.errors import OK
from core.units import positive
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.run.lake import run
from jobs.stores.cassandra.access import PREFIX
from jobs.stores.cassandra.feedback import KEYSPACE

_CASSANDRA = "cassandra"


def _run(arguments: Namespace) -> int:
    settings = configuration.load(arguments.cluster_set)
    Cluster(settings).ensure(_CASSANDRA)
    params = {
        "folder": str(Path(arguments.folder).resolve()),
        "days": positive(arguments.days, "--days"),
        "k": arguments.k,
    }
    root = arguments.keyspace.removeprefix(PREFIX)
    result = run(settings, "publish", params, cores=os.cpu_count() or 1, store=(_CASSANDRA, root))
    print(
        f"{result.info['model']}, version {result.info['version']}, is served in {arguments.keyspace}: {result.counts['lists']:,} lists made, "
        f"{result.counts['removed']:,} of models before the last removed"
    )
    return OK


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    parser.add_argument("folder", help="of the exported model (its lists.npz)")
    parser.add_argument(
        "--days", default="30", help="who did something in so many days gets a list before (%(default)s)"
    )
    parser.add_argument("--k", type=int, default=10, help="length of the lists (%(default)s)")
    parser.add_argument("--keyspace", default=KEYSPACE, help="of the lists (%(default)s)")


COMMAND = Command("let a new model take the place of the one whose lists readers see", _run, _arguments)
