"""Runs drills one after another on one trial, and keeps and records what came of each."""

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cluster.lifecycle import Cluster
from cluster.settings import PARQUET, Settings
from core.errors import RecordingError, UsageError
from experiments.results.outcome import Outcome, new_attempt
from experiments.run.progress import Progress
from experiments.run.stores import as_running
from experiments.spec.experiment import Experiment
from experiments.spec.trial import Trial
from experiments.studies.drills.baseline import fitted, trial_of, undisturbed
from experiments.studies.drills.drill import Drilled, Ground, Undisturbed
from experiments.studies.drills.kinds import DRILLS
from experiments.studies.drills.record import keep, kept, record_missing
from jobs.stores import STORAGES

logger = logging.getLogger(__name__)


@dataclass
class Session:
    """Drills on the one trial of an experiment; `text` is its TOML, `done` are those of the last run."""

    experiment: Experiment
    settings: Settings
    progress: Progress
    text: str
    unrecorded: str = ""
    done: list[Drilled] = field(default_factory=list)
    _known: dict[str, Undisturbed] = field(default_factory=dict)

    def run(self, kinds: Sequence[str], *, leave_out: bool = False) -> int:
        """Run these drills; return 0 if each ended with the undisturbed result, 1 if one did not or was not recorded.

        Args:
            kinds: keys of DRILLS.
            leave_out: pass over those that cannot be done here instead of refusing.

        Raises:
            UsageError: one cannot be done here, and nothing was started.
            JobError, ServiceError: as of `experiments.studies.drills.drill.Drill.run`.
        """
        wanted = [kind for kind in kinds if self._possible(kind, leave_out=leave_out)]
        if not wanted:
            raise UsageError("none of the drills can be done here (see above)")
        self.done = []
        with self._lent(trial_of(fitted(self.experiment, DRILLS[wanted[0]]), self.settings)):
            for kind in wanted:
                with self._store(kind) as settings:
                    self.done.append(self._drill(kind, settings))
                self._record()
        return 0 if all(item.good for item in self.done) and not self.unrecorded else 1

    def _possible(self, kind: str, *, leave_out: bool) -> bool:
        drill = DRILLS[kind]
        refused = drill.refusal(self.settings, trial_of(fitted(self.experiment, drill), self.settings))
        if refused and not leave_out:
            raise UsageError(f"no drill {kind}: {refused}")
        if refused:
            logger.warning("left out %s: %s", kind, refused)
        return not refused

    def _drill(self, kind: str, settings: Settings) -> Drilled:
        drill = DRILLS[kind]
        experiment = fitted(self.experiment, drill)
        basis = self._undisturbed(experiment, kind, settings)
        attempt = new_attempt()
        folder = self._place / f"{attempt}-{kind}"
        folder.mkdir(parents=True)
        logger.info("drill %s: %s", kind, drill.what)
        progress = Progress(total=1)
        ground = Ground(kind, attempt, experiment, settings, progress, folder, basis)
        drilled = drill.run(ground)
        keep(drilled, folder)
        logger.info("drill %s: %s", kind, drilled.verdict)
        return drilled

    def _undisturbed(self, experiment: Experiment, kind: str, settings: Settings) -> Undisturbed:
        """Return the trial as a drill needs it, run once for all drills that need the same."""
        name = str(DRILLS[kind].fixed)
        if name not in self._known:
            self._known[name] = undisturbed(experiment, settings, self.progress, self.text)
        return self._known[name]

    def _record(self) -> None:
        """Record what the record lacks, that of earlier drills too."""
        try:
            uri = Cluster(self.settings).address("mlflow")
            record_missing(self.settings, uri, self.experiment.name, self._place)
            self.unrecorded = ""
        except RecordingError as error:
            self.unrecorded = str(error)
            logger.warning(
                "could not be recorded, stays in %s and will be with the next drill: %s", self._place, error
            )

    @property
    def outcome(self) -> Outcome:
        """The undisturbed trial."""
        return next(iter(self._known.values())).outcome

    def newest(self) -> list[Drilled]:
        """Return the newest drill of each kind of these trials, those of earlier sessions too."""
        keys = {item.outcome.key for item in self._known.values()}
        return list({item.kind: item for _, item in kept(self._place) if item.key in keys}.values())

    @property
    def _place(self) -> Path:
        return self.settings.run_dir / "experiments" / self.experiment.name / "drills"

    @contextmanager
    def _store(self, kind: str) -> Iterator[Settings]:
        """Keep up the service of a drill's store, and leave it as it was; give the settings that describe it."""
        trial = trial_of(fitted(self.experiment, DRILLS[kind]), self.settings)
        store = (
            trial.data.store if trial.data is not None else ""
        )  # empty: the harness says later, and starts nothing
        storage = STORAGES[store or PARQUET]
        if not storage.service:
            yield self.settings
            return
        cluster = Cluster(self.settings)
        ran = cluster.endpoint(storage.service)
        try:
            found = cluster.ensure(storage.service)
            yield as_running(self.settings, storage, found)
        finally:
            if not ran:
                cluster.down({storage.service})

    @contextmanager
    def _lent(self, trial: Trial) -> Iterator[None]:
        """Keep one cluster up over all drills, in the trial's shape, and leave what ran before as it was."""
        shape = trial.shape
        settings = dataclasses.replace(
            shape.of(self.settings), backend=shape.backend or self.settings.backend
        )
        cluster = Cluster(settings)
        if "spark-master" in {item.name for item in cluster.status() if item.state == "running"}:
            yield
            return
        self.settings = settings
        try:
            cluster.reshape(shape)
            yield
        finally:
            cluster.down({"spark"})
