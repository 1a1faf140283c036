"""Outcome of a trial, as one JSON file on disk: the source of MLflow runs and reports."""

import dataclasses
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from cluster.shape import Shape
from core.errors import UnreadableError
from core.versioned import Kind, left_out
from experiments.results.checked import checked
from experiments.results.parts import Launched
from experiments.spec import older
from experiments.spec.trial import Trial
from jobs.runtime.request import PhasePass, PhaseTime, Window

FILE = "outcome.json"


@dataclass(frozen=True)
class Share:
    """Which of the trials that ran in one application a trial was: the `place`-th of `of`, from 1."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}  # a name that it does not know is an error

    place: int
    of: int


@dataclass(frozen=True)
class Application:
    """One application of a trial: what the job answered, and what the harness and Spark's event log saw.

    Of an application that several trials shared it is the trial's part alone; `share` is None otherwise.

    `ready_s`, `start_s` and `stop_s` are seconds as in `experiments.run.launcher.Launched`, `died` names lost workers, `telemetry` is `experiments.telemetry.telemetry.Telemetry.digest`,
    `kept_s` seconds that reading the event log and keeping all of it on disk took. Applications of different trials with
    the same `round_id` ran in the same round of one run and may be paired; None where nobody noted it. `warnings` are the
    job's (`jobs.runtime.request.Result`).
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}  # a name that it does not know is an error

    number: int
    status: Literal["ok", "failed", "killed"]
    error: str | None
    phases: list[PhaseTime]
    metrics: dict[str, float]
    counts: dict[str, int]
    fingerprint: list[float]
    info: dict[str, str]
    table: list[list[Any]]
    ready_s: float | None
    start_s: float | None
    stop_s: float | None
    seconds: float
    died: list[str]
    telemetry: dict[str, Any]
    kept_s: float | None = None
    round_id: str | None = None
    warnings: list[str] = field(default_factory=list)
    share: Share | None = None
    windows: list[Window] = field(default_factory=list)
    series: dict[str, list[tuple[int, float]]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, number: int, launched: Launched, telemetry: dict[str, Any], share: Share | None = None
    ) -> "Application":
        """Put together what the launcher and the event log tell."""
        result = launched.result
        return cls(
            number=number,
            status=launched.status,
            error=result.error,
            phases=result.phases,
            metrics=result.metrics,
            counts=result.counts,
            fingerprint=result.fingerprint,
            info=result.info,
            table=result.table,
            ready_s=launched.ready_s,
            start_s=launched.start_s,
            stop_s=launched.stop_s,
            seconds=launched.seconds,
            died=launched.died,
            telemetry=telemetry,
            warnings=result.warnings,
            share=share,
            windows=result.windows,
            series=result.series,
        )

    @property
    def executors_lost(self) -> int:
        """Executors that went away while it ran, by Spark's log and by the dead workers that the harness saw."""
        return max(len(self.telemetry.get("executors_lost", ())), len(self.died))

    def cost_of(self, phase: str, pass_: int) -> Mapping[str, float]:
        """Return what the tasks of one pass of a phase cost; nothing where the event log does not tell."""
        return self._told_of("groups", phase, pass_)

    def resident_of(self, phase: str, pass_: int) -> Mapping[str, float]:
        """Return the most bytes that its executors had in one pass of a phase; nothing where nobody looked."""
        return self._told_of("resident", phase, pass_)

    def _told_of(self, part: str, phase: str, pass_: int) -> Mapping[str, float]:
        found: Mapping[str, float] = self.telemetry.get(part, {}).get(str(PhasePass(phase, pass_)), {})
        return found


@dataclass(frozen=True)
class Outcome:
    """A trial with what was measured of it.

    Attributes:
        key: of the trial; attempt: of this try at it (a failed trial that is run again makes another one).
        status: "running" until all applications ended well, one failed, or a person interrupted.
        values: every value that defines the trial, by its dotted name.
        basis: what the key was made of: {"code", "lock", "place", "data": {slug: digest}}.
        data: of the data set: name, digest, rows, scale; empty where the job makes its own.
        tags: further texts, as of a data set that stands in for another.
        revision: counts the states that were worth recording.
        ended_at: time of day (seconds since 1970) of the last change.
        recording_s: seconds that recording it took; known only where it is read back from the record.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}  # a name that it does not know is an error

    experiment: str
    key: str
    attempt: str
    job: str
    label: str
    values: dict[str, Any]
    shape: dict[str, Any]
    shape_tag: str
    wanted: int
    repeats: int
    warmups: int
    basis: dict[str, Any]
    data: dict[str, Any]
    environment: dict[str, Any]
    tags: dict[str, str] = field(default_factory=dict)
    status: Literal["running", "ok", "failed", "killed"] = "running"
    error: str | None = None
    applications: list[Application] = field(default_factory=list)
    revision: int = 0
    ended_at: float = 0.0
    recording_s: float | None = None

    @property
    def measured(self) -> list[Application]:
        """The applications that ended well."""
        return [item for item in self.applications if item.status == "ok"]

    def folder(self, run_dir: Path) -> Path:
        """Return the folder of this attempt, in which each application has one of its own (`app-0`)."""
        return run_dir / "experiments" / self.experiment / self.key[:16] / self.attempt

    @property
    def share(self) -> Share | None:
        """Its place among the trials that ran in one application; None if each application was its own."""
        return next((item.share for item in self.applications if item.share), None)

    @property
    def shared(self) -> bool:
        """Whether it shared an application with other trials: its times are a look, and no claim is made of them."""
        return self.share is not None

    @property
    def executors_lost(self) -> int:
        """Executors lost in all of its applications together."""
        return sum(item.executors_lost for item in self.applications)

    @property
    def warnings(self) -> list[str]:
        """Warnings of its applications, each sentence once."""
        return list(dict.fromkeys(text for item in self.applications for text in item.warnings))

    @property
    def worth(self) -> tuple[bool, int, str, int]:
        """Orders the attempts at one trial: one that ended well, then more applications, then the newer."""
        return self.status == "ok", len(self.applications), self.attempt, self.revision

    @cached_property
    def size(self) -> Shape:
        """The cluster shape."""
        return Shape(**self.shape)

    def plus(self, application: Application) -> "Outcome":
        """Add one application; the last one that was wanted, or one that did not end well, ends the trial."""
        applications = [*self.applications, application]
        status: Literal["running", "ok", "failed", "killed"] = application.status
        if application.status == "ok" and len(applications) < self.wanted:
            status = "running"
        return dataclasses.replace(
            self,
            applications=applications,
            status=status,
            error=application.error,
            ended_at=time.time(),
            revision=self.revision + (status != "running"),
        )

    def timed(self, kept_s: float) -> "Outcome":
        """Say how long keeping the last application's result took."""
        last = dataclasses.replace(self.applications[-1], kept_s=kept_s)
        return dataclasses.replace(self, applications=[*self.applications[:-1], last])

    def interrupted(self) -> "Outcome":
        """End a trial between two of its applications."""
        error = f"interrupted after {len(self.measured)} of {self.wanted} applications"
        return dataclasses.replace(
            self, status="killed", error=error, revision=self.revision + 1, ended_at=time.time()
        )

    def resumed(self, trial: Trial) -> "Outcome":
        """Take up an interrupted trial where it stopped: what ended well is kept, and may be all that is wanted now."""
        enough = len(self.measured) >= trial.applications
        return dataclasses.replace(
            self,
            label=trial.label,
            wanted=trial.applications,
            status="ok" if enough else "running",
            error=None,
            applications=self.measured,
            revision=self.revision + enough,
        )

    def save(self, folder: Path) -> None:
        """Write it whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        OUTCOME.write(folder / FILE, dataclasses.asdict(self))


def load(path: Path) -> Outcome:
    """Read what `save` wrote, in this version or an older one.

    Raises:
        FileNotFoundError: there is none.
        UnreadableError: it is damaged, or of a newer version.
    """
    found: Outcome = OUTCOME.read(path, checked(Outcome))
    return found


def _without_format(values: dict[str, Any]) -> dict[str, Any]:
    """Fill in what files without a format may lack: parts of the shape, and what was noted of applications later."""
    applications = [{"kept_s": None, "round_id": None, **item} for item in values["applications"]]
    shape = dataclasses.asdict(Shape(**values["shape"]))
    return {**values, "shape": shape, "applications": applications}


def _without_warnings(values: dict[str, Any]) -> dict[str, Any]:
    """Take applications of before jobs could warn as ones that warned of nothing."""
    applications = [{"warnings": [], **item} for item in values["applications"]]
    return {**values, "applications": applications}


def _without_shares(values: dict[str, Any]) -> dict[str, Any]:
    """Take applications of before trials could share one as their trial's own."""
    applications = [{"share": None, **item} for item in values["applications"]]
    return {**values, "applications": applications}


def _without_windows(values: dict[str, Any]) -> dict[str, Any]:
    """Take applications of before jobs could run on as ones that ran in passes."""
    applications = [{"windows": [], **item} for item in values["applications"]]
    return {**values, "applications": applications}


def _without_tables(values: dict[str, Any]) -> dict[str, Any]:
    """Give values of before specs had tables their dotted names."""
    return {**values, "values": older.values_of(values["values"], values["job"])}


def _without_series(values: dict[str, Any]) -> dict[str, Any]:
    """Take applications of before jobs could tell series as ones that told none."""
    applications = [{"series": {}, **item} for item in values["applications"]]
    return {**values, "applications": applications}


OUTCOME = Kind(
    "the outcome of a trial",
    (_without_format, _without_warnings, _without_shares, _without_windows, _without_tables, _without_series),
    "Nothing of it is shown. To have its trial run again, remove that folder and, if the trial counts as finished, delete "
    "its run in MLflow",
)


def stored(folder: Path) -> Iterator[tuple[Path, Outcome]]:
    """Yield the folder and content of every attempt under an experiment's folder, oldest first.

    One that does not read is left out, and said once.
    """
    for path in sorted(folder.glob(f"*/*/{FILE}"), key=lambda item: item.parent.name):
        try:
            outcome = load(path)
        except UnreadableError as error:
            left_out(error)
            continue
        yield path.parent, outcome


def new_attempt() -> str:
    """Name an attempt: sorts by time, never taken twice."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"


def begin(experiment: str, trial: Trial, key: str, context: Mapping[str, Any]) -> Outcome:
    """Start an attempt; `context` gives shape_tag, basis, data, environment and tags."""
    return Outcome(
        experiment=experiment,
        key=key,
        attempt=new_attempt(),
        job=trial.job,
        label=trial.label,
        values=trial.flat,
        shape=dataclasses.asdict(trial.shape),
        wanted=trial.applications,
        repeats=trial.repeats,
        warmups=trial.warmups,
        **context,
    )
