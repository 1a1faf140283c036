"""Medians and spreads of trials, and means over them."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.metric_table import RMSE, RMSE_BY_TRIAL, SECONDS_BY_CORES, TOTAL
from experiments.results.metrics import Number, medians, quality, repeats
from experiments.results.outcome import Outcome
from experiments.spec.experiment import Mean
from experiments.spec.tables import short
from experiments.stats.intervals import interval


@dataclass(frozen=True)
class Spread:
    """Seconds of one phase of a trial, or another value that its applications measure again and again.

    Attributes:
        median: of the applications' medians; least, most: of all repeats.
        low, high: 95% interval of the median (`experiments.stats.intervals`); None with fewer than five applications.
        applications: the median of each application.
    """

    median: float
    least: float
    most: float
    low: float | None
    high: float | None
    applications: list[float]


@dataclass(frozen=True)
class Averaged:
    """The mean of a metric over trials; `where` holds the values that they share, `values` one number a trial."""

    metric: str
    over: tuple[str, ...]
    where: str
    mean: float
    values: list[float]


def spread(outcome: Outcome, phase: str) -> Spread | None:
    """Sum up one phase, or "total"; None if no application that ended well measured it."""
    return spread_of([repeats(item, phase) for item in outcome.measured])


def spread_of(by_application: Sequence[Sequence[float]]) -> Spread | None:
    """Sum up what was measured again and again in each application; None if nothing was."""
    typical = [statistics.median(values) for values in by_application if values]
    if not typical:
        return None
    every = [value for values in by_application for value in values]
    low, high = interval(typical)
    return Spread(statistics.median(typical), min(every), max(every), low, high, typical)


def means(wanted: Sequence[Mean], outcomes: Sequence[Outcome]) -> Iterator[Averaged]:
    """Yield the mean of a metric for each group of trials that differ in the keys of `over` only."""
    for mean in wanted:
        groups: dict[str, list[float]] = {}
        for outcome in outcomes:
            value = quality(outcome).get(mean.metric)
            if value is not None:
                rest = {key: item for key, item in outcome.values.items() if key not in mean.over}
                groups.setdefault(varying_words(rest, outcomes), []).append(value)
        for where, values in groups.items():
            yield Averaged(mean.metric, mean.over, where, statistics.fmean(values), values)


def summary(outcomes: Sequence[Outcome]) -> Iterator[Number]:
    """Yield what belongs on the parent's own charts, for each kind of trial: time by cores in all, and RMSE."""
    for outcome in outcomes:
        series = outcome.label.replace(f" {outcome.size}", "")
        typical = medians(outcome, TOTAL)
        if typical and outcome.shape_tag != "oversubscribed" and not outcome.shared:
            cores = outcome.size.total_cores
            yield Number(SECONDS_BY_CORES.of(series), statistics.median(typical), cores)
        if RMSE.key in quality(outcome):
            yield Number(RMSE_BY_TRIAL.of(series), quality(outcome)[RMSE.key])


def varying_words(values: Mapping[str, Any], outcomes: Sequence[Outcome]) -> str:
    """Write those of the values that are not the same in all trials."""
    varying = [
        key for key in values if any(item.values.get(key) != outcomes[0].values.get(key) for item in outcomes)
    ]
    return " ".join(f"{short(key, varying)}={values[key]}" for key in varying)
