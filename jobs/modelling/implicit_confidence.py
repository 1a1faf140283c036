"""Confidence of a preference in implicit feedback, from a rating or count r.

Y. Hu, Y. Koren, C. Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008: 1 + alpha r (linear), or
1 + alpha log(1 + r / eps) (log), for counts, of which a few are far larger than the rest. A rating below 0 says with the
same confidence that there is no preference, one of 0 with the least.
"""

import math
from typing import Any, Literal

import numpy as np
from pyspark.sql import Column
from pyspark.sql import functions as F

from core.errors import UsageError

Confidence = Literal["linear", "log"]


def check_confidence(alpha: float, eps: float) -> None:
    """Refuse values of `alpha` and `eps` that give no confidence.

    Raises:
        UsageError: with the name, the value and the allowed ones.
    """
    for name, value, fits, allowed in (
        ("alpha", alpha, alpha >= 0, "0 or more"),
        ("eps", eps, eps > 0, "above 0"),
    ):
        if not (fits and math.isfinite(value)):
            raise UsageError(f"{name} must be {allowed}, got {value:g}; set for example {name}=1")


def strength(rating: Column, kind: Confidence, eps: float) -> Column:
    """Return the factor of alpha in the confidence, float; a row without a rating counts as a rating of 1."""
    known = F.coalesce(rating, F.lit(1.0)).cast("double")
    if kind == "log":
        known = F.signum(known) * F.log1p(F.abs(known) / F.lit(eps))
    return known.cast("float")


def strength_of(ratings: Any, kind: Confidence, eps: float) -> Any:
    """Return `strength` of an array without missing values."""
    if kind == "linear":
        return ratings
    known = np.asarray(ratings, dtype=np.float64)
    return (np.sign(known) * np.log1p(np.abs(known) / eps)).astype(np.float32)
