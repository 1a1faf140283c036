"""Times at which messages are due: evenly, at random, or spread over the time that they tell of."""

import math
import random
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count

from core.errors import UsageError

_BLOCK = 1024


def evenly(rate: float) -> Iterator[float]:
    """Yield seconds at a fixed distance from each other, from 0, without end."""
    for block in count(0, _BLOCK):
        yield from [number / rate for number in range(block, block + _BLOCK)]


def poisson(rate: float, seed: int) -> Iterator[float]:
    """Yield seconds whose distances are exponentially distributed, from 0, without end."""
    draw, due, scale = random.Random(f"arrivals {seed}").random, 0.0, -1.0 / rate  # noqa: S311 - not for secrets
    while True:
        yield due
        due += scale * math.log(1.0 - draw())


def started(text: str) -> int:
    """Read a start: milliseconds since 1970, or a date and time as ISO 8601 writes it, of UTC if it names no zone.

    Raises:
        UsageError: it is neither.
    """
    if re.fullmatch(r"\d+", text):
        return int(text)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--start must be milliseconds since 1970 or a time as in 2026-01-31T08:00:00Z, got {text!r}"
        ) from None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def now_ms() -> int:
    """Return the time now as milliseconds since 1970."""
    return time.time_ns() // 1_000_000
