"""Records what a stream's guarantees cost as a tree of MLflow runs: the measurement, and a run below it for each side."""

from collections.abc import Iterator
from pathlib import Path

from cluster.settings import Settings
from experiments.metric_table import COST_OF_GUARANTEE, LATE_OF_EARLY, MESSAGES_PER_S, OF_BATCH, ROUND_S
from experiments.record.run_tags import NOTE, PREFIX, as_text, cut
from experiments.record.run_tree import Node, Tree, write
from experiments.results.metrics import Number
from experiments.run.runner import open_recorder
from experiments.studies.correctness.costs import per_s, share, steps
from experiments.studies.correctness.session import Measured
from jobs.guarantees.ladders import Side

NAME = "cost_of_correctness"
"""Name of the experiment in MLflow."""

_KIND = "correctness"


def record(found: Measured, settings: Settings, uri: str | None, note: str, files: list[Path]) -> None:
    """Record a measurement with its page.

    Raises:
        RecordingError: MLflow does not take it; it stays on disk.
    """
    tracking = open_recorder(settings, uri).tracking
    asked = found.asked
    root = Node(
        name=asked.stream,
        kind=_KIND,
        tags={**cut({f"{PREFIX}stream": asked.stream, **found.environment}), NOTE: note},
        params={key: as_text(value) for key, value in vars(asked).items()},
        metrics=list(of_all(found)),
        files=files,
        children=[_side(found, side) for side in asked.ladder.every],
        revision=1,
    )
    write(tracking, root, Tree(NAME, ("attempt", f"{asked.stream} {found.ended_at:.3f}"), "ok"))


def of_all(found: Measured) -> Iterator[Number]:
    """Yield the metrics of a measurement: the stream's messages a second, and what each guarantee costs."""
    whole = found.asked.ladder.sides[0]
    yield from _of_side(found, whole)
    for step in steps(found):
        yield Number(COST_OF_GUARANTEE.of(step.lacking.name), step.cost)
    if found.later:
        yield Number(LATE_OF_EARLY.name, found.later[LATE_OF_EARLY.key])


def _side(found: Measured, side: Side) -> Node:
    seconds = [Number(ROUND_S.name, one, step) for step, one in enumerate(found.seconds[side.name])]
    return Node(
        name=side.title,
        kind=f"{_KIND}-side",
        tags={NOTE: side.what},
        params={"stream": found.asked.stream, "side": side.name},
        metrics=[*_of_side(found, side), *seconds],
        exact=True,
    )


def _of_side(found: Measured, side: Side) -> Iterator[Number]:
    yield Number(MESSAGES_PER_S.name, per_s(found, side).median)
    ratio = share(found, side).ratio
    assert ratio is not None  # pairs of seconds have one
    yield Number(OF_BATCH.name, ratio)
