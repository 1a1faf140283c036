"""Every number of every trial: as JSON, and as a table of one value a row."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

from experiments.metric_table import LAG, RATE, SECONDS, TOTAL
from experiments.results.metrics import cold, phases, quality, repeats
from experiments.results.outcome import Application, Outcome
from experiments.spec.tables import SHAPE
from experiments.stats.faster import speedup
from experiments.stats.summaries import spread

HEADER = ("trial", "status", *SHAPE, "shape_tag", "shared", "application", "round", "ended", "quantity", "kind", "pass", "value")  # fmt: skip


def raw_rows(outcomes: Sequence[Outcome]) -> list[Sequence[object]]:
    """Return a header and one row a value: of each phase of each pass, each window, and quality and counts of each application."""
    return [HEADER, *(row for outcome in outcomes for row in _rows(outcome))]


def strict(value: Any) -> Any:
    """Return plain JSON: what is no finite number becomes null, which every reader of JSON takes."""
    if isinstance(value, dict):
        return {key: strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def trial_json(outcome: Outcome, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return one trial; its speed-up is against the others."""
    found = speedup(outcome, outcomes)
    times = {phase: spread(outcome, phase) for phase in [*phases(outcome), TOTAL]}
    return {
        "label": outcome.label,
        "key": outcome.key,
        "attempt": outcome.attempt,
        "job": outcome.job,
        "status": outcome.status,
        "error": outcome.error,
        "params": outcome.values,
        "shape": {**shape_of(outcome), "tag": outcome.shape_tag},
        "data": outcome.data,
        "tags": outcome.tags,
        "shared": dataclasses.asdict(outcome.share) if outcome.share else None,
        "executors_lost": outcome.executors_lost,
        "warmups": outcome.warmups,
        "repeats": outcome.repeats,
        "metrics": quality(outcome),
        "seconds": {phase: dataclasses.asdict(item) for phase, item in times.items() if item},
        "speedup": found.as_json() if found else None,
        "recording_s": outcome.recording_s,
        "applications": [_application(item) for item in outcome.applications],
    }


def shape_of(outcome: Outcome) -> dict[str, Any]:
    """Return the whole cluster shape; where the spec named no backend, the one of the settings."""
    shape = dataclasses.asdict(outcome.size)
    return {**shape, "backend": shape["backend"] or outcome.environment.get("settings.backend", "")}


def _application(item: Application) -> dict[str, Any]:
    names = dict.fromkeys(time.phase for time in item.phases)
    return {
        "application": item.number,
        "round": item.round_id,
        "status": item.status,
        "error": item.error,
        "warnings": item.warnings,
        "metrics": item.metrics,
        "counts": item.counts,
        "phases": {name: {"cold_s": cold(item, name), "repeats_s": repeats(item, name)} for name in names},
        "windows": [dataclasses.asdict(window) for window in item.windows],
        "ready_s": item.ready_s,
        "start_s": item.start_s,
        "stop_s": item.stop_s,
        "seconds": item.seconds,
        "kept_s": item.kept_s,
        "executors_lost": item.executors_lost,
        "info": item.info,
    }


def _rows(outcome: Outcome) -> Iterator[list[Any]]:
    shape = ["" if value is None else value for value in shape_of(outcome).values()]
    shared = f"{outcome.share.place}/{outcome.share.of}" if outcome.share else ""
    known = [outcome.label, outcome.status, *shape, outcome.shape_tag, shared]
    for item in outcome.applications:
        own = [*known, item.number, item.round_id or "", item.status]
        for time in item.phases:
            yield [*own, SECONDS.of(time.phase), time.kind, time.pass_, time.seconds]
        for window in item.windows:
            named = {
                **{RATE.of(name): value for name, value in window.rates.items()},
                **{LAG.of(name): value for name, value in window.lags.items()},
            }
            yield from ([*own, name, window.kind, window.number, value] for name, value in named.items())
        for kind, values in (("metric", item.metrics), ("count", item.counts)):
            yield from ([*own, name, kind, "", value] for name, value in values.items())
    if not outcome.applications:
        yield [*known, "", "", "", "", "", "", ""]
