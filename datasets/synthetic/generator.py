"""Generator of synthetic ratings in compiled code; it gives the same rows however users are divided among tasks.

The latent rating of user u for item i is mean + user bias + item bias + user factors . item factors + normal noise;
it is rounded and clipped to the scale. Items are drawn without repeats, in proportion to popularity, and kept the more
likely the better they fit the user.
"""

import math
from typing import NamedTuple

import numpy as np

from datasets.compiled import compiled
from datasets.synthetic.random_numbers import (
    BIAS,
    CLOCK,
    FACTOR,
    ITEMS,
    NOISE,
    PICK,
    TIME,
    USERS,
    normals,
    quantile,
    spread_out,
    stream,
    uniform,
)

LEAST = 20
"""Ratings of the least active user, as in the real sets."""


class World(NamedTuple):
    """Values that all users share; `factors` is items x dimensions, `begin` and `end` are seconds since 1970."""

    seed: np.uint64
    mean: float
    user_sd: float
    noise_sd: float
    low: float
    high: float
    step: float
    taste: float
    begin: float
    end: float
    bias: np.ndarray
    factors: np.ndarray
    weight: np.ndarray
    alias_at: np.ndarray
    alias: np.ndarray


class Curve(NamedTuple):
    """Logarithm of an activity or popularity by normal quantile z: base + slope z - bend log(1 + exp(-z))."""

    base: float
    slope: float
    bend: float


@compiled
def curve_at(curve: Curve, z: float) -> float:
    """Evaluate a curve."""
    return math.exp(curve.base + curve.slope * z - curve.bend * math.log1p(math.exp(-z)))


@compiled
def activity(seed: np.uint64, users: int, curve: Curve, most: int) -> np.ndarray:
    """Return how many items each of the first `users` users rates."""
    counts = np.empty(users, dtype=np.int32)
    for user in range(users):
        counts[user] = min(most, LEAST + int(curve_at(curve, spread_out(seed, USERS, user))))
    return counts


@compiled
def item_tables(  # noqa: PLR0917 - compiled functions take plain arguments
    seed: np.uint64, items: int, popularity: Curve, spread: np.ndarray, bias_sd: float, liked: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return each item's popularity quantile, weight, bias and factors (items x dimensions, scaled by `spread`)."""
    z, weight, bias = np.empty(items), np.empty(items), np.empty(items)
    factors = np.empty((items, spread.shape[0]))
    for item in range(items):
        number = np.uint64(item) + ITEMS
        z[item] = spread_out(seed, ITEMS, item)
        weight[item] = curve_at(popularity, z[item])
        own = quantile(uniform(stream(seed, BIAS, number), 0))
        bias[item] = bias_sd * (liked * z[item] + math.sqrt(1.0 - liked * liked) * own)
        normals(seed, FACTOR, number, factors[item])
        factors[item] *= spread
    return z, weight, bias, factors


@compiled
def alias_table(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Prepare drawing in proportion to `weight` in constant time (Vose, 1991)."""
    n = weight.shape[0]
    scaled = weight * (n / weight.sum())
    at = np.ones(n)
    alias = np.arange(n).astype(np.int32)
    small = np.flatnonzero(scaled < 1.0)
    large = np.flatnonzero(scaled >= 1.0)
    queue = np.empty(2 * n, dtype=np.int64)
    queue[: small.size] = small
    head, tail, big = 0, small.size, 0
    while head < tail and big < large.size:
        low, high = queue[head], large[big]
        head += 1
        at[low] = scaled[low]
        alias[low] = high
        scaled[high] -= 1.0 - scaled[low]
        if scaled[high] < 1.0:
            queue[tail] = high
            tail += 1
            big += 1
    return at, alias


@compiled
def fit(own: np.ndarray, factors: np.ndarray, item: int) -> float:
    """Return how well an item fits a user's taste, on the rating scale."""
    total = 0.0
    for k in range(own.shape[0]):
        total += own[k] * factors[item, k]
    return total


@compiled
def pick(world: World, user: int, own: np.ndarray, stamp: np.ndarray, items: np.ndarray) -> None:
    """Fill `items` with distinct items for a user; `stamp` holds, for each item, the last user that picked it."""
    wanted, n = items.shape[0], world.alias.shape[0]
    start = stream(world.seed, PICK, np.uint64(user))
    found = 0
    for draw in range(6 * wanted + 64):
        u = uniform(start, 2 * draw) * n
        slot = int(u)
        item = slot if u - slot < world.alias_at[slot] else world.alias[slot]
        if stamp[item] == user:
            continue
        if (
            uniform(start, 2 * draw + 1) * (1.0 + math.exp(-world.taste * fit(own, world.factors, item)))
            < 1.0
        ):
            stamp[item] = user
            items[found] = item
            found += 1
            if found == wanted:
                return
    pick_rest(world, user, own, stamp, items[found:])


@compiled
def pick_rest(world: World, user: int, own: np.ndarray, stamp: np.ndarray, items: np.ndarray) -> None:
    """Fill `items` for users who have rated most popular items, by the smallest exponentially distributed times."""
    n = world.alias.shape[0]
    start = stream(world.seed, CLOCK, np.uint64(user))
    rings = np.full(n, np.inf)
    for item in range(n):
        if stamp[item] != user:
            kept = 1.0 + math.exp(-world.taste * fit(own, world.factors, item))
            rings[item] = -math.log(uniform(start, item)) * kept / world.weight[item]
    order = np.argsort(rings)
    items[:] = order[: items.shape[0]]


@compiled
def latent(world: World, user: int, own: np.ndarray, item: int) -> float:
    """Return the rating before noise, rounding and clipping."""
    bias = world.user_sd * quantile(uniform(stream(world.seed, BIAS, np.uint64(user)), 0))
    return float(world.mean + bias + world.bias[item] + fit(own, world.factors, item))


@compiled
def rate(world: World, user: int, item: int, middle: float) -> float:
    """Return the rating that a user gives: noise added, rounded to the nearest step, clipped to the scale."""
    noise = quantile(uniform(stream(world.seed, NOISE, np.uint64(user)), item))
    steps = math.floor((middle + world.noise_sd * noise - world.low) / world.step + 0.5)
    return float(min(max(world.low + steps * world.step, world.low), world.high))


@compiled
def expected(world: World, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Return the mean of `rate` over its noise for each pair; no predictor can have a smaller squared error."""
    own = np.empty(world.factors.shape[1])
    out = np.empty(users.shape[0])
    levels = round((world.high - world.low) / world.step)
    for row in range(users.shape[0]):
        normals(world.seed, FACTOR, users[row], own)
        middle = latent(world, users[row], own, items[row])
        out[row] = world.low
        for level in range(levels):
            z = (world.low + (level + 0.5) * world.step - middle) / world.noise_sd
            out[row] += world.step * 0.5 * math.erfc(z / math.sqrt(2.0))
    return out


@compiled
def generate(
    world: World, first: int, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Generate all rows of the users `first`, `first` + 1, ...: (user, item, rating, seconds since 1970)."""
    rows = counts.sum()
    users, items = np.empty(rows, dtype=np.int32), np.empty(rows, dtype=np.int32)
    ratings, at = np.empty(rows, dtype=np.float32), np.empty(rows, dtype=np.int64)
    own = np.empty(world.factors.shape[1])
    stamp = np.full(world.alias.shape[0], -1, dtype=np.int64)
    begin = 0
    for k in range(counts.shape[0]):
        user, end = first + k, begin + counts[k]
        normals(world.seed, FACTOR, user, own)
        pick(world, user, own, stamp, items[begin:end])
        times(world, user, at[begin:end])
        for row in range(begin, end):
            users[row] = user
            ratings[row] = rate(world, user, items[row], latent(world, user, own, items[row]))
        begin = end
    return users, items, ratings, at


@compiled
def times(world: World, user: int, at: np.ndarray) -> None:
    """Fill `at` with rising times: sittings of a rating every twenty seconds or so, a month or so between them."""
    start = stream(world.seed, TIME, np.uint64(user))
    now = world.begin + uniform(start, 0) * (world.end - world.begin - 86400.0)
    for n in range(at.shape[0]):
        now -= 20.0 * math.log(uniform(start, 3 * n + 1))
        if uniform(start, 3 * n + 2) < 0.01:
            now -= 30.0 * 86400.0 * math.log(uniform(start, 3 * n + 3))
        at[n] = int(min(now, world.end))
