"""Runs the trials of an experiment that are not finished, in turns, and has each recorded as it ends."""

import logging
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cluster.settings import Settings
from core.errors import RecordingError, ServiceError
from experiments.record.parent_run import Parent
from experiments.results.outcome import Outcome, new_attempt, stored
from experiments.run import environment
from experiments.run.applications import Applications
from experiments.run.conditions import basis, common, conditions, where
from experiments.run.harness import Harness, Met
from experiments.run.identity import code_hash, lock_hash
from experiments.run.pending import Pending, applications, take_up
from experiments.run.prepare import Prepared, locate, prepare
from experiments.run.progress import Progress
from experiments.run.requests import store_of
from experiments.spec.experiment import Experiment
from experiments.spec.trial import Trial

if TYPE_CHECKING:
    from experiments.record.recorder import Recorder  # MLflow takes seconds to import: see `open_recorder`

logger = logging.getLogger(__name__)


@dataclass
class Sweep:
    """One run of an experiment.

    Attributes:
        tags: further texts for every trial, as of a data set that stands in for another.
        adds: keep the trials that the record already lists (single trials, one at a time).
        quiet: do not say how many trials there are.
        keyed: the trials with their keys, known once the data is prepared.
        outcomes: of the trials that were run now.
        places: what times depend on besides the trial, by the backends of its shapes.
        met: the services that the trials use, known with the keys.
        unrecorded: why results could not be recorded; they are on disk and will be with the next run.
    """

    experiment: Experiment
    settings: Settings
    progress: Progress
    spec: str
    tags: dict[str, str] = field(default_factory=dict)
    adds: bool = False
    quiet: bool = False
    outcomes: list[Outcome] = field(default_factory=list)
    prepared: dict[str, Prepared] = field(default_factory=dict)
    unrecorded: list[str] = field(default_factory=list)
    keyed: list[tuple[str, Trial]] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)
    met: Met | None = None

    def run(self) -> Literal["ok", "failed"]:
        """Run what is not finished; the record holds all when this returns.

        Returns:
            "failed" if a trial failed or could not be recorded.

        Raises:
            KeyboardInterrupt: after what was measured has been recorded and all that was started was stopped.
            ServiceError: the cluster or MLflow is not there; what was measured has been recorded.
            UsageError, DataError, JobError: before any trial.
        """
        with Harness(self.settings) as harness:
            return self.within(harness)

    def within(self, harness: Harness) -> Literal["ok", "failed"]:
        """Run on a cluster that is lent already; as `run`."""
        trials = [_stored(trial, harness) for trial in self.experiment.trials(harness.default_shape)]
        shapes = [trial.shape for trial in trials]
        for data in {trial.data.slug: trial.data for trial in trials if trial.data}.values():
            locate(data, self.settings)  # all of them, before anything is started for the first
        for trial in trials:
            if trial.data and trial.data.slug not in self.prepared:
                self.prepared[trial.data.slug] = prepare(trial.data, harness, shapes, trial.spark)
        self.places = {
            backend: environment.place_hash(
                self.settings.spark.driver_memory,
                harness.driver_host(backend),
                environment.of_workers(self.settings),
            )
            for backend in {shape.backend for shape in shapes}
        }
        self.met = harness.met({store_of(trial) for trial in trials})
        self.keyed = [(self._key(trial), trial) for trial in trials]
        return self._recorded(harness, self.keyed)

    def kept(self) -> list[Outcome]:
        """Return the best attempt on disk at each of its trials, in the spec's order; what did not end is left out."""
        ended = [outcome for _, outcome in stored(self._folder) if outcome.status != "running"]
        best = {item.key: item for item in sorted(ended, key=lambda item: item.worth)}
        return [best[key] for key, _ in self.keyed if key in best]

    def _recorded(self, harness: Harness, trials: Sequence[tuple[str, Trial]]) -> Literal["ok", "failed"]:
        try:
            recorder = open_recorder(self.settings, harness.cluster.address("mlflow"))
            self._catch_up(recorder)
            parent = recorder.open(
                self.experiment.name, self._basis(), [key for key, _ in trials], self._about()
            )
            finished = recorder.finished(self.experiment.name, self.experiment.applications)
        except RecordingError as error:
            raise ServiceError(
                f"{error}\nNothing was run: start MLflow (make setup) or name another."
            ) from error
        todo = [(key, trial) for key, trial in trials if key not in finished]
        self._announce(parent, len(trials), len(todo))
        status: Literal["ok", "failed", "killed"] = "killed"
        try:
            self._sweep(harness, recorder, parent, todo)
            status = "failed" if self.unrecorded or any(o.status != "ok" for o in self.outcomes) else "ok"
        finally:
            self._try(lambda: recorder.close(parent, status))
        return status

    def _sweep(
        self, harness: Harness, recorder: "Recorder", parent: Parent, todo: Sequence[tuple[str, Trial]]
    ) -> None:
        described = {backend: environment.describe(harness.driver_host(backend)) for backend in self.places}
        pending = [self._pending(key, trial, described[trial.shape.backend]) for key, trial in todo]
        for item in pending:
            known = [done.seconds for done in item.outcome.applications]
            self.progress.expect(item.trial.label, max(0, item.trial.applications - len(known)), known)
            if not item.open:
                self._finish(recorder, parent, item)
        try:
            shape = None
            running = Applications(harness, self.experiment.name, self._folder, self.prepared, self.progress)
            for round_id, items in applications(pending, new_attempt()):
                if items[0].trial.shape != shape or (not harness.external and harness.cluster.died()):
                    shape = items[0].trial.shape
                    harness.use(shape)
                running.run(items, round_id)
                for item in items:
                    if not item.open:
                        self._finish(recorder, parent, item)
                if any(item.outcome.status == "killed" for item in items):
                    raise KeyboardInterrupt
        finally:
            for item in pending:
                if item.open and item.outcome.applications:
                    item.outcome = item.outcome.interrupted()
                    self._finish(recorder, parent, item)

    def _finish(self, recorder: "Recorder", parent: Parent, item: Pending) -> None:
        item.outcome.save(item.folder)
        self.outcomes.append(item.outcome)
        self._try(lambda: recorder.record(item.outcome, item.folder, parent))

    def _pending(self, key: str, trial: Trial, described: dict[str, Any]) -> Pending:
        data = self.prepared[trial.data.slug].described if trial.data else {}
        context = {
            "shape_tag": environment.shape_tag(trial.shape, self.settings),
            "basis": self._basis(),
            "data": data,
            "environment": {
                **described,
                **environment.pins(trial.shape),
                **environment.of_workers(self.settings),
                **where(self._met.settings),
                "services.beside": ", ".join(self._met.beside),
            },
            "tags": self.tags,
        }
        return take_up(self._folder, self.experiment.name, trial, key, context)

    def _catch_up(self, recorder: "Recorder") -> None:
        """Record what an earlier run measured but could not record."""
        known = recorder.recorded(self.experiment.name)
        for folder, outcome in stored(self._folder):
            if outcome.status == "running" or known.get(outcome.attempt, -1) >= outcome.revision:
                continue
            try:
                parent = recorder.open(outcome.experiment, outcome.basis, [], {})
                recorder.record(outcome, folder, parent)
            except RecordingError:
                raise
            except Exception as error:  # noqa: BLE001 - as of `_try`
                self._unrecorded(folder, error)
                continue
            logger.info("recorded now what an earlier run measured: %s (%s)", outcome.label, outcome.status)

    def _try(self, record: Any) -> None:
        """Record what was measured; whatever is wrong with the record, or with us, must not end what goes on being measured."""
        try:
            record()
        except RecordingError as error:
            self.unrecorded.append(str(error))
            logger.warning(
                "could not be recorded, stays in %s and will be with the next run: %s", self._folder, error
            )
        except Exception as error:  # noqa: BLE001 - a fault of this program, which is shown whole
            self._unrecorded(self._folder, error)

    def _unrecorded(self, folder: Path, error: Exception) -> None:
        """Say that a fault of this program kept a result out of the record."""
        logger.error("".join(traceback.format_exception(error)).rstrip())
        self.unrecorded.append(f"{type(error).__name__}: {error}")
        logger.warning(
            "could not be recorded because of a fault of recscale (see above), and stays in %s; "
            "please report it with the lines above", folder,
        )  # fmt: skip

    def _announce(self, parent: Parent, total: int, todo: int) -> None:
        for why in parent.why:
            logger.info("a new parent run was opened: %s since the last one", why)
        if self.quiet:
            return
        done = f", {total - todo} finished before and skipped" if todo < total else ""
        logger.info("%s: %d trials%s, %d to run", self.experiment.name, total, done, todo)

    def _key(self, trial: Trial) -> str:
        data = self.prepared[trial.data.slug].identity if trial.data else ""
        used = conditions(self._met.settings, trial, store_of(trial), self._met.otherwise)
        return trial.key(data, code_hash(), lock_hash(), self.places[trial.shape.backend], used)

    def _basis(self) -> dict[str, Any]:
        data = {slug: prepared.digest for slug, prepared in self.prepared.items()}
        place = " ".join(sorted(self.places.values()))
        shared = common(self._met.settings, {store_of(trial) for _, trial in self.keyed})
        return basis(code_hash(), lock_hash(), place, data, shared)

    def _about(self) -> dict[str, str]:
        about = {"question": self.experiment.question, "spec": self.spec}
        return about | ({"adds": "yes"} if self.adds else {})

    @property
    def _met(self) -> Met:
        return self.met or Met(self.settings)

    @property
    def _folder(self) -> Path:
        return self.settings.run_dir / "experiments" / self.experiment.name


def _stored(trial: Trial, harness: Harness) -> Trial:
    """Fill in the store where the spec leaves it open."""
    if trial.data is None or trial.data.store:
        return trial
    return replace(trial, data=replace(trial.data, store=harness.default_store))


def open_recorder(settings: Settings, uri: str | None) -> "Recorder":
    """Record to MLflow's server where there is one, else to a database in the run folder.

    Raises:
        RecordingError: it does not open.
    """
    from experiments.record.recorder import Recorder  # noqa: PLC0415 - an error of usage must not wait for MLflow's import

    if uri is not None:
        return Recorder(uri, None)
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    folder = settings.run_dir.resolve()
    return Recorder(f"sqlite:///{folder / 'mlflow.db'}", folder / "mlartifacts")
