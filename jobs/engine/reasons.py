"""Reasons for the items of a list, as codes with items and weights.

What each item of the history adds to a score, as Y. Hu, Y. Koren, C. Volinsky, "Collaborative Filtering for Implicit Feedback Datasets",
ICDM 2008, section 5, explain a product of factors: with A x = sum of w t v over the history, x . y is the sum of w t (A^-1 y) . v.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jobs.engine.arrays import Floats, Ints
from jobs.engine.lists import Lists, Parts, kept, likings
from jobs.engine.neighbours import Csr
from jobs.engine.vectors import cosines_between

LIKED, WATCHED, NEAR, POPULAR = "liked", "watched", "near", "popular"
"""Codes: those who liked, or watched, the named item like this one; its contents are near to the named item's; many like it."""

MOST = 3


class Reason(NamedTuple):
    """One reason.

    Attributes:
        code: one of the above.
        item: place of the item of the history; -1 for POPULAR.
        weight: share of all that speaks for the item, above 0 to 1.
    """

    code: str
    item: int
    weight: float


def reasons(lists: Lists, history: Csr, parts: Parts, items: Ints) -> list[list[Reason]]:
    """Return up to MOST reasons for each of some items, the weightiest first.

    Args:
        lists: what made the list.
        history: one row.
        parts: that row's scores.
        items: places [n], of the list.
    """
    weights = lists.known.blend.of(likings(history))[0]
    by_factors = _shares(lists, history, items) * _over(weights[0], parts.factors_unit[0])
    by_content = _likenesses(lists, history, items) * _over(weights[1], parts.content_unit[0])
    popular = weights[2] * lists.popularity[items]
    return [_best(history, by_factors[:, n], by_content[:, n], float(popular[n])) for n in range(len(items))]


def _over(weight: float, unit: float) -> float:
    return float(weight / unit) if unit > 0 else 0.0


def _best(history: Csr, factors: npt.NDArray[np.float64], content: Floats, popular: float) -> list[Reason]:
    found = [Reason(POPULAR, -1, popular)] if popular > 0 else []
    for codes, shares in ((None, factors), (NEAR, content)):
        for place in np.argsort(-shares, kind="stable")[:MOST]:
            if shares[place] > 0 and history.values[place] > 0:
                code = codes or (LIKED if history.values[place] >= 1 else WATCHED)
                found.append(Reason(code, int(history.indices[place]), float(shares[place])))
    speaking = history.values > 0
    total = sum(float(part[speaking & (part > 0)].sum()) for part in (factors, content)) + max(popular, 0.0)
    found.sort(key=lambda reason: (-reason.weight, reason.code, reason.item))
    return [reason._replace(weight=round(reason.weight / total, 4)) for reason in found[:MOST]]


def _shares(lists: Lists, history: Csr, items: Ints) -> npt.NDArray[np.float64]:
    """Return what each entry of a history adds to the product of factors of each item, float64 [entries, items]."""
    known, out = lists.known, np.zeros((len(history.indices), len(items)))
    there = known.fitted[history.indices]
    rows = kept(history, there)
    if not len(rows.indices):
        return out
    targets, weights, ridge = known.rule.equations(rows)
    strengths = np.ones(len(targets)) if weights is None else weights.astype(np.float64)
    own = known.factors[rows.indices].astype(np.float64)
    matrix = (own * strengths[:, None]).T @ own + np.eye(own.shape[1]) * float(ridge[0])
    if lists.fold.prior is not None:
        matrix += lists.fold.prior.matrix
    solved = np.linalg.solve(matrix, known.factors[items].astype(np.float64).T)
    out[there] = (own @ solved) * (strengths * targets)[:, None]
    return out


def _likenesses(lists: Lists, history: Csr, items: Ints) -> Floats:
    """Return what each entry of a history adds to the content score of each item, float32 [entries, items]."""
    out = np.zeros((len(history.indices), len(items)), dtype=np.float32)
    cosines_between(history.indices, items, lists.known.contents.by_item, out)
    return out * history.values[:, None]
