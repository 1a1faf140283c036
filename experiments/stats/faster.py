"""Which of two trials, or of two phases, is faster, and when that must not be claimed."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.metric_table import TOTAL, phase_of
from experiments.results.metrics import medians
from experiments.results.model_equality import allowed, model_change
from experiments.results.outcome import Outcome
from experiments.spec.experiment import Comparison
from experiments.spec.grid import matches
from experiments.spec.tables import MODEL, SHAPE
from experiments.stats.families import disturbed, family, looked, not_scaling, worse_tag
from experiments.stats.ratios import Ratio, between, within
from experiments.stats.summaries import varying_words


@dataclass(frozen=True)
class Compared:
    """One pair that an experiment sets against each other; `where` holds the values that both share."""

    baseline: Mapping[str, Any]
    contender: Mapping[str, Any]
    metric: str
    where: str
    result: Ratio


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
            where = varying_words(
                {key: first.values.get(key) for key in first.values if key not in keys}, outcomes
            )
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
