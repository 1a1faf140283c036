"""Equality of fitted models: only where they are the same are times along a sweep of the same work.

Two models are one if their predictions on fixed pairs agree within 1e-4. Then their RMSE on the same rows can differ by
no more than that either (it is a distance: the triangle inequality), and what they can score is the same. Ranking alone
is compared where a model predicts no ratings.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from experiments.metric_table import COVERAGE, RANKINGS, RMSE
from experiments.results.outcome import Application, Outcome

SAME_MODEL = 1e-4
ALLOWED = "allow_model_change"
"""Tag of outcomes whose speed-ups a person wants to see though the model changed."""

_SAME_SHARE = 1e-9
_SAME_RANKING = 1e-3  # equal scores may change places: one user in a thousand wholly otherwise


@dataclass(frozen=True)
class Change:
    """One thing in which two fits that should be one differ.

    Attributes:
        what: "predictions" or the name of a metric.
        first, second: which fits.
        before, after: the metric's values; None for predictions.
        difference: between them, the largest of all predictions'.
        allowed: how large it may be.
    """

    what: str
    first: str
    second: str
    before: float | None
    after: float | None
    difference: float
    allowed: float

    @property
    def words(self) -> str:
        """Say it in half a sentence."""
        if self.what != "predictions":
            return f"{self.what} is {_number(self.before)} and {_number(self.after)}"
        if np.isinf(self.difference):
            return "their predictions cannot be compared"
        return f"predictions differ by up to {self.difference:.2g}"


def model_change(*outcomes: Outcome) -> str | None:
    """Say how far the fitted models of trials differ, None if they are one model, also within each trial."""
    found = changes(outcomes)
    return said(found[0]) if found else None


def said(change: Change) -> str:
    """Say a change in a sentence."""
    return f"the model changed between {change.first} and {change.second}: {change.words}"


def changes(outcomes: Sequence[Outcome]) -> tuple[Change, ...]:
    """Return what changed between the first of the outcomes and each other one, and within each.

    Of what changed between two trials, or within one, the widest change of each kind is returned.
    """
    return _changes(_Sweep(tuple(item for item in outcomes if item.measured)))


def allow_changes(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Mark outcomes: their speed-ups are shown whatever the models did, and every report says so."""
    return [dataclasses.replace(item, tags={**item.tags, ALLOWED: "yes"}) for item in outcomes]


def allowed(outcome: Outcome) -> bool:
    """Whether a changed model is not to stop a speed-up."""
    return ALLOWED in outcome.tags


@dataclass(frozen=True, eq=False)
class _Sweep:
    """Trials; the same as another sweep if they are the same objects."""

    outcomes: tuple[Outcome, ...]

    def __hash__(self) -> int:
        return hash(tuple(map(id, self.outcomes)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Sweep) and [*map(id, self.outcomes)] == [*map(id, other.outcomes)]


@lru_cache(maxsize=64)
def _changes(sweep: _Sweep) -> tuple[Change, ...]:
    """Look once: every trial of a sweep asks the same of all of it, and predictions are many."""
    found = [change for outcome in sweep.outcomes for change in _within(outcome, sweep)]
    for outcome in sweep.outcomes[1:]:
        first = sweep.outcomes[0]
        names = (_name(first, sweep), _name(outcome, sweep))
        found += _differences(first.measured[0], outcome.measured[0], names)
    return tuple(found)


def _within(outcome: Outcome, sweep: _Sweep) -> list[Change]:
    """The widest change of each kind between the first application of a trial and its others."""
    widest: dict[str, Change] = {}
    first = outcome.measured[0]
    for other in outcome.measured[1:]:
        name = _name(outcome, sweep)
        names = (f"application {first.number + 1} of {name}", f"application {other.number + 1} of {name}")
        for change in _differences(first, other, names):
            if change.what not in widest or not change.difference <= widest[change.what].difference:
                widest[change.what] = change
    return list(widest.values())


def _differences(first: Application, second: Application, names: tuple[str, str]) -> Iterator[Change]:
    predicts = bool(first.fingerprint or second.fingerprint)
    if predicts:
        difference = distance(first.fingerprint, second.fingerprint)
        if not difference <= SAME_MODEL:
            yield Change("predictions", *names, None, None, difference, SAME_MODEL)
    for metric, limit in _limits({*first.metrics, *second.metrics}, predicts=predicts).items():
        before, after = first.metrics.get(metric), second.metrics.get(metric)
        if before is None or after is None:
            yield Change(metric, *names, before, after, float("inf"), limit)
        elif not abs(before - after) <= limit and not (np.isnan(before) and np.isnan(after)):
            yield Change(metric, *names, before, after, abs(before - after), limit)


def _limits(names: set[str], *, predicts: bool) -> Mapping[str, float]:
    """Return what of the metrics must not change, and how far it may; a rate or a count of work done is no quality."""
    ranking = [] if predicts else sorted(name for metric in RANKINGS for name in metric.among(names))
    fixed = {RMSE.key: SAME_MODEL * (1 + 1e-6), COVERAGE.key: _SAME_SHARE}
    return {name: value for name, value in fixed.items() if name in names} | dict.fromkeys(
        ranking, _SAME_RANKING
    )


def distance(first: Sequence[float], second: Sequence[float]) -> float:
    """The largest difference of two lists of predictions; infinite where they cannot be compared."""
    left, right = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if left.shape != right.shape or (np.isnan(left) != np.isnan(right)).any():
        return float("inf")
    known = ~np.isnan(left)
    return float(np.max(np.abs(left[known] - right[known]), initial=0.0))


def _name(outcome: Outcome, sweep: _Sweep) -> str:
    """Name a trial by its shape, and by all that tells it apart where shapes are the same."""
    same = sum(item.size == outcome.size for item in sweep.outcomes)
    return str(outcome.size) if same == 1 else outcome.label


def _number(value: Any) -> str:
    return "missing" if value is None else f"{value:.6g}"
