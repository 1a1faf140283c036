"""`stream-rate`: the rate of messages that a stream keeps up with."""

import dataclasses
import logging
import time
from argparse import ArgumentParser, Namespace

from cluster import configuration
from cluster.lifecycle import Cluster
from core.errors import FAILED, OK, RecordingError, UsageError
from core.options import nearest
from core.units import count, duration, time_text
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.record.run_tags import as_text
from experiments.report.rates import answer, report_of
from experiments.run import environment
from experiments.studies.rates.record import NAME, record
from experiments.studies.rates.rig import Rig
from experiments.studies.rates.session import Effort, keep, search
from experiments.studies.rates.subjects import SUBJECTS
from experiments.studies.rates.verdict import LEAST_POINTS, Limits

logger = logging.getLogger(__name__)

_LATENCY = {"lake": 3.0, "feedback": 2.0}
"""Seconds within which 99% of the rows must be there: of the lake in triggers."""


def _run(arguments: Namespace) -> int:
    settings = configuration.load(arguments.cluster_set)
    if arguments.name not in SUBJECTS:
        raise UsageError(
            f"no rate is known to measure for {arguments.name!r}: {nearest(arguments.name, SUBJECTS)}"
        )
    one = SUBJECTS[arguments.name]
    trigger = duration(arguments.trigger, "--trigger") if arguments.trigger else one.trigger_s
    sending = dataclasses.replace(one.sending, dataset=arguments.dataset, seed=arguments.seed)
    subject = dataclasses.replace(
        one, trigger_s=trigger, cores=arguments.stream_cores, sending=sending, most=arguments.most
    )
    warmup, measured = (
        duration(text, "--warmup, --measured") for text in (arguments.warmup, arguments.measured)
    )
    if measured < LEAST_POINTS * trigger:
        measured = LEAST_POINTS * trigger
        logger.info(
            "%s measured, for %d batches of %s", time_text(measured), LEAST_POINTS, time_text(trigger)
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
    found = search(Rig(settings, subject, place), Limits(late), effort)
    known = environment.describe(Cluster(settings).driver_host)
    told = {key: as_text(value) for key, value in known.items()}
    found = dataclasses.replace(found, ended_at=time.time(), environment=told)
    kept = keep(found, place)
    report = report_of(found)
    print(f"\n{report.text()}\n")
    written = report.write(settings.run_dir / "reports")
    print(f"page: {written[0]}\nnumbers: {written[1]}")
    try:
        record(found, settings, Cluster(settings).address("mlflow"), answer(found), [kept, *written[:1]])
    except RecordingError as error:
        logger.warning("not in MLflow, stays in %s: %s", place, error)
    return OK if found.bracket.sustained is not None else FAILED


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    parser.add_argument("name", help=f"stream: {', '.join(SUBJECTS)}")
    parser.add_argument("--stream-cores", type=int, default=1, help="cores that the stream may use")
    parser.add_argument("--trigger", help="time between the starts of two micro-batches (the stream's own)")
    parser.add_argument(
        "--dataset", default="synthetic/ml-1m", help="whose ratings are sent (synthetic/ml-1m)"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--alone", default="1e6", help="messages of the generator alone (1e6)")
    parser.add_argument("--backlog", default="2e6", help="messages that are drained (2e6)")
    parser.add_argument("--most", type=int, default=500_000, help="messages of one micro-batch at most")
    parser.add_argument("--warmup", default="60s", help="of each trial (60s)")
    parser.add_argument("--measured", default="120s", help="of each trial, 30 batches at least (120s)")
    parser.add_argument("--steps", type=int, default=5, help="trials at most (5)")


COMMAND = Command("find the rate of messages that a stream keeps up with", _run, _arguments)
