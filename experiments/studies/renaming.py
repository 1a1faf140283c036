"""Gives runs that an older version recorded the names that their metrics have now, so that MLflow draws both together."""

import statistics
from collections.abc import Iterator
from typing import TYPE_CHECKING

from experiments.metric_table import ALL_SECONDS, APPLICATIONS, SECONDS, new_name, phase_of
from experiments.record.run_tags import PREFIX, TRIAL
from experiments.results.metrics import Number
from experiments.studies.compare.record import SIDE

if TYPE_CHECKING:
    from experiments.record.tracking import Run, Tracking  # it takes seconds to import


def rename(tracking: "Tracking") -> dict[str, int]:
    """Add what is missing under today's names; return how many runs of each experiment got something.

    MLflow cannot delete a single metric, so the old names stay beside the new ones.

    Raises:
        RecordingError: MLflow cannot be read or written; what was added stays, and the next call adds the rest.
    """
    return {name: count for name in tracking.experiments() if (count := _renamed(tracking, name))}


def _renamed(tracking: "Tracking", experiment: str) -> int:
    changed = 0
    for kind, missing in ((TRIAL, _of_trial), (SIDE, _of_side)):
        for run in tracking.runs(experiment, PREFIX + "kind", kind):
            if found := list(missing(tracking, run)):
                tracking.log(run.run_id, found, at_ms=run.ended_ms)
                changed += 1
    return changed


def _of_trial(tracking: "Tracking", run: "Run") -> Iterator[Number]:
    for old in run.metrics:
        new = new_name(old)
        if new is not None and new not in run.metrics:
            yield from _series(tracking, run, old, new)


def _of_side(tracking: "Tracking", run: "Run") -> Iterator[Number]:
    """A side's seconds were series under the names that its medians have now."""
    for old in run.metrics:
        if old == ALL_SECONDS.name or old.startswith("phase."):
            phase = phase_of(old)
            if APPLICATIONS.of(phase) in run.metrics:
                continue
            found = list(_series(tracking, run, old, APPLICATIONS.of(phase)))
            yield from found
            # MLflow shows the last step: of the series of all seconds, which keeps its name, too.
            middle = statistics.median(number.value for number in found)
            yield Number(SECONDS.of(phase), middle, len(found))
        elif (new := new_name(old)) is not None and new not in run.metrics:
            yield from _series(tracking, run, old, new)


def _series(tracking: "Tracking", run: "Run", old: str, new: str) -> Iterator[Number]:
    return (number._replace(name=new) for number in tracking.history(run.run_id, old))
