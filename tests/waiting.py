"""Waits for what happens in other processes."""

import time
from collections.abc import Callable


def eventually(condition: Callable[[], object], seconds: float = 10) -> None:
    """Return as soon as the condition holds; fail the test if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.05)
