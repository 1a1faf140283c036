"""`stream-latency`: the time from a message's intended sending to its visible row, at given rates."""

from argparse import ArgumentParser, Namespace

from cluster import configuration
from core.errors import FAILED, OK, UsageError
from core.units import duration, positive
from experiments.cli import measured_stream
from experiments.cli.commands import Command
from experiments.report.stream_latency import answer, report_of
from experiments.studies.rates.rig import Rig
from experiments.studies.stream_latency.record import NAME, record
from experiments.studies.stream_latency.trials import FILE, Effort, Found, keep, measure


def _run(arguments: Namespace) -> int:
    settings = configuration.load(arguments.cluster_set)
    subject = measured_stream.read_paced(arguments)
    rates = _rates(arguments.rate)
    if arguments.repeats < 1:
        raise UsageError(f"--repeats must be 1 or more, got {arguments.repeats}")
    effort = Effort(
        arguments.repeats, duration(arguments.warmup, "--warmup"), duration(arguments.measured, "--measured")
    )
    place = settings.run_dir / "experiments" / NAME / subject.name
    rig = Rig(settings, subject, place)
    noted = measured_stream.keeper(settings, keep, place)
    found: Found = noted(measure(rig, rates, effort, noted))
    kept = place / FILE
    measured_stream.finish(
        settings,
        report_of(found),
        kept,
        lambda uri, files: record(found, settings, uri, answer(found), [kept, files[0]]),
    )
    return OK if found.good else FAILED


def _rates(text: str) -> list[float]:
    """Read rates with commas between, each once."""
    return list(dict.fromkeys(positive(word.strip(), "--rate") for word in text.split(",")))


def _arguments(parser: ArgumentParser) -> None:
    measured_stream.add_stream(parser)
    measured_stream.add_pace(parser)
    parser.add_argument(
        "--rate", default="1000", help="messages a second, several with commas between (1000)"
    )
    parser.add_argument("--repeats", type=int, default=3, help="trials of each rate (3)")
    parser.add_argument("--measured", default="120s", help="of each trial (120s)")


COMMAND = Command("measure how long after its sending a row is visible, at given rates", _run, _arguments)
