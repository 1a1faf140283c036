"""`drill`: a part of the cluster is killed in the middle of a trial."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from cluster import configuration
from core.errors import UsageError
from core.options import nearest
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.report.drills import show
from experiments.run.progress import Progress
from experiments.spec import loading as spec
from experiments.studies.drills.kinds import DRILLS
from experiments.studies.drills.session import Session

ALL = "all"


def _run(arguments: Namespace) -> int:
    wanted = list(dict.fromkeys(word.strip() for word in arguments.kind.split(",")))
    for kind in wanted:
        if kind not in (ALL, *DRILLS):
            raise UsageError(f"unknown drill {kind!r}: {nearest(kind, (ALL, *DRILLS))}")
    settings = configuration.load(arguments.cluster_set)
    experiment = spec.load(arguments.name)
    path = Path(arguments.name) if arguments.name.endswith(".toml") else spec.SPECS / f"{arguments.name}.toml"
    session = Session(experiment, settings, Progress(), path.read_text(encoding="utf-8"))
    every = ALL in wanted
    code = session.run(list(DRILLS) if every else wanted, leave_out=every)
    show(session)
    return code


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    parser.add_argument(
        "kind", help=f"what is killed: {', '.join(DRILLS)}; several with commas between, or all"
    )
    what = "an experiment of one trial: one that ships, or the path of a TOML file (drill)"
    parser.add_argument("name", nargs="?", default="drill", help=what)


COMMAND = Command(
    "kill a part of the cluster in the middle of a trial, and compare what comes of it", _run, _arguments
)
