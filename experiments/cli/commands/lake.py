"""`lake`: the lake's tables compacted or exported, dead letters taken out and sent again mended."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from cluster import configuration
from cluster.lifecycle import Cluster
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.page.tables import Table
from experiments.page.text_tables import as_text
from experiments.run import lake
from experiments.run.streams import kafka
from jobs.runtime.request import Result

_JOBS = {
    "compact": "lake_compact",
    "export": "lake_export",
    "take": "dead_letters",
    "send": "dead_letters",
}


def _run(arguments: Namespace) -> int:
    settings = configuration.load(arguments.cluster_set)
    params: dict[str, Any] = {"lake": str(settings.run_dir.resolve() / "lake")}
    if arguments.topics:
        params["topics"] = arguments.topics
    if arguments.action == "compact":
        params["keep_h"] = arguments.keep_hours
    elif arguments.action == "export":
        params |= {"to": str(arguments.to.absolute()), "version": arguments.version}
    else:
        params |= {"action": arguments.action, "file": str(arguments.file.absolute())}
        if arguments.action == "send":
            params["brokers"] = kafka(Cluster(settings))
        elif arguments.reasons:
            params["reasons"] = arguments.reasons
    return _shown(lake.run(settings, _JOBS[arguments.action], params))


def _shown(result: Result) -> int:
    header, *rows = [[str(cell) for cell in row] for row in result.table]
    print(as_text(Table(header, rows)))
    return 0


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    what = "compact tables and remove old files; export them as Parquet; take dead letters out to a file; send mended ones"
    parser.add_argument("action", choices=sorted(_JOBS), help=what)
    parser.add_argument("--topics", help="of which topics, with commas between; without it all")
    parser.add_argument(
        "--keep-hours", type=float, default=24.0, help="compact: for how long older versions stay readable"
    )
    parser.add_argument(
        "--to", type=Path, default=Path("lake-export"), help="export: folder that gets the tables"
    )
    parser.add_argument(
        "--version", type=int, default=-1, help="export: version of the one topic that is named"
    )
    parser.add_argument(
        "--file", type=Path, default=Path("dead-letters.jsonl"), help="take, send: the file of letters"
    )
    parser.add_argument("--reasons", help="take: which, with commas between, as 'wrong type,missing field'")


COMMAND = Command("compact or export the lake, mend dead letters", _run, _arguments)
