"""The order in which those that are compared take turns: random, so that no rhythm of the host is one of ours, and balanced.

A fixed order (A B, B A, A B, ...) has a period of its own, four applications of two sides, and what the host does with the
same period then always meets the same side. Orders are drawn instead: half of the rounds at random, the other half the
same ones backwards, all of them shuffled. So each runs before each other as often as after it, which cancels a steady
drift, and nobody can be in step with it. The seed makes the order the same whenever it is asked for.
"""

import hashlib
from collections.abc import Callable
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")


def balanced(
    rounds: int, seed: str, shuffled: Callable[[np.random.Generator], list[Item]]
) -> list[list[Item]]:
    """Return the order of each of so many rounds; of an odd number one order has no counterpart.

    Args:
        rounds: how many.
        seed: any text; the same text gives the same orders.
        shuffled: returns all that take part, in an order that it draws.
    """
    random = np.random.default_rng(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8]))
    forth = [shuffled(random) for _ in range((rounds + 1) // 2)]
    both = [*forth, *(order[::-1] for order in forth)]
    return [both[place] for place in random.permutation(len(both))[:rounds]]
