"""`cost-of-correctness`: what each guarantee of a stream costs."""

import dataclasses
import logging
import time
from argparse import ArgumentParser, Namespace

from cluster import configuration
from cluster.lifecycle import Cluster
from core.errors import OK, RecordingError
from core.units import count
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.page.index import INDEX
from experiments.record.run_tags import as_text
from experiments.report.correctness import report_of
from experiments.run import environment
from experiments.studies.correctness.record import NAME, record
from experiments.studies.correctness.session import Asked, keep, measure
from jobs.guarantees.ladders import LADDERS

logger = logging.getLogger(__name__)


def _run(arguments: Namespace) -> int:
    settings = configuration.load(arguments.cluster_set)
    asked = Asked(
        arguments.name,
        count(arguments.rows, "--rows"),
        arguments.bad,
        arguments.repeats,
        arguments.cores,
        count(arguments.most, "--most"),
        arguments.batches,
        arguments.seed,
    )
    found = measure(settings, asked)
    cluster = Cluster(settings)
    known = {key: as_text(value) for key, value in environment.describe(cluster.driver_host).items()}
    found = dataclasses.replace(found, environment=known, ended_at=time.time())
    place = settings.run_dir / "experiments" / NAME / asked.stream
    kept = keep(found, place)
    report = report_of(found)
    print(f"\n{report.text()}\n")
    written = report.write(settings.run_dir / "reports")
    print(f"page: {written[0]}\nnumbers: {written[1]}\nall reports: {written[0].with_name(INDEX)}")
    try:
        record(found, settings, cluster.address("mlflow"), report.markdown(), [kept, *written])
    except RecordingError as error:
        logger.warning("not in MLflow, stays in %s: %s", place, error)
    return OK


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    parser.add_argument("name", help=f"stream: {', '.join(LADDERS)}")
    parser.add_argument("--rows", default="1e6", help="messages (1e6)")
    parser.add_argument(
        "--repeats", type=int, default=3, help="rounds after a first one; 5 or more have intervals (3)"
    )
    parser.add_argument(
        "--bad", type=float, default=0.0, help="share of the messages that cannot be read (0)"
    )
    parser.add_argument(
        "--batches",
        type=int,
        default=0,
        help="read them once more in so many batches, and compare late ones with early ones",
    )
    parser.add_argument("--cores", type=int, default=2, help="tasks at a time (2)")
    parser.add_argument("--most", default="500000", help="messages of one micro-batch at most (500000)")
    parser.add_argument("--seed", type=int, default=1, help="of the order of turns")


COMMAND = Command("measure what each guarantee of a stream costs", _run, _arguments)
