"""Seconds and bytes of an iteration by arithmetic: computing, and shipping factors by broadcast or by the rows that blocks need."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from datasets.synthetic.generator import LEAST, Curve
from datasets.synthetic.shapes import SHAPES
from jobs.engine.normal_equations import flops

_QUANTILES = 20_000
_FLOAT = 4
WAYS = ("broadcast", "routed by the driver", "routed between workers")
"""How the other side's factors come to the blocks; the last one is not built."""


@dataclass(frozen=True)
class Measured:
    """Speeds of one core and of the network.

    Attributes:
        gflops: additions and multiplications of a core in the kernel, 1e9 a second; measured.
        load_mb_per_s: at which a Python worker loads factors; measured.
        stage_s: seconds of a stage beside the work in it; measured.
        slowest: time of the slowest core over the mean; measured.
        network_mb_per_s: of each machine's link; assumed.
    """

    gflops: float
    load_mb_per_s: float
    stage_s: float
    slowest: float
    network_mb_per_s: float


@dataclass(frozen=True)
class Data:
    """Ratings that a fit has; users and items are as skewed as in the shape `ml-32m`."""

    ratings: float
    users: float
    items: float

    @property
    def ids(self) -> float:
        """Users and items together."""
        return self.users + self.items


SIZES = (Data(1e8, 6.3e5, 8.8e4), Data(1e9, 6.3e6, 2.8e5), Data(1e10, 6.3e7, 8.8e5))
"""A hundred million ratings as in `ml-100m`; ten times as many have ten times the users, and about three times the items."""

WORKERS = (4, 16, 64, 256)


@dataclass(frozen=True)
class Iteration:
    """One iteration on so many workers of one core.

    Attributes:
        compute_s: in the kernel, on the slowest core.
        seconds: of all of it, by way of shipping.
        shipped: bytes to all workers, by way.
        most: bytes of factors that a Python worker holds at a time, by way.
    """

    workers: int
    compute_s: float
    seconds: dict[str, float]
    shipped: dict[str, float]
    most: dict[str, float]


def iteration(data: Data, workers: int, rank: int, measured: Measured, turns: int = 2) -> Iteration:
    """Return what an iteration takes; a worker has one core and `turns` blocks of each side."""
    blocks = workers * turns
    row = rank * _FLOAT
    network, load = measured.network_mb_per_s * 1e6, measured.load_mb_per_s * 1e6
    compute = (
        flops(round(2 * data.ratings), round(data.ids), rank)
        / workers
        / measured.gflops
        / 1e9
        * measured.slowest
    )
    # What the blocks of one side need of the other: distinct ids, added up over the blocks.
    needed = [row * _distinct(data, side, blocks) for side in ("users", "items")]
    whole = [row * data.users, row * data.items]
    back = row * data.ids / network  # into the driver, which has one link
    fixed = compute + 2 * measured.stage_s
    seconds = {
        "broadcast": fixed + back + sum(whole) / network + sum(whole) / load,
        "routed by the driver": fixed + back + sum(needed) / network + sum(needed) / workers / load,
        "routed between workers": fixed + sum(needed) / workers / network + sum(needed) / workers / load,
    }
    shipped = dict(zip(WAYS, (sum(whole) * workers, sum(needed), sum(needed)), strict=True))
    held = dict(zip(WAYS, (max(whole), max(needed) / blocks, max(needed) / blocks), strict=True))
    return Iteration(workers, compute, seconds, shipped, held)


def _distinct(data: Data, side: str, blocks: int) -> float:
    """Return the distinct ids of a side in the other side's blocks, added up: an id with n ratings is in b (1 - (1 - 1/b)^n) of b blocks."""
    numbers = _ratings_of(data, side)
    inside = -np.expm1(numbers * np.log1p(-1 / blocks)) if blocks > 1 else np.ones_like(numbers)
    return float(getattr(data, side) / len(numbers) * blocks * inside.sum())


def _ratings_of(data: Data, side: str) -> npt.NDArray[np.float64]:
    """Return the ratings of a side's ids at evenly spread quantiles; their mean is that of the data."""
    shape = SHAPES["ml-32m"]
    places = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    z = np.array([NormalDist().inv_cdf(place) for place in places])
    if side == "users":
        shaped = LEAST + np.exp(_along(shape.activity, z))
    else:
        shaped = np.exp(_along(shape.popularity, z))
    found: npt.NDArray[np.float64] = shaped / shaped.mean() * data.ratings / getattr(data, side)
    return found


def _along(curve: Curve, z: Any) -> Any:
    return curve.base + curve.slope * z - curve.bend * np.logaddexp(0, -z)


def every(rank: int, measured: Measured) -> Iterator[tuple[Data, Iteration]]:
    """Yield an iteration for each size of data and number of workers."""
    for data in SIZES:
        for workers in WORKERS:
            yield data, iteration(data, workers, rank, measured)


def fastest(found: Iteration, ways: Sequence[str] = WAYS) -> str:
    """Return the way in which an iteration takes least time."""
    return min(ways, key=found.seconds.__getitem__)
