"""Interface of a drill: its kinds, its inputs and its result."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from cluster.settings import Settings
from experiments.results.metrics import medians
from experiments.results.outcome import Outcome
from experiments.run.progress import Progress
from experiments.spec.experiment import Experiment
from experiments.spec.trial import Trial
from experiments.studies.drills.rows import Rows
from experiments.studies.drills.tasks import Tasks
from jobs.runtime.request import Request

Verdict = Literal[
    "survived, same result",
    "failed cleanly, re-run gives the same result",
    "result differs",
    "did not recover",
    "left processes behind",
]
GOOD: tuple[Verdict, ...] = ("survived, same result", "failed cleanly, re-run gives the same result")


def table_of(trial: Trial) -> str:
    """Return the name of the table of recommendations that a trial stores."""
    return f"recommendations_{trial.model_name}"


@dataclass(frozen=True)
class Undisturbed:
    """The trial as it goes when nothing is killed: what a drill's result is held against.

    Attributes:
        request: of its first application; folder: where that ran.
        rows: of the recommendations that it stored; None if its parameters ask for none.
        tasks: of that application.
    """

    trial: Trial
    outcome: Outcome
    request: Request
    folder: Path
    rows: Rows | None
    tasks: Tasks

    @property
    def table(self) -> str:
        """Name of the table that the trial stores."""
        return table_of(self.trial)

    @property
    def fingerprint(self) -> list[float]:
        """Predictions of its model on fixed pairs."""
        return self.outcome.measured[0].fingerprint

    def seconds(self, phase: str) -> float:
        """Return what a phase took."""
        found = medians(self.outcome, phase)
        return found[0] if found else 0.0


@dataclass(frozen=True)
class Ground:
    """Inputs of a drill; `folder` is its own, for everything that it leaves on disk."""

    kind: str
    attempt: str
    experiment: Experiment
    settings: Settings
    progress: Progress
    folder: Path
    undisturbed: Undisturbed


@dataclass(frozen=True)
class Drilled:
    """Result of a drill.

    Attributes:
        kind: key in `experiments.studies.drills.kinds.DRILLS`; attempt: of this drill, never taken twice.
        experiment, key, label, shape: of the trial; the shape as an outcome has it.
        victim: what was killed; phase: in which phase of the trial, after_s: seconds after the phase's begin.
        status: of what was disturbed; error: why it failed.
        ended_s: seconds from the fault to the end of what was disturbed.
        recovery_s: seconds from the fault until what the drill's `recovered` says; None if that was not seen.
        recomputed_tasks: tasks whose work was done twice; failed_tasks: attempts that did not end well.
        executors_lost: by the event log of the disturbed application.
        undisturbed_s, disturbed_s: of the phase; the second is None if it did not end.
        rerun_s: seconds of the application that was run again; None if none was.
        rerun_status: how that ended, empty if there was none.
        differences: how the result differs from the undisturbed one.
        largest_difference: between two predictions of the same pair; None where they cannot be compared.
        rows: of the trial's table in the end.
        left: processes that the disturbed application left behind.
        notes: further sentences for a reader.
        environment: as of an outcome. at: time of day of the end.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}  # a name that it does not know is an error

    kind: str
    attempt: str
    experiment: str
    key: str
    label: str
    shape: dict[str, Any]
    victim: str
    phase: str
    after_s: float
    status: Literal["ok", "failed"]
    error: str | None
    ended_s: float
    recovery_s: float | None
    recomputed_tasks: int
    failed_tasks: int
    executors_lost: int
    undisturbed_s: float
    disturbed_s: float | None
    rerun_s: float | None
    rerun_status: str
    differences: list[str]
    largest_difference: float | None
    rows: int
    left: list[str]
    notes: list[str]
    environment: dict[str, Any]
    basis: dict[str, Any]
    values: dict[str, Any]
    at: float

    @property
    def verdict(self) -> Verdict:
        """Verdict on a drill. A repetition that fails, or a process left behind, is no recovery, whatever the rows say."""
        if self.status != "ok" and self.rerun_status != "ok":
            return "did not recover"
        if self.differences:
            return "result differs"
        if self.left:
            return "left processes behind"
        return GOOD[0] if self.status == "ok" else GOOD[1]

    @property
    def good(self) -> bool:
        """Whether the result is the undisturbed one and nothing stayed behind."""
        return self.verdict in GOOD


class Drill(Protocol):
    """One kind of drill. One file in `experiments/studies/drills/kinds` binds an instance to DRILL."""

    @property
    def what(self) -> str:
        """Description of the process that is killed."""

    @property
    def recovered(self) -> str:
        """Event at which the recovery time ends."""

    @property
    def fixed(self) -> Mapping[str, Any]:
        """Values that the trial must have for it, over those of the spec."""

    def refusal(self, settings: Settings, trial: Trial) -> str | None:
        """Say why it cannot be done here, None if it can."""

    def run(self, ground: Ground) -> Drilled:
        """Disturb the trial once.

        Raises:
            JobError: the fault found nothing to hit.
            ServiceError: what was killed did not come up again.
        """
