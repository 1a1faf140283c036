"""Confidence in the preference that implicit feedback gives, from a rating or count r.

Y. Hu, Y. Koren, C. Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008: 1 + alpha r (linear), or
1 + alpha log(1 + r / eps) (log), for counts, of which a few are far larger than the rest. A rating below 0 says with the
same confidence that there is no preference, one of 0 with the least.
"""

import math
from typing import Any, Literal

import numpy as np
from pyspark.sql import Column
from pyspark.sql import functions as F

from datasets.errors import UsageError

Confidence = Literal["linear", "log"]


def check_confidence(alpha: float, eps: float) -> None:
    """Refuse numbers that make no confidence.

    Raises:
        UsageError: with the name and what it may be.
    """
    for name, value, fits, allowed in (
        ("alpha", alpha, alpha >= 0, "0 or more"),
        ("eps", eps, eps > 0, "above 0"),
    ):
        if not (fits and math.isfinite(value)):
            raise UsageError(f"{name}={value:g}: must be {allowed}, for example {name}=1")


def strength(rating: Column, kind: Confidence, eps: float) -> Column:
    """Return what alpha multiplies, float; a row without a rating counts as a rating of 1."""
    known = F.coalesce(rating, F.lit(1.0)).cast("double")
    if kind == "log":
        known = F.signum(known) * F.log1p(F.abs(known) / F.lit(eps))
    return known.cast("float")


def strength_of(ratings: Any, kind: Confidence, eps: float) -> Any:
    """Return the same of an array without gaps."""
    if kind == "linear":
        return ratings
    known = np.asarray(ratings, dtype=np.float64)
    return (np.sign(known) * np.log1p(np.abs(known) / eps)).astype(np.float32)
