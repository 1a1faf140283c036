"""Comparison as a command runs it: measure, record, print, and write the page."""

import logging
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cluster import configuration
from cluster.lifecycle import Cluster
from cluster.settings import Settings
from core.errors import JobError, RecordingError
from experiments.cli import arguments as shared
from experiments.metric_table import ALL_SECONDS
from experiments.run.progress import Progress
from experiments.run.runner import open_recorder
from experiments.spec import loading as spec
from experiments.studies.compare.findings import document
from experiments.studies.compare.ledger import Ledger
from experiments.studies.compare.record import tree_of
from experiments.studies.compare.runner import Pairing
from experiments.studies.compare.sides import SOURCE
from experiments.studies.compare.verdict import Verdict, verdict_of

logger = logging.getLogger(__name__)

PAIRS = 10


def arguments(parser: ArgumentParser) -> None:
    """Add what compare and gate share."""
    shared.cluster(parser)
    shared.sets(parser)
    parser.add_argument("--pairs", type=int, default=PAIRS, help=f"pairs of applications (default {PAIRS})")
    parser.add_argument("--repeats", type=int, help="measured passes of each application")
    what = "another comparison of the same two sides, independent of those measured as series 1, 2, ... (default 1)"
    parser.add_argument("--series", type=int, default=1, help=what)
    what = "what is timed: total_s, or a phase as in fit_s"
    parser.add_argument("--metric", default=ALL_SECONDS.name, help=what)


def compared(given: Namespace, baseline: list[str], contender: list[str]) -> Verdict:
    """Measure, record and print; return the verdict.

    Raises:
        UsageError, ServiceError, DataError, JobError: as of `experiments.studies.compare.runner.Pairing.run`.
        KeyboardInterrupt: after what was measured has been recorded.
    """
    settings = configuration.load(given.cluster_set)
    experiment = spec.with_effort(spec.load(given.spec), None, given.repeats)
    sides = {
        "baseline": shared.read_sets(baseline, "--baseline", SOURCE),
        "contender": shared.read_sets(contender, "--contender", SOURCE),
    }
    both = shared.read_sets(given.set, beside=SOURCE)
    pairing = Pairing(experiment, settings, Progress(), sides, both, given.pairs, given.series)
    try:
        ledger = pairing.run()
    except KeyboardInterrupt:
        if pairing.ledger is not None and pairing.ledger.pairs:
            with suppress(JobError):
                _record(settings, pairing.ledger, verdict_of(pairing.ledger, given.metric), "killed")
        raise
    found = verdict_of(ledger, given.metric)
    report = document(ledger, found, experiment.question)
    print(f"\n{report.text()}\n")
    written = report.write(settings.run_dir / "reports")
    print(f"page: {written[0]}\nnumbers: {written[1]}")
    _record(settings, ledger, found, "ok", written)
    if found.timing.verdict != "too few" and found.timing.count not in ledger.looks:
        ledger.looks.append(found.timing.count)
        ledger.save()
    return found


def _record(
    settings: Settings, ledger: Ledger, found: Verdict, status: str, report: Sequence[Path] = ()
) -> None:
    """Record it; what cannot be recorded stays on disk and is recorded by the same command, when it runs again."""
    try:
        recorder = open_recorder(settings, Cluster(settings).address("mlflow"))
        recorder.keep(ledger.about["experiment"], tree_of(ledger, found, report), ledger.about["key"], status)
    except RecordingError as error:
        logger.error(
            "not recorded, but kept in %s; the same command records it without measuring again: %s",
            ledger.folder,
            error,
        )
