"""Quality of two sides, paired over the users of one test part.

Users are the sample: ratings of one user are alike, so rows are no independent draws. For nDCG the difference is a mean
over users. RMSE is the root of a ratio of sums over users, whose variance comes from the delta method: each user's
influence on the difference of the two roots (Cochran, "Sampling Techniques", 3rd ed., 1977, section 6.4). Both give
Student's t intervals; where several metrics are judged they share the 5% (Bonferroni).
Shares of scored rows are judged where they differ, and errors are not then: they would be of different rows.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy import special

from core.errors import UsageError
from experiments.metric_table import COVERAGE, RMSE
from experiments.results.model_equality import SAME_MODEL
from experiments.stats.intervals import ALPHA, POWER, reach, upper_bound
from jobs.judge.per_user import PerUser, read

LEAST_USERS = 30
FLOOR = SAME_MODEL

QualityVerdict = Literal["better", "worse", "indistinguishable", "too few"]


@dataclass(frozen=True)
class Quality:
    """One metric of both sides.

    Attributes:
        baseline, contender: its values.
        low, high: interval of contender minus baseline; None with too few users.
        level: of the interval, 0.95 or more.
        detectable: the difference that would have been found in at least 80 of 100 such tests, from the upper 95% bound of
            the users' spread.
        users: over whom it is paired.
        lower_is_better: as for RMSE.
    """

    metric: str
    baseline: float
    contender: float
    low: float | None
    high: float | None
    level: float
    detectable: float | None
    users: int
    lower_is_better: bool

    @property
    def difference(self) -> float:
        """Contender minus baseline."""
        return self.contender - self.baseline

    @property
    def verdict(self) -> QualityVerdict:
        """Verdict on the users; differences that fitting the same model twice may leave count as none."""
        return self.beyond(0.0)

    def beyond(self, tolerance: float) -> QualityVerdict:
        """Say "better" or "worse" only of a difference of more than this share of the baseline's value."""
        if self.low is None or self.high is None:
            return "too few"
        least = max(FLOOR, tolerance * abs(self.baseline))
        if self.low > least:
            return "worse" if self.lower_is_better else "better"
        if self.high < -least:
            return "better" if self.lower_is_better else "worse"
        return "indistinguishable"


def same_rows(files: Mapping[str, Path]) -> None:
    """Refuse sides whose test rows differ; sides of older code, which write no file per user, cannot be checked.

    Args:
        files: that of each side.

    Raises:
        UsageError: they differ.
    """
    known = [read(path) for path in files.values() if path.exists()]
    if len(known) < 2:
        return
    first, second = known
    same = all(
        np.array_equal(getattr(first, name), getattr(second, name)) for name in ("user", "rows", "check")
    )
    if not same:
        raise UsageError(
            f"the two sides judge different test rows ({int(first.rows.sum()):,} and {int(second.rows.sum()):,}), so "
            "neither their times nor their quality can be compared; give both the same data, split and seed"
        )


def qualities(baseline: PerUser, contender: PerUser) -> tuple[list[Quality], list[str]]:
    """Compare all metrics that both sides have, on the same users.

    Returns:
        The metrics, and a sentence for each that cannot be compared.
    """
    refused = []
    wanted = list(_wanted(baseline, contender))
    if not np.array_equal(baseline.scored, contender.scored):
        wanted = [*(name for name in wanted if name != RMSE.key), COVERAGE.key]
        shares = [side.scored.sum() / side.rows.sum() for side in (baseline, contender)]
        refused.append(
            f"RMSE is not compared: the baseline scores {shares[0]:.1%} of the test rows and the contender "
            f"{shares[1]:.1%}, so it would be of different rows"
        )
    level = 1 - ALPHA / max(1, len(wanted))
    return [_METRICS[name](baseline, contender, level) for name in wanted], refused


def rmse(baseline: PerUser, contender: PerUser, level: float = 1 - ALPHA) -> Quality:
    """Compare the roots of the mean squared errors over the same scored rows."""
    rows = baseline.scored.astype(float)
    total = rows.sum()
    roots = [math.sqrt(np.nansum(side.squared) / total) for side in (baseline, contender)]
    first, second = (
        (np.nan_to_num(side.squared) - rows * root**2) / (2 * root * total) if root else np.zeros(len(rows))
        for side, root in zip((baseline, contender), roots, strict=True)
    )
    kept = rows > 0
    return _judged(
        RMSE.key, roots[0], roots[1], (second - first)[kept] * kept.sum(), level, lower_is_better=True
    )


def ndcg(baseline: PerUser, contender: PerUser, level: float = 1 - ALPHA) -> Quality:
    """Compare the means over users with a relevant test item."""
    kept = np.isfinite(baseline.ndcg) & np.isfinite(contender.ndcg)
    first, second = baseline.ndcg[kept], contender.ndcg[kept]
    difference = second - first
    centred = difference - difference.mean() if len(difference) else difference
    means = [float(side.mean()) if len(side) else math.nan for side in (first, second)]
    return _judged("ndcg", means[0], means[1], centred, level, lower_is_better=False)


def coverage(baseline: PerUser, contender: PerUser, level: float = 1 - ALPHA) -> Quality:
    """Compare the shares of the test rows that each side scores."""
    rows = baseline.rows.astype(float)
    total = rows.sum()
    shares = [float(side.scored.sum() / total) for side in (baseline, contender)]
    first, second = (
        (side.scored - rows * share) / total
        for side, share in zip((baseline, contender), shares, strict=True)
    )
    kept = rows > 0
    influence = (second - first)[kept] * kept.sum()
    return _judged(COVERAGE.key, shares[0], shares[1], influence, level, lower_is_better=False)


def _wanted(baseline: PerUser, contender: PerUser) -> Iterator[str]:
    for metric, column in ((RMSE.key, "squared"), ("ndcg", "ndcg")):
        if all(np.isfinite(getattr(side, column)).any() for side in (baseline, contender)):
            yield metric


def _judged(
    metric: str, baseline: float, contender: float, influence: Any, level: float, *, lower_is_better: bool
) -> Quality:
    """Make an interval of each user's influence, whose mean has the variance of the difference."""
    users = len(influence)
    low = high = detectable = None
    if users >= LEAST_USERS:
        error = float(np.sqrt(np.square(influence).sum() / (users - 1) / users))
        difference, away = contender - baseline, float(reach(error, users - 1, level))
        low, high = difference - away, difference + away
        far = float(reach(1.0, users - 1, level)) + float(special.ndtri(POWER))
        detectable = far * upper_bound(error, users - 1)
    return Quality(metric, baseline, contender, low, high, level, detectable, users, lower_is_better)


_METRICS = {RMSE.key: rmse, "ndcg": ndcg, COVERAGE.key: coverage}
