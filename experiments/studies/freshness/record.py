"""Records freshness as a tree of MLflow runs: the experiment, and a run below it for each trial."""

from collections.abc import Iterator
from pathlib import Path

from cluster.settings import Settings
from experiments.metric_table import FRESHNESS, LIST_ALONE
from experiments.record.run_tags import NOTE, cut
from experiments.record.run_tree import Node, Tree, write
from experiments.results.metrics import Number
from experiments.run.runner import open_recorder
from experiments.studies.freshness.trials import PARTS, Found, Trial

NAME = "freshness"
"""Name of the experiment in MLflow."""

_SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def record(found: Found, settings: Settings, uri: str | None, answer: str, files: list[Path]) -> None:
    """Record an experiment with its page.

    Raises:
        RecordingError: MLflow does not take it; it stays on disk.
    """
    root = node(found, answer, files)
    write(open_recorder(settings, uri).tracking, root, Tree(NAME, ("attempt", f"{found.ended_at:.3f}"), "ok"))


def node(found: Found, answer: str, files: list[Path]) -> Node:
    """Return the runs of an experiment."""
    return Node(
        name=NAME,
        kind=NAME,
        tags=cut({**found.environment, NOTE: f"**{answer}**"}),
        params=cut({key: str(value) for key, value in found.asked.items()}),
        metrics=[Number(LIST_ALONE.name, value, step) for step, value in enumerate(found.alone_s[:100])],
        files=files,
        children=[_trial(one) for one in found.trials],
        revision=1,
    )


def _trial(one: Trial) -> Node:
    return Node(
        name=f"{one.way}, round {one.round}",
        kind=f"{NAME}-trial",
        params={"way": one.way, "round": str(one.round)},
        metrics=list(_numbers(one)),
        exact=True,
    )


def _numbers(one: Trial) -> Iterator[Number]:
    for part in PARTS:
        for name, share in _SHARES.items():
            yield Number(FRESHNESS.of(f"{part}_{name}"), one.of(part, share))
