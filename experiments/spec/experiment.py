"""An experiment: a question, and the grid of trials that answers it."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cluster.shape import Shape
from core.errors import UsageError
from experiments.metric_table import ALL_SECONDS
from experiments.spec.grid import blocks, matches, product, trial_of
from experiments.spec.search_space import Search
from experiments.spec.trial import Trial


@dataclass(frozen=True)
class Comparison:
    """Sets two variants against each other.

    Attributes:
        baseline: either values that select trials ({"model.name": "als"}) or one phase of a trial ({"phase": "fit"}).
        contender: the same kind as `baseline`; trials are paired where all their other values agree.
        metric: a time in seconds: a phase's, as `fit_s`, or `total_s` for all phases of a pass together. Phases that are
            compared name it themselves.
    """

    baseline: Mapping[str, Any]
    contender: Mapping[str, Any]
    metric: str = ALL_SECONDS.name

    @property
    def of_phases(self) -> bool:
        """Whether it sets two phases of one trial against each other."""
        return "phase" in self.baseline


@dataclass(frozen=True)
class Mean:
    """Asks the report for the mean of a quality metric over trials that differ in the keys of `over` only."""

    metric: str
    over: tuple[str, ...]


@dataclass(frozen=True)
class Experiment:
    """A question and its grid.

    Attributes:
        job: its name in the table [job].
        fixed: values that all trials share, by their dotted names; grid: lists of values, of which every combination is
            one trial, in written order. model.knn.blocks is for the model knn alone.
        points: tables of values that go together, as workers with the rows that they are given; each combination of the
            grid comes with each of them.
        exclude: selections of combinations that are left out.
        applications: of each trial; in a spec it may be SHARED, which is one application and `shared`.
        partitions: shuffle partitions and default parallelism; the default is twice the cores of the largest shape, at
            least 8: one number for all shapes, because the partitioning may change a fitted model.
        timeout_s: seconds that one application may take.
        search: looks for the best settings instead of running a grid.
        labelled: keys that stand in a trial's label though all trials share their value.
        held_out: selections of trials that a capacity model predicts and never learns from.
    """

    name: str
    question: str
    job: str = "train"
    fixed: Mapping[str, Any] = field(default_factory=dict)
    grid: Mapping[str, Any] = field(default_factory=dict)
    applications: int = 1
    shared: bool = False
    repeats: int = 3
    warmups: int = 1
    partitions: int | None = None
    timeout_s: float = 1800.0
    comparisons: tuple[Comparison, ...] = ()
    means: tuple[Mean, ...] = ()
    exclude: tuple[Mapping[str, Any], ...] = ()
    points: tuple[Mapping[str, Any], ...] = ()
    search: Search | None = None
    labelled: tuple[str, ...] = ()
    held_out: tuple[Mapping[str, Any], ...] = ()

    def trials(self, default: Shape) -> list[Trial]:
        """Return every combination of the grid, without doubles; `default` fills in what no key says of the shape.

        Raises:
            UsageError: an unknown key or data set, or a shape with more cores than `partitions` or `blocks`.
        """
        rows = [
            row
            for row in product(self.fixed, self.grid, self.points)
            if not any(matches(row, x) for x in self.exclude)
        ]
        if not rows:
            raise UsageError(
                f"experiment {self.name}: exclude removes every trial of the grid; take a selection out of exclude"
            )
        varying = [key for key in {key: None for row in rows for key in row} if _varies(rows, key)]
        varying += [key for key in self.labelled if key not in varying]
        trials = [trial_of(row, varying, self.job, default, f"experiment {self.name}") for row in rows]
        return _completed(self, trials)


def _varies(rows: list[dict[str, Any]], key: str) -> bool:
    """Whether a key tells rows apart; rows without it (another model's) do not count."""
    values = [row[key] for row in rows if key in row]
    return any(value != values[0] for value in values)


def _completed(experiment: Experiment, trials: list[Trial]) -> list[Trial]:
    largest = max(trial.shape.total_cores for trial in trials)
    partitions = experiment.partitions
    if partitions is not None and partitions < largest:
        raise UsageError(
            f"experiment {experiment.name}: partitions = {partitions} is less than the {largest} cores of its largest "
            "shape, which would leave cores idle; raise it (it is one number for all shapes)"
        )
    unique: dict[str, Trial] = {}
    for trial in trials:
        cut = blocks(trial)
        if cut is not None and cut < largest:
            raise UsageError(
                f"experiment {experiment.name}: blocks = {cut} of {trial.label} is less than the {largest} cores of its largest "
                "shape; raise it for all shapes (the number of blocks changes the fitted model)"
            )
        complete = dataclasses.replace(
            trial,
            partitions=partitions or max(8, 2 * largest),
            applications=experiment.applications,
            shared=experiment.shared,
            repeats=experiment.repeats,
            warmups=experiment.warmups,
            timeout_s=experiment.timeout_s,
        )
        unique.setdefault(complete.key("", "", "", ""), complete)
    return list(unique.values())
