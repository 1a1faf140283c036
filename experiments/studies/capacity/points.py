"""Recorded trials as points of a model of time and memory, to fit to or to be predicted."""

import dataclasses
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import UsageError
from core.units import MIB, count_text, mebibytes
from datasets.dataset import find
from experiments.metric_table import TOTAL
from experiments.page.merged_notes import TrialNames, by_statement
from experiments.results.metrics import cold, repeats
from experiments.results.outcome import Application, Outcome
from experiments.spec.experiment import Experiment
from experiments.spec.grid import matches, product
from experiments.spec.tables import SHAPE, plain, under
from experiments.spec.trial import Trial
from experiments.stats.families import looked
from experiments.studies.capacity.terms import Load
from jobs.apps.preprocess import PreprocessParams

RESERVED = 300 * MIB
"""Bytes of an executor's heap that Spark keeps out of its memory pool."""

_FRACTION = "spark.memory.fraction"
_USUAL_FRACTION = 0.6
_FULL = 0.95
_USUAL_CLEANING = under("clean", dataclasses.asdict(PreprocessParams()))
_DATA_SIZE = ("data.rows", "clean.sample")
_ALIKE = 0.2


@dataclass(frozen=True)
class Point:
    """One trial with the medians of its applications.

    Attributes:
        load: rows and cluster shape.
        pass_s: one warm pass: all phases that the job times.
        overhead_s: the rest of the application: starting, reading, the extra time of the first pass, judging.
        applications: (pass, overhead) of each application.
        heap: bytes of executor memory that hold the peak of Spark's managed memory; None if not measured.
        python: highest resident bytes of one executor's Python workers; None if not measured.
        full: whether memory was nearly full or spilled, so that a larger executor might have used more.
        users, items: of the data.
        label, tag: its rows and shape; the tag of the shape, which says how far its time may be trusted.
    """

    load: Load
    pass_s: float
    overhead_s: float
    applications: tuple[tuple[float, float], ...]
    heap: float | None
    python: float | None
    full: bool
    users: int
    items: int
    label: str
    tag: str

    @property
    def wall_s(self) -> float:
        """Seconds of a job of one pass, from its start to its end."""
        return self.pass_s + self.overhead_s


@dataclass(frozen=True)
class Points:
    """The points of an experiment.

    Attributes:
        training: to fit to; held_out: to be predicted; both sorted by rows and cores.
        left_out: measured trials that do not count, and why; a reason that several have once.
    """

    training: tuple[Point, ...]
    held_out: tuple[Point, ...]
    left_out: tuple[str, ...]

    @property
    def all(self) -> tuple[Point, ...]:
        """Training and held-out points."""
        return self.training + self.held_out


def points_of(experiment: Experiment, outcomes: Sequence[Outcome]) -> Points:
    """Sort the recorded trials of an experiment.

    Trials that the spec no longer has, failed ones, and those that lost an executor or had more worker cores than the
    host do not count.

    Raises:
        UsageError: the trials differ in more than rows and shape.
    """
    one_workload(experiment)
    rows = list(product(experiment.fixed, experiment.grid, experiment.points))
    sorted_: tuple[list[Point], list[Point]] = ([], [])
    left_out: list[tuple[Outcome, str]] = []
    for outcome in outcomes:
        reason = _unfit(outcome, rows)
        if reason:
            left_out.append((outcome, reason))
        else:
            sorted_[is_held_out(experiment, outcome.values)].append(point_of(outcome))
    training, held_out = (
        tuple(sorted(found, key=lambda point: (point.load.rows, point.load.cores))) for found in sorted_
    )
    names = TrialNames(outcomes)
    told = (f"not counted: {names.of(some)}: {why}" for why, some in by_statement(left_out).items())
    return Points(training, held_out, tuple(told))


def one_workload(experiment: Experiment) -> None:
    """Refuse a spec whose grid varies more than the size of the data and the shape of the cluster.

    Raises:
        UsageError: it varies another key, which is named.
    """
    for key in varied(experiment):
        if key not in (*SHAPE, *_DATA_SIZE):
            raise UsageError(
                f"experiment {experiment.name}: its grid varies {key}, but a capacity model holds for one model and "
                f"one kind of data; give {key} one value, in its table (the grid may vary {', '.join((*_DATA_SIZE, *SHAPE))})"
            )


def varied(experiment: Experiment) -> list[str]:
    """Return the keys of a grid, or of its points, that take several values."""
    tables = [
        *experiment.points,
        *({key: value} for key, values in experiment.grid.items() for value in values),
    ]
    found: dict[str, set[str]] = {}
    for table in tables:
        for key, value in table.items():
            found.setdefault(plain(key), set()).add(str(value))
    return [key for key, values in found.items() if len(values) > 1]


def is_held_out(experiment: Experiment, values: Mapping[str, Any]) -> bool:
    """Return whether a trial of these values is for checking only."""
    return any(matches(in_full(values), selection) for selection in experiment.held_out)


def in_full(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trial's values together with the default values of cleaning, which a trial does not list."""
    return {**_USUAL_CLEANING, **values}


def expected_rows(trial: Trial) -> float:
    """Return how many rows a trial's data has before it is prepared; cleaning may drop some.

    Raises:
        UsageError: the trial reads no data set, or its number of rows is unknown.
    """
    data = trial.data
    if data is None:
        raise UsageError(
            f"{trial.label} reads no data set, so its rows are unknown; name a data set in the spec"
        )
    known = data.options.get("rows") or find(data.name, data.options).description.rows
    if not known:
        raise UsageError(
            f"the number of rows of {data.name} is unknown before it is read; use another data set"
        )
    return float(known) * float(data.cleaning.get("sample", 1.0))


def point_of(outcome: Outcome) -> Point:
    """Return the point of a trial that ended well."""
    applications = tuple(map(_parts, outcome.measured))
    fraction = float(outcome.values.get(_FRACTION, _USUAL_FRACTION))
    managed = _peak(outcome, "managed")
    pool = fraction * (mebibytes(str(outcome.shape["memory"])) * MIB - RESERVED)
    return Point(
        load=Load.of(outcome.data["rows"], outcome.size),
        pass_s=statistics.median(warm for warm, _ in applications),
        overhead_s=statistics.median(rest for _, rest in applications),
        applications=applications,
        heap=None if managed is None else RESERVED + managed / fraction,
        python=_peak(outcome, "python_rss"),
        full=(managed or 0.0) > _FULL * pool or _spilled(outcome),
        users=outcome.data.get("users", 0),
        items=outcome.data.get("items", 0),
        label=f"{outcome.data['rows']:,} rows {outcome.size}",
        tag=outcome.shape_tag,
    )


def growth(points: Sequence[Point]) -> str:
    """Describe how users and items grew with the rows; predictions hold for data that grows in the same way."""
    users = [point.users / point.load.rows for point in points]
    items = [float(point.items) for point in points]
    said = []
    if _alike(users):
        said.append(f"users growing with the rows ({1 / statistics.median(users):,.0f} rows a user)")
    else:
        said.append(f"{_range(point.users for point in points)} users")
    said.append(
        f"{_range(items)} items for any number of rows" if _alike(items) else f"{_range(items)} items"
    )
    return f"data that grows as it did here: {' and '.join(said)}"


def _alike(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) / min(values) <= 1 + _ALIKE


def _range(values: Iterable[float]) -> str:
    found = sorted(values)
    first, last = count_text(found[0]), count_text(found[-1])
    return first if first == last else f"{first} to {last}"


def _unfit(outcome: Outcome, rows: Sequence[Mapping[str, Any]]) -> str | None:
    if not any(_of(outcome.values, row) for row in rows):
        return "the spec no longer has it"
    if outcome.status != "ok" or not any(repeats(item, TOTAL) for item in outcome.measured):
        return f"it is {outcome.status}"
    if (why := looked(outcome)) is not None:
        return why
    if outcome.shape_tag == "oversubscribed":
        return "more worker cores than the host has (oversubscribed)"
    if outcome.executors_lost:
        return f"{outcome.executors_lost} executor(s) were lost while it ran"
    return None if outcome.data.get("rows") else "its number of rows is not recorded"


def _of(values: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Return whether a trial has the values of a combination; a trial does not list default values."""
    return all(str(values.get(key, value)).lower() == str(value).lower() for key, value in row.items())


def _parts(application: Application) -> tuple[float, float]:
    warm = statistics.median(repeats(application, TOTAL))
    passes = sum(time.seconds for time in application.phases)
    first = cold(application, TOTAL) or 0.0
    return warm, max(application.seconds - passes + first - warm, 1e-3)


def _peak(outcome: Outcome, name: str) -> float | None:
    found = [item.telemetry.get("memory", {}).get(name) for item in outcome.measured]
    known = [float(value) for value in found if value]
    return max(known, default=None)


def _spilled(outcome: Outcome) -> bool:
    groups = [totals for item in outcome.measured for totals in item.telemetry.get("groups", {}).values()]
    return any(totals.get("spill", 0) for totals in groups)
