"""Change of times with the workers: speed-up and efficiency, fitted laws, and reasons not to state them."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from experiments.page.finding import Finding
from experiments.results.model_equality import ALLOWED, allowed
from experiments.results.outcome import Outcome
from experiments.spec.experiment import Experiment
from experiments.stats.families import growth
from experiments.studies.scaling.curves import Curve, Point, curves
from experiments.studies.scaling.plots import pictures
from experiments.studies.scaling.rows import change_table, fit_table, points_table
from experiments.studies.scaling.sentences import answer, details, notes


def _find(experiment: Experiment, outcomes: Sequence[Outcome]) -> Finding | None:  # noqa: ARG001 - as all findings
    found = curves(outcomes)
    if not found:
        return None
    by_kind = [[item for item in found if item.kind == kind and item.points] for kind in ("strong", "weak")]
    tables = [points_table(items) for items in by_kind if items]
    tables += [table for table in (fit_table(found), change_table(found)) if table]
    return Finding(
        "Scaling",
        answer=answer(found),
        tables=tuple(tables),
        plots=tuple(pictures(found)),
        notes=(*details(found), *notes(*found)),
        data={"scaling": [_plain(item) for item in found], ALLOWED: any(map(allowed, outcomes))},
    )


def _plain(curve: Curve) -> dict[str, Any]:
    return {
        "name": curve.name,
        "kind": curve.kind,
        "claimed": curve.claimed,
        "changes": [dataclasses.asdict(item) for item in curve.changes],
        "unproportional": curve.unproportional,
        "points": [_point(item, curve) for item in curve.points],
        "fits": [
            {**dataclasses.asdict(item), "described": item.described, "poor": item.poor, "peak": item.peak}
            for item in curve.fits
        ],
        "notes": list(notes(curve)),
    }


def _point(point: Point, curve: Curve) -> dict[str, Any]:
    claimed = curve.claimed
    return {
        "label": point.outcome.label,
        "cores": point.outcome.size.capacity,
        "size": point.size,
        "tag": point.outcome.shape_tag,
        "data": growth(point.outcome),
        "seconds": dataclasses.asdict(point.seconds),
        "speedup": point.ratio.as_json() if claimed else None,
        "efficiency": point.efficiency if claimed else None,
        "efficiency_interval": point.efficiency_interval if claimed else None,
        "karp_flatt": point.serial if claimed else None,
        "left_out": point.left_out,
    }


FIND = _find
