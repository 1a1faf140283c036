"""Runs a search: a trial at a time, then the best settings on all of training, then the registry."""

import dataclasses
import logging
import time
from dataclasses import dataclass, field
from typing import Any

from cluster.settings import Settings
from core.errors import RecordingError
from experiments.record.recorder import Recorder
from experiments.record.registry import Registered, register
from experiments.results.outcome import Outcome
from experiments.run.harness import Harness
from experiments.run.progress import Progress
from experiments.run.runner import Sweep, open_recorder
from experiments.spec.experiment import Experiment
from experiments.spec.search_space import Search, registered_name
from experiments.spec.tables import short
from experiments.studies.search.best import VALIDATION, Tried, best, tried
from experiments.studies.search.samplers import sampler_of
from jobs.apps.train import MODEL_FOLDER
from jobs.modelling.export import FILE

logger = logging.getLogger(__name__)


@dataclass
class Searching:
    """One run of an experiment that searches.

    Attributes:
        sweeps: one for each trial, in order; the last is that of the best settings, if there are any.
        registered: the model, if it came to one.
        problems: why there is none, or what could not be recorded.
    """

    experiment: Experiment
    settings: Settings
    progress: Progress
    spec: str
    sweeps: list[Sweep] = field(default_factory=list)
    registered: Registered | None = None
    problems: list[str] = field(default_factory=list)

    def run(self) -> str:
        """Search, fit the best, register it.

        Returns:
            "ok" if there is a registered model in the end, else "failed"; trials that failed do not matter.

        Raises:
            As `experiments.run.runner.Sweep.run`.
        """
        search = self.experiment.search
        assert search is not None
        self.progress.total = search.trials + 1 if search.trials else 0
        with Harness(self.settings) as harness:
            trials = self._trials(harness, search)
            chosen = best(search, trials)
            if chosen is None:
                self.problems.append(_none(search, trials))
                return "failed"
            logger.info("best on the validation part: %s", _words(chosen, search))
            outcome = self._trial(harness, {**chosen.settings, "job.export": True})
        if outcome is None or outcome.status != "ok":
            self.problems.append("the best settings could not be fitted on all of training; see above")
            return "failed"
        return self._register(harness.cluster.address("mlflow"), outcome)

    def _trials(self, harness: Harness, search: Search) -> list[Tried]:
        sampler, begin = sampler_of(search), time.perf_counter()
        found: list[Tried] = []
        while search.trials is None or len(found) < search.trials:
            if search.minutes is not None and time.perf_counter() - begin > search.minutes * 60:
                logger.info("%g minutes are over: %d trials", search.minutes, len(found))
                break
            settings = sampler.ask()
            if settings is None:
                break
            outcome = self._trial(harness, {**settings, "job.part": VALIDATION})
            if outcome is None:
                break
            found.append(tried(search, outcome))
            sampler.tell(found[-1].score, found[-1].over_s)
        return found

    def _trial(self, harness: Harness, values: dict[str, Any]) -> Outcome | None:
        """Run one trial, or find what came of it earlier."""
        own = {key: value for key, value in self.experiment.fixed.items() if key not in values}
        labels = tuple(key for key in values if key in self.experiment.search.space)  # type: ignore[union-attr]
        single = dataclasses.replace(
            self.experiment,
            fixed={**own, **values},
            search=None,
            labelled=(*labels, *({"job.export"} & set(values))),
        )
        sweep = Sweep(single, self.settings, self.progress, self.spec, adds=True, quiet=True)
        self.sweeps.append(sweep)
        sweep.within(harness)
        self.problems += sweep.unrecorded
        if sweep.outcomes:
            return sweep.outcomes[-1]
        key = sweep.keyed[-1][0]
        recorder = self._recorder(harness.cluster.address("mlflow"))
        return next((item for item in recorder.outcomes(self.experiment.name)[1] if item.key == key), None)

    def _register(self, uri: str | None, outcome: Outcome) -> str:
        folder = outcome.folder(self.settings.run_dir)
        arrays = folder / f"app-{outcome.measured[-1].number}" / MODEL_FOLDER / FILE
        name = registered_name(self.experiment.name)
        try:
            recorder = self._recorder(uri)
            run_id = recorder.run_of(outcome)
            self.registered = register(recorder.tracking, run_id, arrays, name, self.experiment.question)
        except RecordingError as error:
            self.problems.append(f"the model could not be registered and stays in {arrays}: {error}")
            return "failed"
        logger.info("registered: %s (version %s)", self.registered.uri, self.registered.version)
        return "ok"

    def _recorder(self, uri: str | None) -> Recorder:
        return open_recorder(self.settings, uri)


def _none(search: Search, trials: list[Tried]) -> str:
    scored = [item for item in trials if item.score is not None]
    if not scored:
        return f"no trial has a {search.metric} on the validation part, so there is no best one"
    fastest = min(item.seconds for item in scored if item.seconds is not None)
    return (
        f"no trial stayed within {search.time_metric} {search.time_limit_s:g} s (fastest: {fastest:.2f} s); "
        "raise search.time_limit_s or search among cheaper settings"
    )


def _words(chosen: Tried, search: Search) -> str:
    settings = ", ".join(f"{short(key, chosen.settings)}={value}" for key, value in chosen.settings.items())
    return f"{settings}: {search.metric} {chosen.score:.4f}"
