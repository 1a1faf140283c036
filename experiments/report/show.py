"""Prints an experiment's report and writes its page, from the record and from what could not be recorded."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from cluster.lifecycle import Cluster
from cluster.services.mlflow import MlflowSettings
from cluster.settings import Settings
from core.errors import RecordingError, ServiceError
from experiments.page.index import INDEX
from experiments.record.run_tags import shown_columns
from experiments.report.report import Report
from experiments.results.model_equality import allow_changes
from experiments.results.outcome import Outcome
from experiments.run.runner import Sweep, open_recorder
from experiments.spec.experiment import Experiment
from experiments.stats.summaries import summary

logger = logging.getLogger(__name__)

TRAIN = "train"
SINGLE = "Single trials, one at a time."


def finish(
    sweep: Sweep, status: str, only: set[str] | None = None, *, allow_model_change: bool = False
) -> int:
    """Print the table of a run that ended and write its report; return the exit code."""
    print()
    kept = sweep.kept() if sweep.unrecorded else []
    show(sweep.settings, sweep.experiment, only, kept, allow_model_change=allow_model_change)
    for error in sweep.unrecorded:
        logger.error("not recorded, but kept on disk: %s", error)
    return 0 if status == "ok" else 1


def show(
    settings: Settings,
    experiment: Experiment,
    only: set[str] | None = None,
    kept: Sequence[Outcome] = (),
    *,
    allow_model_change: bool = False,
) -> None:
    """Print and write the report.

    Args:
        settings: where the record is.
        experiment: whose trials.
        only: keys of the trials that are printed; the page shows all.
        kept: outcomes on disk, where the record may lack some of them.
        allow_model_change: show speed-ups although the fitted model changed along the sweep.

    Raises:
        ServiceError: the record cannot be read.
    """
    marked = allow_changes if allow_model_change else list
    uri = Cluster(settings).address("mlflow")
    about: dict[str, str] = {}
    view = ""
    try:
        recorder = open_recorder(settings, uri)
        about, recorded = recorder.outcomes(experiment.name)
        outcomes = marked(list(_together(recorded, kept)))
        found = Report.of(experiment, outcomes)
        view = recorder.show(experiment.name, shown_columns(outcomes))
    except RecordingError as error:
        if not kept:
            raise ServiceError(f"the record cannot be read: {error}") from error
        logger.error("the record cannot be read, this is what lies on disk here: %s", error)
        outcomes = marked(kept)
        found = Report.of(experiment, outcomes)
    shown = found if only is None else Report.of(experiment, [item for item in outcomes if item.key in only])
    print(shown.text())
    print()
    written = found.write(settings.run_dir / "reports")
    if about:
        with added():
            recorder.annotate(about["run_id"], found.markdown(), list(summary(found.outcomes)))
            recorder.attach(about["run_id"], written)
    print(f"page: {written[0]}\nnumbers: {written[1]}\nall reports: {written[0].with_name(INDEX)}")
    if view:
        address = uri or f"http://{settings.host}:{settings.of(MlflowSettings).port}"
        print(
            f"compare in MLflow: {'' if uri else 'make mlflow, then '}{address}/{view}&compareRunsMode=CHART"
        )


def _together(recorded: Sequence[Outcome], kept: Sequence[Outcome]) -> Iterator[Outcome]:
    """Yield the outcome of each trial, that on disk where the record has none or an earlier state of it."""
    known = {item.key: item for item in recorded}
    for item in kept:
        old = known.get(item.key)
        if old is None or old.worth < item.worth:
            known[item.key] = item
    yield from known.values()


@contextmanager
def added() -> Iterator[None]:
    """Add a report to the record; where that fails it is said, and the files are there all the same."""
    try:
        yield
    except RecordingError as error:
        logger.error("the report could not be added to the record, its files are whole: %s", error)
