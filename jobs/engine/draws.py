"""Random numbers of rows that depend on what they are for, not on when or where they are drawn.

A counter-based generator computes each number from a key and a counter, so that a row's draws are the same in every block,
on every worker, and when a task is run again (J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel Random Numbers: As Easy as
1, 2, 3", SC 2011: Philox 4x32 of ten rounds). Normal numbers are made of pairs by Box and Muller's transform.
"""

import math

import numpy as np

from datasets.compiled import compiled
from jobs.engine.arrays import Floats

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_TWO_PI = 2.0 * math.pi


def unit_vectors(count: int, rank: int, seed: int, side: int) -> Floats:
    """Return `count` random unit vectors float32 [count, rank]; vector `n` depends on seed, side, n and rank alone."""
    out = np.empty((count, rank), dtype=np.float32)
    _unit_vectors(np.uint64(seed), np.uint64(side), out)
    return out


@compiled
def _unit_vectors(seed, side, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for row in range(len(out)):
        normals(seed, side, np.uint64(row), out[row], out.shape[1])
        length = np.float32(0.0)
        for j in range(out.shape[1]):
            length += out[row, j] * out[row, j]
        scale = np.float32(1.0) / np.sqrt(length)
        for j in range(out.shape[1]):
            out[row, j] *= scale


@compiled
def philox(word, row, stream, seed):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return four random words of 32 bits (in uint64) for a counter (word, row, stream) and a key; row and stream have 64 and 32 bits."""
    c0, c1, c2, c3 = word & _LOW, row & _LOW, row >> _HALF, stream & _LOW
    k0, k1 = seed & _LOW, seed >> _HALF
    for _ in range(10):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (p1 >> _HALF) ^ c1 ^ k0, p1 & _LOW, (p0 >> _HALF) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return c0, c1, c2, c3


@compiled
def normals(seed, stream, row, out, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Fill out[:count] with independent standard normal numbers of a row in a stream; all three numbers are uint64."""
    for first in range(0, count, 4):
        words = philox(np.uint64(first // 4), row, stream, seed)
        for pair in range(2):
            if first + 2 * pair < count:
                above_zero = (np.float64(words[2 * pair]) + 1.0) / 4294967296.0
                length = math.sqrt(-2.0 * math.log(above_zero))
                angle = _TWO_PI * np.float64(words[2 * pair + 1]) / 4294967296.0
                out[first + 2 * pair] = length * math.cos(angle)
                if first + 2 * pair + 1 < count:
                    out[first + 2 * pair + 1] = length * math.sin(angle)
