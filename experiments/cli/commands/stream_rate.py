"""`stream-rate`: the rate of messages that a stream keeps up with."""

import logging
from argparse import ArgumentParser, Namespace

from cluster import configuration
from core.errors import FAILED, OK
from core.units import count, duration, time_text
from experiments.cli import measured_stream
from experiments.cli.commands import Command
from experiments.report.rates import answer, report_of
from experiments.studies.rates.record import NAME, record
from experiments.studies.rates.rig import Rig
from experiments.studies.rates.session import FILE, Effort, Found, keep, search
from experiments.studies.rates.verdict import LEAST_POINTS, Limits

logger = logging.getLogger(__name__)

_LATENCY = {"lake": 3.0, "feedback": 2.0}
"""Seconds within which 99% of the rows must be there: of the lake in triggers."""

_WARM_S = 60.0
_SETTLED = 18
"""Triggers after which a stream that keeps up has caught up with what came during its first batches, in which its code is cold."""

_SPARE = 2
"""Triggers that are measured beyond those that are needed: a batch may end after the measured part."""


def _run(arguments: Namespace) -> int:
    settings = configuration.load(arguments.cluster_set)
    subject = measured_stream.read_paced(arguments)
    trigger = subject.trigger_s
    warmup = max(_WARM_S, _SETTLED * trigger)
    if arguments.warmup is not None:
        warmup = duration(arguments.warmup, "--warmup")
    measured = duration(arguments.measured, "--measured")
    if measured < (LEAST_POINTS + _SPARE) * trigger:
        measured = (LEAST_POINTS + _SPARE) * trigger
        logger.info(
            "%s measured, for %d batches of %s and some more",
            time_text(measured),
            LEAST_POINTS,
            time_text(trigger),
        )
    effort = Effort(
        count(arguments.alone, "--alone"),
        count(arguments.backlog, "--backlog"),
        warmup,
        measured,
        arguments.steps,
    )
    late = _LATENCY[subject.stream] * (trigger if subject.stream == "lake" else 1.0)
    place = settings.run_dir / "experiments" / NAME / subject.name
    rig = Rig(settings, subject, place)
    noted = measured_stream.keeper(settings, keep, place)
    found: Found = noted(search(rig, Limits(late), effort, noted))
    kept = place / FILE
    measured_stream.finish(
        settings,
        report_of(found),
        kept,
        lambda uri, files: record(found, settings, uri, answer(found), [kept, files[0]]),
    )
    return OK if found.bracket.sustained is not None and not found.broken else FAILED


def _arguments(parser: ArgumentParser) -> None:
    measured_stream.add_stream(parser, "synthetic/ml-100m")
    measured_stream.add_pace(parser, None, f"{_WARM_S:.0f}s, and {_SETTLED} triggers at least")
    parser.add_argument("--alone", default="1e6", help="messages of the generator alone (1e6)")
    parser.add_argument("--backlog", default="2e6", help="messages that are drained (2e6)")
    parser.add_argument("--measured", default="120s", help="of each trial, 30 batches at least (120s)")
    parser.add_argument("--steps", type=int, default=5, help="trials at most (5)")


COMMAND = Command("find the rate of messages that a stream keeps up with", _run, _arguments)
