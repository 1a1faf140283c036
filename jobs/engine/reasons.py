"""Reasons for the items of a list, as codes with items and weights.

What each item of the history adds to a score, as Y. Hu, Y. Koren, C. Volinsky, "Collaborative Filtering for Implicit Feedback Datasets",
ICDM 2008, section 5, explain a product of factors: with A x = sum of w t v over the history, x . y is the sum of w t (A^-1 y) . v.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from datasets.compiled import compiled
from jobs.engine.arrays import Floats, Ints
from jobs.engine.lists import Lists, Parts, kept, likings
from jobs.engine.neighbours import Csr
from jobs.engine.vectors import cosines_between

LIKED, WATCHED, NEAR, POPULAR = "liked", "watched", "near", "popular"
"""Codes: those who liked, or watched, the named item like this one; its contents are near to the named item's; many like it."""

MOST = 3
_CODES = (LIKED, NEAR, POPULAR, WATCHED)
"""Codes by the numbers that compiled code knows them by, in their order."""


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
    popular = weights[2] * lists.popularity[items].astype(np.float64)
    codes = np.full((len(items), MOST), -1, dtype=np.int64)
    entries, shares = np.full_like(codes, -1), np.zeros(codes.shape)
    out = codes, entries, shares
    _weightiest(history, by_factors, by_content.astype(np.float64), popular, out)
    return [
        [
            Reason(_CODES[code], entry, round(share, 4))
            for code, entry, share in zip(*of_item, strict=True)
            if code >= 0
        ]
        for of_item in zip(codes.tolist(), entries.tolist(), shares.tolist(), strict=True)
    ]


def _over(weight: float, unit: float) -> float:
    return float(weight / unit) if unit > 0 else 0.0


@compiled
def _weightiest(history, factors, content, popular, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write codes, entries and shares of the weightiest reasons of each item, ties by code, then by entry."""
    values, shares = history.values, out[2]
    for n in range(len(popular)):
        total = max(popular[n], 0.0)
        if popular[n] > 0:
            _insert(out, n, (2, -1, popular[n]))
        for at in range(len(values)):
            if values[at] <= 0:
                continue
            if factors[at, n] > 0:
                total += factors[at, n]
                _insert(out, n, (0 if values[at] >= 1 else 3, history.indices[at], factors[at, n]))
            if content[at, n] > 0:
                total += content[at, n]
                _insert(out, n, (1, history.indices[at], content[at, n]))
        if total > 0:
            for place in range(shares.shape[1]):
                shares[n, place] /= total


@compiled
def _insert(out, n, reason):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Put a reason into its place among the weightiest of an item, if it is one of them."""
    codes, entries, shares = out[0][n], out[1][n], out[2][n]
    code, entry, share = reason
    place = len(codes)
    while place > 0 and (
        codes[place - 1] < 0
        or share > shares[place - 1]
        or (share == shares[place - 1] and (code, entry) < (codes[place - 1], entries[place - 1]))
    ):
        place -= 1
    if place == len(codes):
        return
    for other in range(len(codes) - 1, place, -1):
        codes[other], entries[other], shares[other] = codes[other - 1], entries[other - 1], shares[other - 1]
    codes[place], entries[place], shares[place] = code, entry, share


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
    by_item, by_term = lists.known.contents
    cosines_between(history.indices, items, by_item, len(by_term.indptr) - 1, out)
    return out * history.values[:, None]
