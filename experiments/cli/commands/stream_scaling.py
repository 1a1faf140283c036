"""`stream-scaling`: how fast a stream drains a backlog with other numbers of partitions, workers and brokers."""

from argparse import ArgumentParser, Namespace

from cluster import configuration
from core.errors import FAILED, OK, UsageError
from core.options import pairs
from core.units import count
from experiments.cli import arguments as shared
from experiments.cli import measured_stream
from experiments.cli.commands import Command
from experiments.report.stream_scaling import report_of
from experiments.run import environment
from experiments.studies.stream_scaling.points import plan
from experiments.studies.stream_scaling.record import record
from experiments.studies.stream_scaling.session import BATCHES, Session
from experiments.studies.stream_scaling.summary import Scaled, answer, notes

_OVER = "partitions=1,2,4 workers=1,2 brokers=1,3"
_LEAST = 100 * BATCHES


def _run(arguments: Namespace) -> int:
    settings = configuration.load(arguments.cluster_set)
    subject = measured_stream.read_stream(arguments)
    wanted = plan(pairs(shared.split_sets(arguments.over), "--over", "workers=1,2"), subject.topic)
    backlog = count(arguments.backlog, "--backlog")
    if arguments.repeats < 1 or backlog < _LEAST:
        raise UsageError(
            f"--repeats must be 1 or more and --backlog {_LEAST:,} or more, got {arguments.repeats} and {arguments.backlog}"
        )
    session = Session(settings, subject, wanted, arguments.repeats, backlog)
    scaled = Scaled(subject.name, wanted, session.rounds, backlog, tuple(session.run()))
    cores = environment.host()["host.cores"]
    told = answer(scaled), list(notes(scaled, cores))
    measured_stream.finish(
        settings,
        report_of(scaled, cores),
        session.place,
        lambda uri, files: record(scaled, settings, uri, told, files[:1]),
    )
    return OK if scaled.complete else FAILED


def _arguments(parser: ArgumentParser) -> None:
    measured_stream.add_stream(parser)
    parser.add_argument("--over", default=_OVER, help=f"axes and the numbers on each ({_OVER})")
    parser.add_argument(
        "--repeats", type=int, default=3, help="rounds in which each point is measured once (3)"
    )
    parser.add_argument("--backlog", default="1e6", help="messages that are drained (1e6)")


COMMAND = Command("measure how a stream scales with partitions, workers and brokers", _run, _arguments)
