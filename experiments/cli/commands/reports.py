"""`reports`: the page of every experiment that is recorded, of streams and their drills, and the index."""

import logging
import tomllib
from argparse import ArgumentParser, Namespace

from cluster import configuration
from cluster.lifecycle import Cluster
from core.errors import RecordingError, ServiceError, UsageError
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.page.index import write_index
from experiments.report import stream_drills, streams
from experiments.report.report import Report
from experiments.report.show import SINGLE, TRAIN
from experiments.run.runner import open_recorder
from experiments.spec import loading as spec
from experiments.spec import older
from experiments.spec.experiment import Experiment
from experiments.studies.stream_drills.record import NAME as DRILLS
from experiments.studies.stream_drills.record import every

logger = logging.getLogger(__name__)


def _run(arguments: Namespace) -> int:
    """Write each; one that cannot be written is named, and the others are written all the same."""
    settings = configuration.load(arguments.cluster_set)
    folder = settings.run_dir / "reports"
    code = 0
    try:
        recorder = open_recorder(settings, Cluster(settings).address("mlflow"))
        for name, toml in recorder.known().items():
            try:
                _, outcomes = recorder.outcomes(name)
                print(Report.of(_experiment(name, toml), outcomes).write(folder)[0], flush=True)
            except UsageError as error:
                logger.error("no page of %s: %s", name, error)
                code = 1
    except RecordingError as error:
        raise ServiceError(f"the record cannot be read: {error}") from error
    documents = [streams.report_of(run, run.page) for run in streams.newest(settings)]
    if drilled := list(every(settings.run_dir / "experiments" / DRILLS)):
        documents.append(stream_drills.report_of(drilled))
    for document in documents:
        print(document.write(folder)[0], flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    print(f"all reports: {write_index(folder)}")
    return code


def _experiment(name: str, toml: str) -> Experiment:
    """Return a shipped experiment as it is now, any other as it was when it ran.

    Raises:
        UsageError: it cannot be read any more.
    """
    if name == TRAIN:
        return Experiment(TRAIN, SINGLE)
    if name in spec.names():
        return spec.load(name)
    if not toml:
        raise UsageError("its spec is not in the record; write its page with: make report NAME=its.toml")
    values = tomllib.loads(toml)
    if older.is_old(values):
        logger.warning(
            "%s: its spec in the record is of an older version, and is read under today's names", name
        )
        values = older.translated(values)
    return spec.read(name, values)


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)


COMMAND = Command("the page of every experiment on record, and their index", _run, _arguments)
