"""Names of metrics in MLflow, with their units and meanings, and the names that older versions recorded.

MLflow's charts make a section of what stands before a slash, and call "Model metrics" what has no slash: what a person
wants first has none.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

TOTAL = "total"
"""In place of a phase's name: all phases of a pass together."""


def safe(name: str) -> str:
    """Write a name with the letters that MLflow accepts."""
    return re.sub(r"[^\w\-./ ]", "_", name)


class Metric(NamedTuple):
    """A name or, where it ends in a word in braces, a family of names.

    Attributes:
        name: as it is recorded; {phase} stands for a phase or "total", {name} for any other word.
        unit: of the value.
        what: it is.
        old: the name in records of older versions; empty where it is the same.
    """

    name: str
    unit: str
    what: str
    old: str = ""

    def of(self, word: str = "") -> str:
        """Return the name for one phase or word, in letters that MLflow accepts."""
        return safe(self.name.format(phase=word, name=word))

    def renamed(self, old: str) -> str | None:
        """Return what an older version's name is now; None if it is not this metric's."""
        if not self.old:
            return None
        pattern = re.sub(r"\\\{(phase|name)\\\}", r"(?P<word>.+)", re.escape(self.old))
        found = re.fullmatch(pattern, old)
        return self.of(found.groupdict().get("word", "")) if found else None


SECONDS = Metric(
    "{phase}_s",
    "s",
    "a phase of a warm pass: median over applications of the median over repeats (fit_s, total_s)",
    "phase.{phase}_s_median",
)
ALL_SECONDS = Metric("total_s", "s", "all phases of a warm pass together, the same median", "total_s_median")
RMSE = Metric("rmse", "steps of the rating scale", "root mean squared error on the test rows")
COVERAGE = Metric("coverage", "0 to 1", "share of the test rows that got a prediction")
NDCG = Metric(
    "ndcg_at_{name}",
    "0 to 1",
    "nDCG of the lists of recommendations, cut after so many items (ndcg_at_10: ten)",
)
REPEATS = Metric(
    "repeats/{phase}_s",
    "s",
    "every measured pass; MLflow's step is the pass, counted over all applications",
    "phase.{phase}_s",
)
COLD = Metric(
    "cold/{phase}_s",
    "s",
    "the first pass of each application, when JVM and caches are empty; MLflow's step is the application",
    "phase_cold/{phase}_s",
)
RATE = Metric(
    "{name}_per_s",
    "1/s",
    "what comes through in a measured window: median over applications of the median over windows (rows_per_s)",
)
LAG = Metric("lag/{name}_s", "s", "how late it is, the same median (lag/p99_s)")
WINDOW_RATES = Metric(
    "windows/{name}_per_s",
    "1/s",
    "every measured window; MLflow's step is the window, counted over all applications",
)
WINDOW_LAGS = Metric("windows/lag_{name}_s", "s", "the same of each lag")
APPLICATIONS = Metric(
    "applications/{phase}_s", "s", "one side of a comparison: median of each of its applications"
)
MEAN = Metric(
    "baseline/rmse_global_mean", "as rmse", "error of the global mean on the same rows", "rmse_global_mean"
)
BIAS = Metric("baseline/rmse_bias", "as rmse", "error of user and item means on the same rows", "rmse_bias")
FLOOR = Metric(
    "baseline/rmse_floor",
    "as rmse",
    "noise of generated ratings: the smallest RMSE that any model can reach",
    "rmse_floor",
)
MAE = Metric("quality/mae", "as rmse", "mean absolute error on the test rows", "mae")
COVERED = Metric(
    "quality/rmse_covered", "as rmse", "rmse of users and items that are known from training", "rmse_covered"
)
MAP = Metric("quality/map_at_{name}", "0 to 1", "mean average precision of the lists", "map_at_{name}")
PRECISION = Metric(
    "quality/precision_at_{name}", "0 to 1", "share of a list that is relevant", "precision_at_{name}"
)
RECALL = Metric(
    "quality/recall_at_{name}", "0 to 1", "share of the relevant items that are in a list", "recall_at_{name}"
)
ROWS = Metric(
    "rows/{name}", "rows, users or items", "counts: training, test and scored rows, cold users and items"
)
SINGLE = Metric("single/{name}", "s, or as named", "parts of a fit in one thread", "single_{name}")
HARNESS = Metric(
    "harness/{name}",
    "s",
    "around the measured phases: to start, to stop, a whole application, to record",
    "overhead/{name}",
)
SPARK = Metric(
    "spark/{name}",
    "s, MB, tasks, rows or a share",
    "a phase on the executors, from Spark's event log: median of its passes (spark/fit/gc_s)",
)

METRICS = (
    SECONDS, ALL_SECONDS, RMSE, COVERAGE, NDCG, REPEATS, COLD, RATE, LAG, WINDOW_RATES, WINDOW_LAGS, APPLICATIONS, MEAN, BIAS, FLOOR, MAE, COVERED, MAP, PRECISION,
    RECALL, ROWS, SINGLE, HARNESS, SPARK,
)  # fmt: skip
"""Every metric of a trial and of a side of a comparison, in the order in which old names are looked up."""

OTHERS = (
    Metric(
        "total_s by cores/{name}",
        "s",
        "an experiment's run: total_s of each kind of trial; MLflow's step is the number of cores",
    ),
    Metric("rmse/{name}", "as rmse", "an experiment's run: rmse of each kind of trial"),
    Metric("time_ratio", "times", "a comparison: contender's time over baseline's; above 1 it is slower"),
    Metric("time_ratio_low", "times", "lower end of its 95% interval"),
    Metric("time_ratio_high", "times", "upper end of its 95% interval"),
    Metric(
        "time_ratio_detectable", "times", "the slowdown that would have been found in 80 of 100 comparisons"
    ),
    Metric("pair_ratio", "times", "the same ratio of each pair"),
    Metric(
        "{name}_difference", "as the metric", "a comparison: contender's value of a metric minus baseline's"
    ),
    Metric("recovery_s", "s", "a drill: from the fault to recovery"),
    Metric("ended_s", "s", "a drill: from the fault to the end of what was disturbed"),
    Metric("after_s", "s", "a drill: from the beginning of the phase to the fault"),
    Metric("undisturbed_s", "s", "a drill: the phase without a fault"),
    Metric("disturbed_s", "s", "a drill: the phase with the fault"),
    Metric("rerun_s", "s", "a drill: the application that was run again"),
    Metric("recomputed_tasks", "tasks", "a drill: tasks whose work was done twice"),
    Metric("failed_tasks", "tasks", "a drill: attempts that failed"),
    Metric("executors_lost", "executors", "a drill: executors that were lost"),
    Metric(
        "largest_difference", "as rmse", "a drill: largest difference of two predictions of the same pair"
    ),
    Metric("rows", "rows", "a drill: rows of the stored recommendations in the end"),
    Metric("same_result", "0 or 1", "a drill: whether it ended with the undisturbed result"),
)
"""Metrics of an experiment's own run, of comparisons and of drills; they never had other names."""

RECORDING = HARNESS.of("recording_s")


def new_name(old: str) -> str | None:
    """Return the name that stands for a name of older versions now; None if that is a name of today or nobody's."""
    return next((name for metric in METRICS if (name := metric.renamed(old)) is not None), None)


def quality_name(metric: str) -> str:
    """Return the recorded name of a metric as a job names it; what a job has of its own keeps its name."""
    return new_name(metric) or safe(metric)


def phase_of(metric: str) -> str:
    """Return the phase that the name of a time means: fit_s and, in older specs, phase.fit_s -> fit."""
    return metric.removeprefix("phase.").removesuffix("_median").removesuffix("_s")


def seconds_name(metric: str) -> str:
    """Return the name of a time as it is recorded now, whichever of its names is given."""
    return SECONDS.of(phase_of(metric))


def described() -> Iterator[tuple[str, str, str]]:
    """Yield name, unit and meaning of every metric, for people."""
    for metric in (*METRICS, *OTHERS):
        name = (
            metric.name.replace("{phase}", "PHASE").replace("_at_{name}", "_at_K").replace("{name}", "NAME")
        )
        yield name, metric.unit, metric.what
