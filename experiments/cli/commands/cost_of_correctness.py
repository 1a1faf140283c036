"""`cost-of-correctness`: what each guarantee of a stream costs."""

import dataclasses
import time
from argparse import ArgumentParser, Namespace

from cluster import configuration
from core.errors import OK
from core.units import count
from experiments.cli import arguments as shared
from experiments.cli import measured_stream
from experiments.cli.commands import Command
from experiments.report.correctness import report_of
from experiments.studies.correctness.record import NAME, record
from experiments.studies.correctness.session import Asked, keep, measure
from jobs.guarantees.ladders import LADDERS


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
    found = dataclasses.replace(
        found, ended_at=time.time(), environment=measured_stream.environment_of(settings)
    )
    kept = keep(found, settings.run_dir / "experiments" / NAME / asked.stream)
    report = report_of(found)
    measured_stream.finish(
        settings,
        report,
        kept,
        lambda uri, files: record(found, settings, uri, report.markdown(), [kept, *files]),
    )
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
