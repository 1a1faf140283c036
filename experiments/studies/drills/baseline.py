"""The undisturbed trial: run now, or taken up from the record, with the rows that it stored."""

import dataclasses
import logging
import shutil
from pathlib import Path

from cluster.settings import Settings
from cluster.shape import default_shape
from core.errors import JobError, UsageError
from experiments.results.outcome import Outcome, stored
from experiments.run.harness import Harness
from experiments.run.progress import Progress
from experiments.run.runner import Sweep
from experiments.spec.experiment import Experiment
from experiments.spec.trial import Trial
from experiments.studies.drills import again, rows
from experiments.studies.drills.drill import Drill, Undisturbed, table_of
from experiments.studies.drills.rows import Rows
from experiments.studies.drills.tasks import read
from jobs.runtime.request import Request

logger = logging.getLogger(__name__)

_ROWS = "rows.json"


def trial_of(experiment: Experiment, settings: Settings) -> Trial:
    """Return the one trial of an experiment.

    Raises:
        UsageError: there are several, or it fits no model.
    """
    trials = experiment.trials(default_shape(settings))
    if len(trials) > 1:
        raise UsageError(
            f"a drill disturbs one trial, and {experiment.name} has {len(trials)}: "
            "copy the spec and keep one value of each key of its grid"
        )
    if experiment.job != "train":
        raise UsageError(
            f"a drill compares models, and the job {experiment.job} of {experiment.name} fits none: drill a spec of the job train"
        )
    return trials[0]


def fitted(experiment: Experiment, drill: Drill) -> Experiment:
    """Return the experiment with the values that a drill needs, and with applications of its own."""
    grid = {key: value for key, value in experiment.grid.items() if key not in drill.fixed}
    return dataclasses.replace(experiment, fixed={**experiment.fixed, **drill.fixed}, grid=grid, shared=False)


def undisturbed(experiment: Experiment, settings: Settings, progress: Progress, text: str) -> Undisturbed:
    """Run what is not finished of the trial, and return it with what it stored.

    Args:
        experiment: of one trial; `text` is its TOML.
        settings: where things are.
        progress: tells a person.
        text: see there.

    Raises:
        JobError: it fails by itself, or what it left on disk is gone.
        ServiceError: the cluster or MLflow is not there.
    """
    sweep = Sweep(experiment, settings, progress, text, adds=True)
    sweep.run()
    ((key, trial),) = sweep.keyed
    fresh = [item for item in sweep.outcomes if item.key == key]
    if fresh and fresh[-1].status != "ok":
        raise JobError(f"the trial fails undisturbed, so a drill would teach nothing: {fresh[-1].error}")
    folder, outcome = _kept(settings.run_dir / "experiments" / experiment.name, key, experiment.name)
    request = Request.load(folder / "app-0" / "request.json")
    table = table_of(trial)
    with Harness(settings) as harness:
        kept = _rows(harness, trial, request=request, folder=folder, table=table, fresh=bool(fresh))
    return Undisturbed(trial, outcome, request, folder / "app-0", kept, read(folder / "app-0" / "eventlog"))


def _kept(place: Path, key: str, name: str) -> tuple[Path, Outcome]:
    found = [
        (folder, outcome)
        for folder, outcome in stored(place)
        if outcome.key == key and outcome.status == "ok"
    ]
    whole = [item for item in found if (item[0] / "app-0" / "request.json").exists()]
    if not whole:
        raise JobError(
            f"the trial of {name} is finished in the record, but what it left in {place} is gone, and a drill needs it: "
            f"delete the trial's run in MLflow, then drill again"
        )
    return whole[-1]


def _rows(
    harness: Harness,
    trial: Trial,
    *,
    request: Request,
    folder: Path,
    table: str,
    fresh: bool,
) -> Rows | None:
    """Return the rows of this very trial: another one may have replaced them in the store since."""
    known = Rows.load(folder / _ROWS)
    if known is not None or trial.params.get("top_n", 10) == 0:
        return known
    if fresh:
        harness.reach(request.store)
        found = rows.read(request, table)
    else:
        logger.info("the stored rows of the undisturbed trial were not kept: it is run once more")
        harness.use(trial.shape)
        place = folder / "again"
        shutil.rmtree(place, ignore_errors=True)
        ran = again.run(harness, trial, again.own_tables(request, place), place)
        if not ran.ok:
            raise JobError(
                f"the trial fails undisturbed, so a drill would teach nothing: {ran.launched.result.error}"
            )
        found = rows.read(ran.request, table)
    if found is not None:
        found.save(folder / _ROWS)
    return found
