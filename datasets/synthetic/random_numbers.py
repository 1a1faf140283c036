"""Random numbers for the generator, in compiled code: every number follows from (seed, purpose, user or item) alone.

A counter-based generator (splitmix64; Steele, Lea and Flood, 2014) gives each user and each item a stream of its
own for each purpose, so that nothing depends on how users are shared out among tasks.
"""

import math

import numpy as np

from datasets.compiled import compiled

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)
_RATIO = 0.6180339887498949  # steps of the golden ratio fill [0, 1) evenly, however many are taken

# What a stream is for.
ORDER = np.uint64(1)
FACTOR = np.uint64(2)
BIAS = np.uint64(3)
PICK = np.uint64(4)
CLOCK = np.uint64(5)
NOISE = np.uint64(6)
TIME = np.uint64(7)
USERS = np.uint64(0)
ITEMS = np.uint64(1 << 40)  # added to an item's number, so that users and items never share a stream


@compiled
def mix(value: np.uint64) -> np.uint64:
    """Scramble 64 bits."""
    value = (value ^ (value >> np.uint64(30))) * _MIX1
    value = (value ^ (value >> np.uint64(27))) * _MIX2
    return np.uint64(value ^ (value >> np.uint64(31)))


@compiled
def stream(seed: np.uint64, purpose: np.uint64, number: np.uint64) -> np.uint64:
    """Return the start of the stream that one user or item has for one purpose."""
    return np.uint64(mix(mix(seed + purpose * _GOLDEN) ^ mix(number * _GOLDEN + _GOLDEN)))


@compiled
def uniform(start: np.uint64, n: int) -> float:
    """Return the nth number of a stream, strictly between 0 and 1."""
    return (float(mix(start + np.uint64(n) * _GOLDEN) >> np.uint64(12)) + 0.5) * 2.0**-52


@compiled
def quantile(p: float) -> float:
    """Return the standard normal's quantile by Acklam's rational approximation, relative error below 1.2e-9."""
    q = min(p, 1.0 - p)
    if q < 0.02425:
        t = math.sqrt(-2.0 * math.log(q))
        top = -7.784894002430293e-03 * t - 3.223964580411365e-01
        top = ((top * t - 2.400758277161838) * t - 2.549732539343734) * t + 4.374664141464968
        low = (7.784695709041462e-03 * t + 3.224671290700398e-01) * t + 2.445134137142996
        z = (top * t + 2.938163982698783) / ((low * t + 3.754408661907416) * t + 1.0)
    else:
        d = q - 0.5
        r = d * d
        top = (-39.69683028665376 * r + 220.9460984245205) * r - 275.9285104469687
        top = ((top * r + 138.3577518672690) * r - 30.66479806614716) * r + 2.506628277459239
        low = (-54.47609879822406 * r + 161.5858368580409) * r - 155.6989798598866
        z = d * top / (((low * r + 66.80131188771972) * r - 13.28068155288572) * r + 1.0)
    return z if p <= 0.5 else -z


@compiled
def spread_out(seed: np.uint64, kind: np.uint64, number: int) -> float:
    """Return the normal quantile of a user's activity or an item's popularity: evenly spread over any first n numbers."""
    position = uniform(stream(seed, ORDER, kind), 0) + number * _RATIO
    return float(quantile(min(max(position - math.floor(position), 1e-9), 1.0 - 1e-9)))


@compiled
def normals(seed: np.uint64, purpose: np.uint64, number: int, out: np.ndarray) -> None:
    """Fill `out` with the standard normal numbers of one user or item."""
    start = stream(seed, purpose, np.uint64(number))
    for k in range(out.shape[0]):
        out[k] = quantile(uniform(start, k))
