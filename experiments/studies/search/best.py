"""Which of the trials of a search did best, from their outcomes alone."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from experiments.metric_table import phase_of
from experiments.results.metrics import medians, quality
from experiments.results.outcome import Outcome
from experiments.spec.search_space import Search

VALIDATION = "validation"


@dataclass(frozen=True)
class Tried:
    """One trial of a search; `score` is None where it failed, `over_s` the seconds above the limit (0 or less: within)."""

    outcome: Outcome
    settings: dict[str, Any]
    score: float | None
    seconds: float | None
    over_s: float

    @property
    def eligible(self) -> bool:
        """Whether it may be chosen."""
        return self.score is not None and self.over_s <= 0


def tried(search: Search, outcome: Outcome) -> Tried:
    """Read one outcome as the search sees it."""
    score = quality(outcome).get(search.metric) if outcome.status == "ok" else None
    found = medians(outcome, phase_of(search.time_metric))
    seconds = statistics.median(found) if found else None
    limit = search.time_limit_s
    over = 0.0 if limit is None else (float("inf") if seconds is None else seconds - limit)
    return Tried(outcome, {key: outcome.values.get(key) for key in search.space}, score, seconds, over)


def validated(search: Search, outcomes: Sequence[Outcome]) -> list[Tried]:
    """Return the trials of the search itself, in their order."""
    return [tried(search, item) for item in outcomes if item.values.get("job.part") == VALIDATION]


def best(search: Search, trials: Sequence[Tried]) -> Tried | None:
    """Return the best of the eligible, the earliest of equals; None if there is none."""
    sign = 1.0 if search.lowest else -1.0
    eligible = [item for item in trials if item.eligible]
    return min(eligible, key=lambda item: sign * (item.score or 0.0), default=None)


def final(outcomes: Sequence[Outcome], chosen: Tried) -> Outcome | None:
    """Return the trial that fitted the chosen settings on all of training, None if it was not run."""
    for item in outcomes:
        if item.values.get("job.export") and all(
            item.values.get(key) == value for key, value in chosen.settings.items()
        ):
            return item
    return None
