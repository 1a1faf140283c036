"""Medians, intervals, speed-ups and comparisons of trials, and when they must not be claimed."""

import dataclasses
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.metric_table import RMSE, RMSE_BY_TRIAL, SECONDS_BY_CORES, TOTAL, phase_of
from experiments.results.metrics import Number, medians, quality, repeats
from experiments.results.model_equality import allowed, model_change
from experiments.results.outcome import Outcome
from experiments.spec.experiment import Comparison, Mean
from experiments.spec.grid import matches
from experiments.spec.tables import MODEL, SHAPE, short
from experiments.stats.families import disturbed, family, looked, not_scaling, worse_tag
from experiments.stats.intervals import interval
from experiments.stats.ratios import Ratio, between, within


@dataclass(frozen=True)
class Spread:
    """Seconds of one phase of a trial.

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
class Compared:
    """One pair that an experiment sets against each other; `where` holds the values that both share."""

    baseline: Mapping[str, Any]
    contender: Mapping[str, Any]
    metric: str
    where: str
    result: Ratio


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
    typical = medians(outcome, phase)
    every = [seconds for item in outcome.measured for seconds in repeats(item, phase)]
    if not typical:
        return None
    low, high = interval(typical)
    return Spread(statistics.median(typical), min(every), max(every), low, high, typical)


def speedup(outcome: Outcome, outcomes: Sequence[Outcome], phase: str = TOTAL) -> Ratio | None:
    """Return the speed-up against the smallest shape that ran the same trial; None if there is no other shape."""
    found = family(outcome, outcomes, phase)
    if outcome not in found:
        return None
    if (why := looked(outcome)) is not None:
        return Ratio(refused=why, tag=outcome.shape_tag)
    if found[0] == outcome:
        return Ratio(1.0, tag=outcome.shape_tag)
    return faster(found[0], outcome, phase, found)


def faster(
    first: Outcome, second: Outcome, phase: str = TOTAL, sweep: Sequence[Outcome] | None = None
) -> Ratio:
    """Return how many times as fast the second trial is; refused where shapes or models forbid it.

    A model that changed anywhere along a sweep forbids all of its speed-ups: nobody can say which fit is the odd one.
    """
    tag = worse_tag(first, second)
    changed = model_change(*(sweep or (first, second)))
    refused = looked(first, second) or not_scaling(first, second) or disturbed(first, second)
    refused = refused or (None if allowed(second) else changed)
    if refused:
        return Ratio(refused=refused, tag=tag)
    found = between(first, second, phase)
    return dataclasses.replace(found, tag=tag, changed=changed)


def compare(comparisons: Sequence[Comparison], outcomes: Sequence[Outcome]) -> Iterator[Compared]:
    """Yield one result for each pair of trials, or each trial whose phases are compared."""
    for comparison in comparisons:
        if comparison.of_phases:
            yield from _phases(comparison, outcomes)
        else:
            yield from _trials(comparison, outcomes)


def means(wanted: Sequence[Mean], outcomes: Sequence[Outcome]) -> Iterator[Averaged]:
    """Yield the mean of a metric for each group of trials that differ in the keys of `over` only."""
    for mean in wanted:
        groups: dict[str, list[float]] = {}
        for outcome in outcomes:
            value = quality(outcome).get(mean.metric)
            if value is not None:
                rest = {key: item for key, item in outcome.values.items() if key not in mean.over}
                groups.setdefault(_words(rest, outcomes), []).append(value)
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


def _phases(comparison: Comparison, outcomes: Sequence[Outcome]) -> Iterator[Compared]:
    first, second = comparison.baseline["phase"], comparison.contender["phase"]
    for outcome in outcomes:
        chosen = {key: value for key, value in comparison.baseline.items() if key != "phase"}
        result = within(outcome, first, second) if matches(outcome.values, chosen) else None
        if result is not None:
            why = looked(outcome)
            result = result if why is None else Ratio(refused=why, tag=outcome.shape_tag)
            yield Compared(comparison.baseline, comparison.contender, "phase_s", outcome.label, result)


def _trials(comparison: Comparison, outcomes: Sequence[Outcome]) -> Iterator[Compared]:
    phase = phase_of(comparison.metric)
    keys = {*comparison.baseline, *comparison.contender}
    for first in (item for item in outcomes if matches(item.values, comparison.baseline)):
        for second in (item for item in outcomes if matches(item.values, comparison.contender)):
            if not _alike(first, second, keys):
                continue
            if not medians(first, phase) or not medians(second, phase):
                continue
            where = _words({key: first.values.get(key) for key in first.values if key not in keys}, outcomes)
            why = looked(first, second) or disturbed(first, second)
            if why is not None:
                result = Ratio(refused=why, tag=worse_tag(first, second))
            else:
                result = (faster if _same_work(first, second) else between)(first, second, phase)
            yield Compared(comparison.baseline, comparison.contender, comparison.metric, where, result)


def _alike(first: Outcome, second: Outcome, keys: set[str]) -> bool:
    """Whether two trials agree in all that both have, but for what is compared; models may have keys of their own."""
    shared = (first.values.keys() & second.values.keys()) - keys
    if MODEL not in keys and (first.values.keys() ^ second.values.keys()) - keys:
        return False
    return all(first.values[key] == second.values[key] for key in shared)


def _same_work(first: Outcome, second: Outcome) -> bool:
    """Check that trials which differ only in shape or Spark settings have the same model, so that times are comparable."""
    differing = {
        key
        for key in first.values.keys() | second.values.keys()
        if first.values.get(key) != second.values.get(key)
    }
    return bool(differing) and all(key in SHAPE or key.startswith("spark.") for key in differing)


def _words(values: Mapping[str, Any], outcomes: Sequence[Outcome]) -> str:
    """Write those of the values that are not the same in all trials."""
    varying = [
        key for key in values if any(item.values.get(key) != outcomes[0].values.get(key) for item in outcomes)
    ]
    return " ".join(f"{short(key, varying)}={values[key]}" for key in varying)
