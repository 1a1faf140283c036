"""The flat numbers of a trial: what MLflow draws, under the names of `experiments.metric_table`."""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from experiments.metric_table import (
    ALONE,
    BUSY,
    COLD,
    HARNESS,
    LAG,
    RATE,
    REPEATS,
    RESIDENT,
    ROWS,
    SECONDS,
    TASKS,
    TOTAL,
    WINDOW_LAGS,
    WINDOW_RATES,
    quality_name,
)
from experiments.results.outcome import Application, Outcome
from experiments.results.windows import lags, measured_windows, rates


class Number(NamedTuple):
    """One value of one metric; `step` counts repeats over all applications, or applications.

    `at_ms` is the value's time in milliseconds since 1970, None for that of the recording.
    """

    name: str
    value: float
    step: int = 0
    at_ms: int | None = None


def phases(outcome: Outcome) -> list[str]:
    """Names of its phases in the order in which they ran."""
    return list(dict.fromkeys(time.phase for item in outcome.applications for time in item.phases))


def repeats(application: Application, phase: str) -> list[float]:
    """Seconds of the measured passes of one application; of all phases together under the name "total"."""
    passes: dict[int, float] = {}
    for time in application.phases:
        if time.kind == "repeat" and phase in (time.phase, TOTAL):
            passes[time.pass_] = passes.get(time.pass_, 0.0) + time.seconds
    return [passes[number] for number in sorted(passes)]


def cold(application: Application, phase: str) -> float | None:
    """Seconds of the first pass of an application, which finds nothing warm; None where another trial ran before."""
    if application.share is not None and application.share.place > 1:
        return None
    first = [time.seconds for time in application.phases if time.pass_ == 0 and phase in (time.phase, TOTAL)]
    return sum(first) if first else None


def typical(application: Application, phase: str) -> float | None:
    """The median of the repeats of one application; None if it measured none."""
    values = repeats(application, phase)
    return statistics.median(values) if values else None


def medians(outcome: Outcome, phase: str) -> list[float]:
    """The median of the repeats of each application that ended well."""
    found = (typical(item, phase) for item in outcome.measured)
    return [value for value in found if value is not None]


def by_round(outcome: Outcome, phase: str) -> dict[str, float]:
    """The same medians by the round in which the application ran; without those of which nobody noted the round."""
    found = ((item.round_id, typical(item, phase)) for item in outcome.measured)
    return {known: value for known, value in found if known is not None and value is not None}


def quality(outcome: Outcome) -> dict[str, float]:
    """The median over applications of each metric of quality; they are equal where seeds are."""
    return _medians(item.metrics for item in outcome.measured)


def series(outcome: Outcome) -> dict[str, list[tuple[int, float]]]:
    """The series of its first application; they are equal where seeds are."""
    shown = outcome.measured or outcome.applications
    return shown[0].series if shown else {}


def relevant_of(outcome: Outcome, name: str = "relevant_rows") -> str:
    """Return which test rows were relevant in its rankings: for people, or under "relevant" in short; "" without rankings."""
    return next((item.info[name] for item in outcome.measured if name in item.info), "")


def counts(outcome: Outcome) -> dict[str, float]:
    """The median over applications of each count."""
    return _medians(item.counts for item in outcome.measured)


def numbers(outcome: Outcome) -> Iterator[Number]:
    """Yield everything that is worth a metric."""
    shown = outcome.measured or outcome.applications
    for phase in [*phases(outcome), TOTAL]:
        values = [seconds for item in shown for seconds in repeats(item, phase)]
        if phase != TOTAL:
            yield from (Number(REPEATS.of(phase), value, step) for step, value in enumerate(values))
        typical = medians(outcome, phase) or values
        if typical:
            yield Number(SECONDS.of(phase), statistics.median(typical))
        first = [(item.number, seconds) for item in shown if (seconds := cold(item, phase)) is not None]
        yield from (Number(COLD.of(phase), seconds, number) for number, seconds in first)
    yield from _windows(outcome, shown)
    for name, value in quality(outcome).items():
        yield Number(quality_name(name), value)
    for name, value in counts(outcome).items():
        yield Number(ROWS.of(name), value)
    for name, points in series(outcome).items():
        yield from (Number(quality_name(name), value, step) for step, value in points)
    yield from _harness(shown)
    yield from _telemetry(shown)
    yield from _cores(shown)
    for phase in phases(outcome):
        for metric in RESIDENT:
            if (most := resident(outcome, phase, metric.key)) is not None:
                yield Number(metric.of(phase), most * metric.factor)


def resident(outcome: Outcome, phase: str, kind: str) -> float | None:
    """The median over measured passes of the most bytes that all executors had in a phase, "own" or "pss"; None where nobody looked."""
    peaks = (
        item.resident_of(phase, time.pass_)
        for item in outcome.measured or outcome.applications
        for time in item.phases
        if time.kind == "repeat" and time.phase == phase
    )
    found = [peak[kind] for peak in peaks if kind in peak]
    return statistics.median(found) if found else None


def _windows(outcome: Outcome, shown: Sequence[Application]) -> Iterator[Number]:
    """Yield each measured window, and what is typical of them."""
    for step, window in enumerate(window for item in shown for window in measured_windows(item)):
        yield from (Number(WINDOW_RATES.of(name), value, step) for name, value in window.rates.items())
        yield from (Number(WINDOW_LAGS.of(name), value, step) for name, value in window.lags.items())
    for metric, found in ((RATE, rates(outcome)), (LAG, lags(outcome))):
        for name, each in found.items():
            yield Number(metric.of(name), statistics.median(map(statistics.median, each)))


def _harness(shown: Sequence[Application]) -> Iterator[Number]:
    for metric in HARNESS:
        values = [value for item in shown if (value := getattr(item, metric.key)) is not None]
        if values:
            yield Number(metric.name, statistics.median(values))


def _telemetry(shown: Sequence[Application]) -> Iterator[Number]:
    """The median over measured passes of what each phase cost on the executors."""
    rows: dict[str, list[Mapping[str, float]]] = {}
    for item in shown:
        for time in item.phases:
            if time.kind == "repeat" and (totals := item.cost_of(time.phase, time.pass_)):
                rows.setdefault(time.phase, []).append(totals)
    for phase, totals_of in rows.items():
        for metric in TASKS:
            value = statistics.median(totals[metric.key] for totals in totals_of) * metric.factor
            yield Number(metric.of(phase), value)


def _cores(shown: Sequence[Application]) -> Iterator[Number]:
    """Yield of each phase, over its measured passes, the share of core-time with a task and of time without any."""
    uses: dict[str, list[Mapping[str, float]]] = {}
    for item in shown:
        for use in item.telemetry.get("phases", ()):
            if use["kind"] == "repeat" and use["seconds"] > 0 and use["core_s"] > 0:
                uses.setdefault(use["phase"], []).append(use)
    for phase, found in uses.items():
        busy = sum(use[BUSY.key] for use in found) / sum(use["core_s"] for use in found)
        alone = sum(use[ALONE.key] for use in found) / sum(use["seconds"] for use in found)
        yield Number(BUSY.of(phase), busy)
        yield Number(ALONE.of(phase), alone)


def _medians(rows: Iterable[Mapping[str, float]]) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            values.setdefault(name, []).append(float(value))
    return {name: statistics.median(found) for name, found in values.items()}
