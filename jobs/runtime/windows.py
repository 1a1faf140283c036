"""Windows of a job that runs on: how much comes through in each, and how late."""

import dataclasses
import time
from collections.abc import Iterator

from core.errors import JobError
from jobs.runtime.phases import Events
from jobs.runtime.request import Window, pass_kind


class OpenWindow:
    """Counts and lags that a job tells of one window while it lasts."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.lags: dict[str, float] = {}

    def count(self, name: str, number: int) -> None:
        """Add to what came through: rows, messages, lists; the window's length makes a rate of it."""
        self.counts[name] = self.counts.get(name, 0) + number

    def lag(self, name: str, seconds: float) -> None:
        """Say how late something was in this window, for example the 99th percentile from sending to storing."""
        self.lags[name] = seconds


def windows(
    events: Events, times: list[Window], warmups: int, measured: int, *, cold: bool = True
) -> Iterator[OpenWindow]:
    """Yield each window, first the warm-ups; it lasts until the next one is asked for.

    Args:
        events: told of each window as it begins and ends.
        times: gets the windows that ended.
        warmups: windows before the measured ones.
        measured: how many of those.
        cold: whether the first warm-up finds nothing warm.

    Raises:
        JobError: nothing was counted in a window, so that it has no rate.
    """
    for number in range(warmups + measured):
        kind = pass_kind(number, warmups, cold=cold)
        events.add("window_start", number=number, of=warmups + measured, kind=kind)
        window, start = OpenWindow(), time.perf_counter()
        yield window
        seconds = time.perf_counter() - start
        if not window.counts:
            raise JobError(
                f"window {number} counted nothing in its {seconds:.3f} s, so it has no rate: count what comes through, "
                "0 where nothing did (jobs.runtime.windows.OpenWindow.count)"
            )
        rates = {name: count / seconds for name, count in window.counts.items()}
        times.append(Window(number, kind, seconds, rates, dict(window.lags)))
        events.add("window_end", **dataclasses.asdict(times[-1]))
