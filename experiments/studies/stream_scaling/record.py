"""Records measured points as a tree of MLflow runs: the plan, a run below it for each point, and one below that for each round."""

from collections.abc import Iterator
from pathlib import Path

from cluster.settings import Settings
from experiments.metric_table import DRAINED_BY, DRAINED_RATE, RATE_TO_BASE
from experiments.record.run_tags import NOTE, PREFIX, cut
from experiments.record.run_tree import Node, Tree, write
from experiments.results.metrics import Number
from experiments.run.runner import open_recorder
from experiments.studies.stream_scaling.measured import Measured
from experiments.studies.stream_scaling.points import AXES, Point
from experiments.studies.stream_scaling.session import NAME
from experiments.studies.stream_scaling.summary import Place, Scaled

_KIND = "stream-scaling"


def record(
    scaled: Scaled, settings: Settings, uri: str | None, told: tuple[str, list[str]], files: list[Path]
) -> None:
    """Record a plan's points in place of those of an earlier run of the same plan.

    Args:
        scaled: results.
        settings: where MLflow is.
        uri: of MLflow, or None for the run folder's own.
        told: the answer and the notes.
        files: its page.

    Raises:
        RecordingError: MLflow does not take it; it stays on disk.
    """
    mark = ("plan", f"{scaled.stream} {scaled.plan} {scaled.backlog}")
    tree = Tree(NAME, mark, "ok" if scaled.complete else "failed")
    write(open_recorder(settings, uri).tracking, node(scaled, told, files), tree)


def node(scaled: Scaled, told: tuple[str, list[str]], files: list[Path]) -> Node:
    """Return the runs of a plan."""
    answer, notes = told
    environment = scaled.measured[-1].environment if scaled.measured else {}
    tags = {f"{PREFIX}query": scaled.stream, **environment, NOTE: "\n\n".join([f"**{answer}**", *notes])}
    params = {axis: ",".join(map(str, values)) for axis, values in scaled.plan.axes.items()}
    asked = {"base": str(scaled.plan.base), "backlog": str(scaled.backlog), "rounds": str(scaled.rounds)}
    return Node(
        name=scaled.stream,
        kind=_KIND,
        tags=cut(tags),
        params={**params, **asked},
        metrics=list(_of_plan(scaled)),
        files=files,
        children=[_point(scaled, point) for point in scaled.plan.points],
        revision=1,
    )


def _of_plan(scaled: Scaled) -> Iterator[Number]:
    if scaled.base is not None:
        yield Number(DRAINED_RATE.name, scaled.base.median)
    for axis in scaled.plan.axes:
        for place in scaled.along(axis):
            if place.claimed and place.rates is not None:
                yield Number(DRAINED_BY.of(axis), place.rates.median, place.value)


def _point(scaled: Scaled, point: Point) -> Node:
    rounds = sorted((one for one in scaled.measured if one.point == point), key=lambda one: one.round)
    return Node(
        name=point.slug,
        kind=f"{_KIND}-point",
        tags={NOTE: str(point), **({f"{PREFIX}shape_tag": rounds[0].tag} if rounds else {})},
        params={axis: str(point.on(axis)) for axis in AXES},
        metrics=list(_of_point(_found(scaled, point))),
        exact=True,
        children=[_round(one) for one in rounds],
    )


def _found(scaled: Scaled, point: Point) -> Place | None:
    every = (place for axis in scaled.plan.axes for place in scaled.along(axis))
    return next((place for place in every if place.point == point), None)


def _of_point(place: Place | None) -> Iterator[Number]:
    if place is not None and place.rates is not None:
        yield Number(DRAINED_RATE.name, place.rates.median)
    if place is not None and place.ratio is not None:
        yield Number(RATE_TO_BASE.name, place.ratio.middle)


def _round(one: Measured) -> Node:
    wrong = "; ".join(one.differences)
    return Node(
        name=f"{one.point.slug}, round {one.round}",
        kind=f"{_KIND}-round",
        tags={NOTE: f"NOT reconciled: {wrong}" if wrong else "reconciled"},
        params={"round": str(one.round), "messages": str(one.messages), "attempt": one.attempt},
        metrics=[Number(DRAINED_RATE.name, one.per_s)],
        exact=True,
    )
