"""Rates and lags of a trial whose job runs on: medians over applications of the median over measured windows."""

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from experiments.results.outcome import Application, Outcome
from jobs.runtime.request import Window


@dataclass(frozen=True)
class Typical:
    """One rate or lag of a trial.

    Attributes:
        median: of the applications' medians; least, most: of all measured windows.
        applications: the median of each application.
    """

    median: float
    least: float
    most: float
    applications: list[float]


def rates(outcome: Outcome) -> dict[str, Typical]:
    """Return what came through a second, by name."""
    return dict(_typical(outcome, lambda window: window.rates))


def lags(outcome: Outcome) -> dict[str, Typical]:
    """Return the seconds of each lag, by name."""
    return dict(_typical(outcome, lambda window: window.lags))


def measured_windows(application: Application) -> list[Window]:
    """Return the windows after the warm-ups."""
    return [window for window in application.windows if window.kind == "repeat"]


def has_windows(outcome: Outcome) -> bool:
    """Whether its job is measured in windows."""
    return any(item.windows for item in outcome.applications)


def _typical(
    outcome: Outcome, values: Callable[[Window], Mapping[str, float]]
) -> Iterator[tuple[str, Typical]]:
    shown = [
        windows for item in outcome.measured or outcome.applications if (windows := measured_windows(item))
    ]
    for name in dict.fromkeys(name for windows in shown for window in windows for name in values(window)):
        each = [[values(window)[name] for window in windows if name in values(window)] for windows in shown]
        found = [statistics.median(row) for row in each if row]
        every = [value for row in each for value in row]
        yield name, Typical(statistics.median(found), min(every), max(every), found)
