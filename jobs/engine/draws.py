"""Random numbers of rows of a fit: they depend on seed, stream and id, not on when or where they are drawn."""

import numpy as np

from datasets.compiled import compiled
from datasets.synthetic.random_numbers import normals
from jobs.engine.arrays import Floats

_OF_FITS = np.uint64(1 << 32)
"""Added to a stream, so that a fit shares none with generated data of the same seed."""


def unit_vectors(count: int, rank: int, seed: int, side: int) -> Floats:
    """Return `count` random unit vectors float32 [count, rank]; vector `n` depends on seed, side, n and rank alone."""
    out = np.empty((count, rank), dtype=np.float32)
    _unit_vectors(np.uint64(seed), np.uint64(side), out)
    return out


@compiled
def _unit_vectors(seed, side, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for row in range(len(out)):
        draw_normals(seed, side, row, out[row])
        length = np.float32(0.0)
        for j in range(out.shape[1]):
            length += out[row, j] * out[row, j]
        scale = np.float32(1.0) / np.sqrt(length)
        for j in range(out.shape[1]):
            out[row, j] *= scale


@compiled
def draw_normals(seed, stream, row, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Fill `out` with independent standard normal numbers of a row in a stream; seed and stream are uint64."""
    normals(seed, stream + _OF_FITS, row, out)
