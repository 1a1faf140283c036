"""Shapes of the synthetic sets: their size, skew and noise.

`ml-latest-small`, `ml-100k` and `ml-1m` were fitted to the real sets of those names, so that the RMSE of the global
mean, of the biases and of ALS stand to each other as there. The larger ones were not measured: their sizes, the
median and mean activity of their users, the ratings of their median and most popular item and the standard deviation
of their ratings follow the figures that GroupLens publishes, the rest is as in the small ones. `ml-100m` is `ml-32m`
grown to a hundred million rows.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from datasets.synthetic import generator
from datasets.synthetic.generator import Curve, World

RANK = 5
"""Planted dimensions."""

_FADE = 0.8  # strength of each planted dimension relative to the one before
_LIKED = 0.35  # correlation of an item's bias with the logarithm of its popularity
_TASTE = 1.5  # how much more readily people rate what suits them
_MOST = 0.8  # share of all items that the most active user may rate


@dataclass(frozen=True)
class Shape:
    """One synthetic set.

    Attributes:
        users, items, rows: sizes; rows are exact, users within half a percent.
        years: first year in which people rate, and the year in which they have stopped.
        activity: items rated by a user beyond the least, by the user's normal quantile.
        popularity: an item's weight by its normal quantile.
        scale: (lowest, highest, step) of ratings.
        mean, user_sd, item_sd, factor_sd, noise_sd: of the parts of the latent rating, in rating points.
    """

    users: int
    items: int
    rows: int
    years: tuple[int, int]
    activity: Curve
    popularity: Curve
    scale: tuple[float, float, float]
    mean: float
    user_sd: float
    item_sd: float
    factor_sd: float
    noise_sd: float


@dataclass(frozen=True)
class Plan:
    """A seeded set in full: the values that all users share, how many items each user rates, items' popularity quantiles."""

    world: World
    counts: np.ndarray
    popularity: np.ndarray


@lru_cache(maxsize=4)
def plan(shape: Shape, seed: int, rows: int) -> Plan:
    """Prepare a set of exactly `rows` ratings: the items stay, and users are added until there are enough rows."""
    key = np.uint64(seed % 2**64)
    spread = _FADE ** np.arange(RANK)
    spread *= shape.factor_sd / np.sqrt((spread**2).sum())
    z, weight, bias, factors = generator.item_tables(
        key, shape.items, shape.popularity, spread, shape.item_sd, _LIKED
    )
    at, alias = generator.alias_table(weight)
    begin, end = (np.datetime64(f"{year}-01-01", "s").astype(float) for year in shape.years)
    low, high, step = shape.scale
    latent = (shape.mean, shape.user_sd, shape.noise_sd, low, high, step)
    world = World(key, *latent, _TASTE, begin, end, bias, factors, weight, at, alias)
    return Plan(world, _counts(shape, key, rows), z)


def _counts(shape: Shape, key: np.uint64, rows: int) -> np.ndarray:
    users = max(1, int(shape.users * rows / shape.rows))
    while True:
        counts = generator.activity(key, users, shape.activity, int(_MOST * shape.items))
        total = np.cumsum(counts, dtype=np.int64)
        if total[-1] >= rows:
            break
        users += max(16, users // 100)
    last = int(np.searchsorted(total, rows))
    counts = counts[: last + 1].copy()
    counts[last] -= int(total[last] - rows)
    return counts  # type: ignore[no-any-return]


_WHOLE = (1.0, 5.0, 1.0)
_HALF = (0.5, 5.0, 0.5)
_LARGE = (3.07, 0.46, 0.52, 0.59, 0.78)

_32M = Shape(
    200_948, 87_585, 32_000_204, (1995, 2023),
    Curve(4.8946, 1.0054, 1.32), Curve(0.0, 1.4735, 6.8748), _HALF, *_LARGE,
)  # fmt: skip

SHAPES = {
    "ml-latest-small": Shape(
        610, 9_742, 100_836, (1996, 2018),
        Curve(4.902, 1.0459, 1.3214), Curve(0.0, 1.6, 0.0), _HALF, 3.125, 0.474, 0.527, 0.580, 0.743,
    ),
    "ml-100k": Shape(
        943, 1_682, 100_000, (1997, 1998),
        Curve(5.6339, 0.324, 2.5617), Curve(0.0, 1.0278, 1.6216), _WHOLE, 3.218, 0.491, 0.570, 0.539, 0.871,
    ),
    "ml-1m": Shape(
        6_040, 3_883, 1_000_209, (2000, 2003),
        Curve(5.58, 0.6112, 1.8122), Curve(0.0, 0.3269, 3.6805), _WHOLE, 3.25, 0.497, 0.577, 0.541, 0.843,
    ),
    "ml-10m": Shape(
        69_878, 10_681, 10_000_054, (1995, 2009),
        Curve(4.814, 0.9732, 1.32), Curve(0.0, 0.9814, 3.999), _HALF, *_LARGE,
    ),
    "ml-20m": Shape(
        138_493, 27_278, 20_000_263, (1995, 2015),
        Curve(4.7943, 0.9963, 1.32), Curve(0.0, 1.0526, 7.1256), _HALF, *_LARGE,
    ),
    "ml-25m": Shape(
        162_541, 62_423, 25_000_095, (1995, 2019),
        Curve(4.8569, 1.0039, 1.32), Curve(0.0, 1.3384, 7.1942), _HALF, *_LARGE,
    ),
    "ml-32m": _32M,
    "ml-100m": replace(_32M, users=627_950, rows=100_000_000),
}  # fmt: skip
"""Every synthetic set by the name of its variant."""
