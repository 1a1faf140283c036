"""Requests and results of jobs: the JSON files between the harness and Spark."""

import dataclasses
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

from core.errors import UsageError
from core.files import write_json
from core.options import parse

LOG_MARK = "recscale: from here on the log of "
"""Text that the driver of a shared application logs before the name of each trial's events file."""

NAME = "name"
"""Key under which a request's `model` names the model; no model has a field of that name."""

PassKind = Literal["cold", "warmup", "repeat"]
"""The first pass or window of an application, one more before the measured ones, or a measured one."""


def pass_kind(number: int, warmups: int, *, cold: bool) -> PassKind:
    """Return the kind of a pass or window by its number; `cold`: the first of all finds nothing warm.

    Without warm-ups the first repeat is cold, too, but counts as a repeat.
    """
    if number >= warmups:
        return "repeat"
    return "cold" if cold and number == 0 else "warmup"


_SECRET = re.compile("password|secret|token", re.IGNORECASE)


@dataclass(frozen=True)
class Request:
    """One application to run.

    Attributes:
        job: key in `jobs.apps.JOBS`.
        params: the job's own parameters; the job parses them and refuses unknown ones.
        model: `name` and fields of the model, for a job that fits one (jobs.params.read).
        spark: every Spark setting, `spark.master` included.
        store: key in `jobs.stores.STORES`.
        store_root: folder or keyspace in which that store keeps the tables of this data set.
        dataset: `source/variant`, with `dataset_options` and `dataset_path` (the result of the source's `fetch`).
        executors: number of executors that must have registered before the first phase; 0 in local mode.
        warmups: passes, or windows, before the measured ones; the first is kept as the cold number.
        repeats: measured passes or windows.
        application: which of the trial's applications this is, from 0.
        work: folder of this request only: checkpoints, the zip of our packages.
        per_user: file that gets the quality of each user's test rows (jobs.judge.per_user); empty for none.
        events: file to which the job appends its progress, one JSON object a line.
        keep: folder for files that outlive the application.
    """

    job: str
    params: Mapping[str, Any]
    spark: Mapping[str, str]
    store: str
    store_root: str
    work: str
    events: str
    dataset: str = ""
    dataset_options: Mapping[str, Any] = field(default_factory=dict)
    dataset_path: str = ""
    executors: int = 0
    warmups: int = 0
    repeats: int = 1
    application: int = 0
    keep: str = ""
    per_user: str = ""
    model: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "Request":
        """Read a request; an unknown or missing key is a UsageError."""
        return parse(cls, json.loads(path.read_text(encoding="utf-8")), f"request {path}")

    def save(self, path: Path, only: Collection[str] | None = None) -> None:
        """Write the request to a file; with `only` just these fields, for an older job that knows no others.

        Raises:
            UsageError: the model has a field that an older job would take for its own parameter.
        """
        values = dataclasses.asdict(self)
        if only is not None:
            if "model" not in only and self.model:
                values["params"] = self._flat()
            values = {key: values[key] for key in values if key in only}
        write_json(path, values)

    def _flat(self) -> dict[str, Any]:
        """Return the job's parameters and the model's in one mapping, in which `model` is the model's name."""
        fields = {key: value for key, value in self.model.items() if key != NAME}
        if both := sorted({"model", *self.params} & fields.keys()):
            raise UsageError(
                f"the other revision takes the parameters of job and model in one mapping, and both have {', '.join(both)}: "
                "leave one of them at its default"
            )
        return {"model": self.model.get(NAME), **fields, **self.params}


def check_same_session(requests: Sequence[Request]) -> None:
    """Refuse requests that cannot share a session.

    Raises:
        UsageError: names what they differ in, with the values of the first two that do.
    """
    first, *others = map(_of_session, requests)
    for other in others:
        different = [name for name in first | other if first.get(name) != other.get(name)]
        if different:
            told = ", ".join(f"{name} {_shown(first, name)} and {_shown(other, name)}" for name in different)
            raise UsageError(
                "requests that share an application must agree in the job, the Spark settings and the number of "
                f"executors, but they have {told}; make them equal, or run one application for each"
            )


def _of_session(request: Request) -> dict[str, Any]:
    """Return what a request asks of its session, each Spark setting by itself."""
    return {"job": request.job, "executors": request.executors, **request.spark}


def _shown(values: Mapping[str, Any], name: str) -> str:
    """Write a value for a message, unless it may be a secret."""
    if name not in values:
        return "unset"
    return "(hidden)" if _SECRET.search(name) else repr(values[name])


def group_mark(place: int) -> str:
    """Return the prefix of a trial's job groups in a shared application; empty for place 0."""
    return f"{place}:" if place else ""


class PhasePass(NamedTuple):
    """One pass of a phase, which Spark's job groups and an application's telemetry name "fit#3"."""

    phase: str
    pass_: int

    def __str__(self) -> str:
        return f"{self.phase}#{self.pass_}"

    @classmethod
    def of(cls, group: str) -> "PhasePass":
        """Read the name of a job group; one without a pass is a phase by itself, in pass 0."""
        phase, _, number = group.rpartition("#")
        return cls(phase or group, int(number) if number.isdigit() else 0)


@dataclass(frozen=True)
class PhaseTime:
    """Seconds of one phase in one pass. `pass_` counts from 0 over warm-ups and repeats together."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}  # a name that it does not know is an error

    phase: str
    pass_: int
    kind: PassKind
    seconds: float
    spark_jobs: int


@dataclass(frozen=True)
class Window:
    """Rates and lags of one window of a job that runs on.

    Attributes:
        number: counts from 0 over warm-ups and measured windows together.
        rates: what came through, by name, a second.
        lags: seconds, by name.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}  # a name that it does not know is an error

    number: int
    kind: PassKind
    seconds: float
    rates: dict[str, float]
    lags: dict[str, float]


@dataclass(frozen=True)
class Result:
    """Result of a job.

    Attributes:
        status: "ok" or "failed"; a failed result has the phases or windows that were finished.
        metrics: quality metrics (rmse, coverage, ...); a metric that does not apply is absent.
        counts: numbers of rows (train_rows, cold_users, rejected.<reason>, ...).
        fingerprint: predictions on fixed pairs, equal within 1e-4 if the model is the same; empty if there are none.
        series: numbers by step, as [step, number], of what has a course: a chain by sweep, a share by level.
        info: texts about the application (Spark version, application id, data digest, ...).
        table: a table to print, as [header, row, row, ...]; empty if there is none.
        error: why it failed and what to do; the traceback is in the driver's log.
        warnings: sentences about data or settings that are valid but may be mistakes; see `jobs.runtime.context.Context.warn`.
    """

    job: str
    status: Literal["ok", "failed"]
    phases: list[PhaseTime] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    fingerprint: list[float] = field(default_factory=list)
    series: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    info: dict[str, str] = field(default_factory=dict)
    table: list[list[Any]] = field(default_factory=list)
    error: str | None = None
    warnings: list[str] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write it whole or not at all."""
        write_json(path, dataclasses.asdict(self))
