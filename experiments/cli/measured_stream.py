"""Arguments, and the end, of the commands that measure a stream: which stream, with which messages, and its report."""

import dataclasses
import logging
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cluster.lifecycle import Cluster
from cluster.settings import Settings
from core.errors import RecordingError
from core.units import duration
from experiments.cli import arguments as shared
from experiments.page.document import Document
from experiments.page.index import INDEX
from experiments.record.run_tags import as_text
from experiments.run import environment
from experiments.studies.rates.subjects import MOST, SUBJECTS, Subject, subject

logger = logging.getLogger(__name__)


def add_stream(parser: ArgumentParser, dataset: str = "synthetic/ml-10m") -> None:
    """Add the stream, and which messages it is measured with; `dataset` is the default."""
    shared.cluster(parser)
    parser.add_argument("name", help=f"stream: {', '.join(SUBJECTS)}")
    parser.add_argument("--dataset", default=dataset, help=f"whose ratings are sent ({dataset})")
    parser.add_argument("--seed", type=int, default=1)


def add_pace(parser: ArgumentParser, warmup: str | None = "60s", told: str = "60s") -> None:
    """Add how the stream runs, and how long a trial at a rate lasts; `warmup` is the default, as it is `told`."""
    parser.add_argument("--stream-cores", type=int, default=1, help="cores that the stream may use")
    parser.add_argument("--trigger", help="time between the starts of two micro-batches (the stream's own)")
    parser.add_argument(
        "--most",
        type=int,
        help=f"messages of one micro-batch at most ({MOST:,}, or twice what comes in a trigger)",
    )
    parser.add_argument("--warmup", default=warmup, help=f"of each trial ({told})")


def read_stream(arguments: Namespace) -> Subject:
    """Return the stream that `add_stream` was given, with its messages.

    Raises:
        UsageError: an unknown one.
    """
    one = subject(arguments.name)
    sending = dataclasses.replace(one.sending, dataset=arguments.dataset, seed=arguments.seed)
    return dataclasses.replace(one, sending=sending)


def read_paced(arguments: Namespace) -> Subject:
    """Return the stream that `add_stream` was given, as `add_pace` lets it run.

    Raises:
        UsageError: an unknown one, or a trigger that is no time.
    """
    one = read_stream(arguments)
    trigger = duration(arguments.trigger, "--trigger") if arguments.trigger else one.trigger_s
    return dataclasses.replace(one, trigger_s=trigger, cores=arguments.stream_cores, most=arguments.most)


def environment_of(settings: Settings) -> dict[str, str]:
    """Return tags of host, versions and code."""
    known: dict[str, Any] = environment.describe(Cluster(settings).driver_host)
    return {key: as_text(value) for key, value in known.items()}


def keeper(settings: Settings, keep: Callable[[Any, Path], object], place: Path) -> Callable[[Any], Any]:
    """Return what keeps the results of a measurement so far, with the time and where it runs, and returns them so.

    Args:
        settings: where the cluster is.
        keep: writes results into a folder.
        place: this folder.
    """
    environment = environment_of(settings)

    def kept(found: Any) -> Any:
        found = dataclasses.replace(found, ended_at=time.time(), environment=environment)
        keep(found, place)
        return found

    return kept


def finish(
    settings: Settings, report: Document, kept: Path, record: Callable[[str | None, list[Path]], None]
) -> None:
    """Print a report, write its page, and record it.

    Args:
        settings: name the run folder and MLflow.
        report: of what was measured.
        kept: file or folder with what was measured.
        record: is given MLflow's address and the files of the page, the page itself first.
    """
    print(f"\n{report.text()}\n")
    written = report.write(settings.run_dir / "reports")
    print(f"page: {written[0]}\nnumbers: {written[1]}\nall reports: {written[0].with_name(INDEX)}")
    try:
        record(Cluster(settings).address("mlflow"), written)
    except RecordingError as error:
        logger.warning("not in MLflow, stays in %s: %s", kept, error)
