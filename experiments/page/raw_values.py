"""Every number of every trial: as JSON, and as a table of one value a row."""

import csv
import dataclasses
import io
import math
from collections.abc import Iterator, Sequence
from typing import Any

from experiments.metric_names import SECONDS, TOTAL
from experiments.results.metrics import cold, phases, quality, repeats
from experiments.results.outcome import Application, Outcome
from experiments.spec.tables import SHAPE
from experiments.stats.analysis import speedup, spread

HEADER = ("trial", "status", *SHAPE, "shape_tag", "shared", "application", "round", "ended", "quantity", "kind", "pass", "value")  # fmt: skip


def as_csv(outcomes: Sequence[Outcome]) -> str:
    """Return one row a value: seconds of each phase of each pass, and quality and counts of each application."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    for outcome in outcomes:
        writer.writerows(_rows(outcome))
    return out.getvalue()


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
        "speedup": dataclasses.asdict(found) if found else None,
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
        for kind, values in (("metric", item.metrics), ("count", item.counts)):
            yield from ([*own, name, kind, "", value] for name, value in values.items())
    if not outcome.applications:
        yield [*known, "", "", "", "", "", "", ""]
