"""Rates and lags of a trial whose job runs on: the values of its measured windows, by application."""

from collections.abc import Callable, Mapping

from experiments.results.outcome import Application, Outcome
from jobs.runtime.request import Window


def rates(outcome: Outcome) -> dict[str, list[list[float]]]:
    """Return what came through a second, by name, in the measured windows of each application that has some."""
    return _by_name(outcome, lambda window: window.rates)


def lags(outcome: Outcome) -> dict[str, list[list[float]]]:
    """Return the seconds of each lag, by name, in the same windows."""
    return _by_name(outcome, lambda window: window.lags)


def measured_windows(application: Application) -> list[Window]:
    """Return the windows after the warm-ups."""
    return [window for window in application.windows if window.kind == "repeat"]


def has_windows(outcome: Outcome) -> bool:
    """Whether its job is measured in windows."""
    return any(item.windows for item in outcome.applications)


def _by_name(
    outcome: Outcome, values: Callable[[Window], Mapping[str, float]]
) -> dict[str, list[list[float]]]:
    found: dict[str, list[list[float]]] = {}
    for item in outcome.measured or outcome.applications:
        own: dict[str, list[float]] = {}
        for window in measured_windows(item):
            for name, value in values(window).items():
                own.setdefault(name, []).append(value)
        for name, each in own.items():
            found.setdefault(name, []).append(each)
    return found
