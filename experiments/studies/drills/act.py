"""The course of a drill on the workers: disturb, see what came of it, run again what failed, compare."""

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster.lifecycle import Cluster
from cluster.settings import Settings
from experiments.results.model_equality import SAME_MODEL, distance
from experiments.run import environment
from experiments.run.harness import Harness
from experiments.spec.trial import Trial
from experiments.studies.drills import rows, victims
from experiments.studies.drills.again import Ran, own_tables, run
from experiments.studies.drills.drill import Drilled, Ground
from experiments.studies.drills.fault import Fault
from experiments.studies.drills.rows import Rows
from jobs.runtime.request import Request

LEFT_S = 30.0
PHASE = "fit"


@dataclass
class Came:
    """Observations of a drill before it is judged; most attributes are those of `experiments.studies.drills.drill.Drilled`.

    `before` is what `experiments.studies.drills.rows.Rows.version` was before: rows of that version are not the drill's.
    """

    fault: Fault
    phase: str
    disturbed: Ran
    ended_s: float
    undisturbed_s: float
    before: str | None = None
    recovery_s: float | None = None
    recomputed_tasks: int = 0
    again: Ran | None = None
    differences: list[str] = field(default_factory=list)
    largest: float | None = None
    rows: int = 0
    left: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def on_workers(settings: Settings, trial: Trial, least: int = 1) -> str | None:
    """Say why processes of Spark cannot be killed here; None if they can."""
    if settings.spark.master is not None:
        return (
            f"the workers of {settings.spark.master} were not started here, and what was not started here is not "
            "killed; unset spark.master (RECSCALE_SPARK_MASTER) to drill on a cluster of our own"
        )
    if trial.shape.workers < least:
        return f"it needs {least} workers, of which one is killed, and the trial has {trial.shape.workers}: set workers = {least}"
    return None


def disturb(
    ground: Ground, harness: Harness, hit: Callable[[], str], mend: Callable[[], None] | None = None
) -> Came:
    """Run the trial's application with tables of its own, and strike in the middle of its measured fit.

    Raises:
        JobError: it was over before the fault, or there was nothing to hit.
    """
    trial, usual = ground.undisturbed.trial, ground.undisturbed.seconds(PHASE)
    fault = Fault(PHASE, trial.warmups, usual, hit, mend, ground.progress.follow)
    request = own_tables(ground.undisturbed.request, ground.folder)
    stood = rows.read(request, ground.undisturbed.table)
    ran = applied(ground, harness, request, "disturbed", fault)
    ended = time.perf_counter() - fault.struck()
    return Came(fault, PHASE, ran, ended, usual, stood.version if stood else None)


def applied(ground: Ground, harness: Harness, request: Request, name: str, fault: Fault | None = None) -> Ran:
    """Run one application of a drill, and say so."""
    progress = ground.progress
    progress.start(f"{ground.kind}, {name}")
    ran = run(harness, ground.undisturbed.trial, request, ground.folder / name, fault or progress.follow)
    progress.end("ok" if ran.ok else "failed", counted=False)
    return ran


def compared(ground: Ground, harness: Harness, came: Came) -> Came:
    """Run again what failed, and hold what stands there in the end against the undisturbed trial."""
    last = came.disturbed
    if not last.ok:
        harness.use(ground.undisturbed.trial.shape)
        last = came.again = applied(ground, harness, last.request, "again")
        came.recomputed_tasks = came.disturbed.tasks.succeeded
    elif not came.recomputed_tasks:
        more = last.tasks.succeeded - ground.undisturbed.tasks.succeeded
        came.recomputed_tasks = max(0, more)
    if last.ok:
        held(
            ground, came, last.launched.result.fingerprint, rows.read(last.request, ground.undisturbed.table)
        )
    return came


def held(ground: Ground, came: Came, fingerprint: Sequence[float], stored: Rows | None) -> None:
    """Compare a model and the rows that it stored with the undisturbed trial's."""
    undisturbed = ground.undisturbed
    came.largest, changed = model_differs(undisturbed.fingerprint, fingerprint)
    came.differences += changed
    if undisturbed.rows is not None:
        found = rows.differences(undisturbed.rows, stored, undisturbed.table)
        if stored and stored.version == came.before:
            found.append(f"{undisturbed.table}: it was not written anew")
        came.differences += found
        came.rows = stored.count if stored else 0
        places = rows.exchanged(undisturbed.rows, stored) if stored and not found else 0
        if places:
            came.notes.append(f"{places} places of lists hold another item with the same score within 1e-4")


def model_differs(first: Sequence[float], second: Sequence[float]) -> tuple[float | None, list[str]]:
    """Return the largest difference of two fingerprints, and a sentence if they are of two models."""
    largest = distance(first, second)
    if math.isinf(largest):
        return None, [f"model: {len(first)} and {len(second)} predictions cannot be compared"]
    return largest, [] if largest <= SAME_MODEL else [f"model: predictions differ by up to {largest:.2g}"]


def swept(ground: Ground, came: Came) -> None:
    """See that nothing of the disturbed application runs any more."""
    _, came.left = victims.gone(lambda: victims.leftovers(ground.settings.run_dir), LEFT_S)


def drilled(ground: Ground, came: Came, **changes: Any) -> Drilled:
    """Put together what is kept of a drill."""
    undisturbed, fault, ran = ground.undisturbed, came.fault, came.disturbed
    backend = undisturbed.trial.shape.backend or ground.settings.backend
    under = dataclasses.replace(ground.settings, backend=backend)
    values: dict[str, Any] = {
        "victim": fault.victim,
        "phase": came.phase,
        "after_s": fault.after_s,
        "status": "ok" if ran.ok else "failed",
        "error": ran.launched.result.error,
        "ended_s": came.ended_s,
        "recovery_s": came.recovery_s,
        "recomputed_tasks": came.recomputed_tasks,
        "failed_tasks": ran.tasks.failed,
        "executors_lost": len(ran.tasks.lost),
        "undisturbed_s": came.undisturbed_s,
        "disturbed_s": ran.seconds(came.phase, fault.pass_),
        "rerun_s": came.again.launched.seconds if came.again else None,
        "rerun_status": came.again.launched.status if came.again else "",
        "differences": came.differences,
        "largest_difference": came.largest,
        "rows": came.rows,
        "left": came.left,
        "notes": came.notes,
    } | changes
    return Drilled(
        kind=ground.kind,
        attempt=ground.attempt,
        experiment=ground.experiment.name,
        key=undisturbed.outcome.key,
        label=undisturbed.trial.label,
        shape=dataclasses.asdict(undisturbed.trial.shape),
        environment=environment.describe(Cluster(under).driver_host),
        basis=undisturbed.outcome.basis,
        values=undisturbed.outcome.values,
        at=time.time(),
        **values,
    )
