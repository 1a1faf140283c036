"""The quality lock: times along a sweep are of the same work only where the fitted model stayed the same.

Two models are one if their predictions on fixed pairs agree within 1e-4. Then their RMSE on the same rows can differ by
no more than that either (it is a distance: the triangle inequality), and what they can score is the same. Ranking alone
is compared where a model predicts no ratings.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.outcome import Application, Outcome

SAME_MODEL = 1e-4
ALLOWED = "allow_model_change"
"""Tag of outcomes whose speed-ups a person wants to see though the model changed."""

_SAME_SHARE = 1e-9
_SAME_RANKING = 1e-3  # equal scores may change places: one user in a thousand wholly otherwise
_RANKING = ("ndcg_at_", "map_at_", "precision_at_", "recall_at_")


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
    found = next(iter(changes(outcomes)), None)
    return said(found) if found else None


def said(change: Change) -> str:
    """Say a change in a sentence."""
    return f"the model changed between {change.first} and {change.second}: {change.words}"


def changes(outcomes: Sequence[Outcome]) -> Iterator[Change]:
    """Yield what changed between the first of the outcomes and each other one, and within each.

    Of what changed between two trials, or within one, the widest change of each kind is yielded.
    """
    measured = [item for item in outcomes if item.measured]
    for outcome in measured:
        named = [
            (item, f"application {item.number + 1} of {_name(outcome, measured)}")
            for item in outcome.measured
        ]
        yield from _widest(_differences(named[0], other) for other in named[1:])
    for outcome in measured[1:]:
        first = (measured[0].measured[0], _name(measured[0], measured))
        yield from _differences(first, (outcome.measured[0], _name(outcome, measured)))


def allow_changes(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Mark outcomes: their speed-ups are shown whatever the models did, and every report says so."""
    return [dataclasses.replace(item, tags={**item.tags, ALLOWED: "yes"}) for item in outcomes]


def allowed(outcome: Outcome) -> bool:
    """Whether a changed model is not to stop a speed-up."""
    return ALLOWED in outcome.tags


def _widest(found: Iterator[Iterator[Change]]) -> Iterator[Change]:
    widest: dict[str, Change] = {}
    for change in (change for some in found for change in some):
        if change.what not in widest or not change.difference <= widest[change.what].difference:
            widest[change.what] = change
    yield from widest.values()


def _differences(one: tuple[Application, str], other: tuple[Application, str]) -> Iterator[Change]:
    (first, name), (second, other_name) = one, other
    if first.fingerprint or second.fingerprint:
        difference = _distance(first.fingerprint, second.fingerprint)
        if not difference <= SAME_MODEL:
            yield Change("predictions", name, other_name, None, None, difference, SAME_MODEL)
    rated = bool(first.fingerprint)
    for metric, tolerance in _tolerances({*first.metrics, *second.metrics}, rated=rated).items():
        before, after = first.metrics.get(metric), second.metrics.get(metric)
        difference = abs(before - after) if before is not None and after is not None else float("inf")
        if not difference <= tolerance and not _both_nan(before, after):
            yield Change(metric, name, other_name, before, after, difference, tolerance)


def _tolerances(names: set[str], *, rated: bool) -> Mapping[str, float]:
    """Return what of the metrics must not change, and how far it may; a rate or a count of work done is no quality."""
    ranking = sorted(name for name in names if name.startswith(_RANKING)) if not rated else []
    fixed = {"rmse": SAME_MODEL * (1 + 1e-6), "coverage": _SAME_SHARE}
    return {name: value for name, value in fixed.items() if name in names} | dict.fromkeys(
        ranking, _SAME_RANKING
    )


def _distance(first: Sequence[float], second: Sequence[float]) -> float:
    """The largest difference of two lists of predictions; infinite where they cannot be compared."""
    left, right = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if left.shape != right.shape or (np.isnan(left) != np.isnan(right)).any():
        return float("inf")
    known = ~np.isnan(left)
    return float(np.max(np.abs(left[known] - right[known]), initial=0.0))


def _both_nan(first: float | None, second: float | None) -> bool:
    return first is not None and second is not None and bool(np.isnan(first) and np.isnan(second))


def _name(outcome: Outcome, among: Sequence[Outcome]) -> str:
    """Name a trial by its shape, and by all that tells it apart where shapes are the same."""
    same = sum(item.size == outcome.size for item in among)
    return str(outcome.size) if same == 1 else outcome.label


def _number(value: Any) -> str:
    return "missing" if value is None else f"{value:.6g}"
