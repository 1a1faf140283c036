"""MLflow's server is killed while a trial runs: its result waits on disk and is sent by the next run, once."""

import dataclasses
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from cluster.lifecycle import Cluster
from cluster.services.mlflow import MlflowSettings
from cluster.settings import Settings
from core.errors import JobError
from experiments.results.events import Event
from experiments.results.parts import Launched
from experiments.run.progress import Progress
from experiments.run.runner import Sweep, open_recorder
from experiments.spec.experiment import Experiment
from experiments.spec.trial import Trial
from experiments.studies.drills import act, rows, victims
from experiments.studies.drills.again import Ran
from experiments.studies.drills.drill import Drilled, Ground
from experiments.studies.drills.fault import Fault
from experiments.studies.drills.record import DrillRecorder
from experiments.studies.drills.tasks import read
from jobs.runtime.request import Request, Result

_MARK = "spark.recscale.drill"


class _Following(Progress):
    """Shows a sweep's progress as the drill's own does, and lets the fault follow its application."""

    def __init__(self, fault: Fault) -> None:
        super().__init__()
        self._blow = fault

    def follow(self, event: Event) -> None:
        super().follow(event)
        self._blow(event)


class Mlflow:
    """The trial is run and recorded as an experiment of its own, which is removed from MLflow's list afterwards."""

    what = "MLflow's server, started again after the trial"
    recovered = "the result, sent by the next run after the server was started again, stands in the record"
    fixed: Mapping[str, Any] = MappingProxyType({})

    def refusal(self, settings: Settings, trial: Trial) -> str | None:
        if settings.of(MlflowSettings).uri is not None:
            return (
                f"the server {settings.of(MlflowSettings).uri} was not started here, and what was not started here is not killed; "
                "unset mlflow.uri (RECSCALE_MLFLOW_URI) to drill on a server of our own"
            )
        if settings.backend == "docker":
            return "Docker starts the server again before anybody misses it: --cluster-set backend=local"
        return act.on_workers(settings, trial)

    def run(self, ground: Ground) -> Drilled:
        cluster = Cluster(ground.settings)
        started = cluster.up({"mlflow"})
        try:
            came = self._drilled(ground, cluster)
        finally:
            if "mlflow" in started:
                cluster.down({"mlflow"})
        return act.drilled(ground, came, status="ok")

    def _drilled(self, ground: Ground, cluster: Cluster) -> act.Came:
        undisturbed = ground.undisturbed
        usual = undisturbed.seconds(act.PHASE)
        fault = Fault(act.PHASE, undisturbed.trial.warmups, usual, lambda: _hit(ground.settings))
        experiment = _marked(ground)
        sweep = Sweep(experiment, ground.settings, _Following(fault), "")
        before = rows.read(undisturbed.request, undisturbed.table)
        sweep.run()
        ended = time.perf_counter() - fault.struck()
        ran = _ran(sweep, ground)
        came = act.Came(fault, act.PHASE, ran, ended, usual, before.version if before else None)
        act.held(
            ground, came, ran.launched.result.fingerprint, rows.read(undisturbed.request, undisturbed.table)
        )
        if not sweep.unrecorded:
            came.differences.append("record: nobody was told that the result could not be recorded")
        cluster.up({"mlflow"})
        (key,) = (key for key, _ in sweep.keyed)
        recorder = DrillRecorder(open_recorder(ground.settings, cluster.address("mlflow")))
        if recorder.count(experiment.name, key):
            came.differences.append("record: the trial stood there before it was sent")
        again = Sweep(experiment, ground.settings, ground.progress, "")
        again.run()
        came.recovery_s = time.perf_counter() - fault.struck()
        came.notes.append(f"the trial itself ended {ended:.1f} s after the fault, as if nothing had happened")
        came.differences += _once(ground, recorder, again, key)
        return came


def _hit(settings: Settings) -> str:
    count = victims.kill(victims.service(settings.run_dir, "mlflow"))
    return f"mlflow ({count} processes)"


def _marked(ground: Ground) -> Experiment:
    """Return the trial as an experiment of another name, and with a key of its own, so that it is to be run."""
    fixed = {**ground.experiment.fixed, _MARK: ground.attempt}
    name = f"{ground.experiment.name}-mlflow-drill"
    return dataclasses.replace(ground.experiment, name=name, fixed=fixed, applications=1)


def _ran(sweep: Sweep, ground: Ground) -> Ran:
    """Return the sweep's only application as the other drills have theirs.

    Raises:
        JobError: it did not end well, which has nothing to do with MLflow.
    """
    outcome = sweep.outcomes[-1] if sweep.outcomes else None
    if outcome is None or outcome.status != "ok":
        why = outcome.error if outcome else "it was not run"
        raise JobError(f"the trial did not end well while MLflow's server was gone: {why}")
    folder = outcome.folder(ground.settings.run_dir) / "app-0"
    first = outcome.applications[0]
    result = Result(outcome.job, "ok", phases=first.phases, fingerprint=first.fingerprint)
    launched = Launched(result, "ok", first.ready_s, first.start_s, first.stop_s, first.seconds, first.died)
    return Ran(Request.load(folder / "request.json"), folder, launched, read(folder / "eventlog"))


def _once(ground: Ground, recorder: DrillRecorder, again: Sweep, key: str) -> list[str]:
    """Say what is wrong with the record: it must hold the trial once, and a further run must add nothing."""
    name = again.experiment.name
    wrong = ["trial: it was run a second time"] if again.outcomes else []
    counts = [recorder.count(name, key)]
    Sweep(again.experiment, ground.settings, ground.progress, "").run()
    counts.append(recorder.count(name, key))
    for which, count in zip(("the next run", "one more"), counts, strict=True):
        if count != 1:
            wrong.append(f"record: the trial stands there {count} times after {which}")
    recorder.forget(name)
    return wrong


DRILL = Mlflow()
