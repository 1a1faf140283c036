"""Scores of all items for users, in compiled code that adds up in one order: a user's scores are the same to the last bit, alone or among others.

BLAS picks its order by the shape of the matrices; so a list made for one person could differ from the same list made in a batch.
"""

import numpy as np

from datasets.compiled import compiled
from jobs.engine.arrays import Floats
from jobs.engine.normal_equations import padded

TILE = 256
"""Items whose factors lie together, factor by factor: with 64 factors a tile is 64 KiB."""


def tiled(factors: Floats) -> Floats:
    """Arrange item factors [items, rank] for `products`: float32 [tiles, rank, TILE], zeros at the end."""
    known = padded(factors)
    tiles = max(1, -(-len(known) // TILE))
    wide = np.zeros((tiles * TILE, known.shape[1]), dtype=np.float32)
    wide[: len(known)] = known
    return np.ascontiguousarray(wide.reshape(tiles, TILE, -1).transpose(0, 2, 1))


def products(tiles: Floats, users: Floats, items: int) -> Floats:
    """Return the products of factors, float32 [users, items].

    Args:
        tiles: as `tiled` arranges them.
        users: float32 [users, rank].
        items: how many there are.
    """
    out = np.empty((len(users), len(tiles) * TILE), dtype=np.float32)
    _products(tiles, padded(users), out)
    return out[:, :items]


@compiled(fastmath=("contract",))
def _products(tiles, users, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for t in range(len(tiles)):
        tile = tiles[t]
        for n in range(len(users)):
            own, line = users[n], out[n, t * TILE : (t + 1) * TILE]
            line[:] = 0
            for f in range(0, len(own), 8):
                w0, w1, w2, w3 = own[f], own[f + 1], own[f + 2], own[f + 3]
                w4, w5, w6, w7 = own[f + 4], own[f + 5], own[f + 6], own[f + 7]
                for i in range(TILE):
                    some = w0 * tile[f, i] + w1 * tile[f + 1, i] + w2 * tile[f + 2, i] + w3 * tile[f + 3, i]
                    more = (
                        w4 * tile[f + 4, i] + w5 * tile[f + 5, i] + w6 * tile[f + 6, i] + w7 * tile[f + 7, i]
                    )
                    line[i] += some + more


def standardise(scores: Floats) -> Floats:
    """Shift and scale each row to mean 0 and deviation 1, in place; one that does not vary becomes zeros.

    Returns:
        The deviations, float32 [rows], 0 for a row that does not vary.
    """
    deviations = np.zeros(len(scores), dtype=np.float32)
    _standardise(scores, deviations)
    return deviations


@compiled
def _standardise(scores, deviations):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    width = scores.shape[1]
    for row in range(len(scores)):
        line = scores[row]
        total, squares = 0.0, 0.0
        for i in range(width):
            total += line[i]
        mean = total / width
        for i in range(width):
            squares += (line[i] - mean) ** 2
        deviation = np.sqrt(squares / width)
        if not deviation > 1e-12:
            line[:] = 0
            continue
        deviations[row] = deviation
        shift, scale = np.float32(mean), np.float32(1.0 / deviation)
        for i in range(width):
            line[i] = (line[i] - shift) * scale


@compiled(fastmath=("contract",))
def mix(factors, content, popularity, weights, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Write weighted sums of three scores to `out`, float32 [users, items].

    Args:
        factors: float32 [users, items].
        content: the same.
        popularity: float32 [items].
        weights: float32 [users, 3], of each.
        out: receives the sums.
    """
    for row in range(len(out)):
        one, two, three = weights[row, 0], weights[row, 1], weights[row, 2]
        for i in range(out.shape[1]):
            out[row, i] = one * factors[row, i] + two * content[row, i] + three * popularity[i]
