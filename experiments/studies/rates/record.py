"""Records a search among rates as a tree of MLflow runs: the search, and a run below it for each trial."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cluster.settings import Settings
from experiments.metric import Metric
from experiments.metric_table import DRAINED_RATE, LAG_OF_RATE, OF_RATES, SUSTAINED_RATE
from experiments.record.run_tags import NOTE, PREFIX, cut
from experiments.record.run_tree import Node, Tree, write
from experiments.results.metrics import Number
from experiments.run.runner import open_recorder
from experiments.studies.rates.rig import Tried
from experiments.studies.rates.session import Found, Rated, said

NAME = "stream_rate"
"""Name of the experiment in MLflow."""

_KIND = "rate"
LATENCIES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "slowest": 1}
"""Share of the messages of each metric of latency."""


def record(found: Found, settings: Settings, uri: str | None, answer: str, files: list[Path]) -> None:
    """Record a search with its page.

    Raises:
        RecordingError: MLflow does not take it; it stays on disk.
    """
    tracking = open_recorder(settings, uri).tracking
    tags = {
        f"{PREFIX}query": found.name,
        **found.environment,
        NOTE: "\n\n".join([f"**{answer}**", *found.notes]),
    }
    root = Node(
        name=found.name,
        kind=_KIND,
        tags=cut(tags),
        params=params(found.asked),
        metrics=[Number(metric.name, value) for metric, value in _of_search(found)],
        files=files,
        children=[_trial(one) for one in found.trials],
        revision=1,
    )
    write(
        tracking,
        root,
        Tree(NAME, ("attempt", f"{found.name} {found.ended_at:.3f}"), "failed" if found.broken else "ok"),
    )


def params(asked: Mapping[str, Any]) -> dict[str, str]:
    """Return subject and effort as parameters of a run."""
    return cut(
        {f"{table}.{key}": value for table in ("subject", "effort") for key, value in asked[table].items()}
    )


def _of_search(found: Found) -> Iterator[tuple[Metric, float]]:
    low, _ = found.bracket
    if low is not None:
        yield SUSTAINED_RATE, low
    yield DRAINED_RATE, found.drained.per_s


def _trial(one: Rated) -> Node:
    return Node(
        name=f"{one.rate:,.0f}/s",
        kind=f"{_KIND}-trial",
        tags={NOTE: said(one.verdict)},
        metrics=list(numbers(one)),
        exact=True,
    )


def numbers(one: Rated) -> Iterator[Number]:
    """Yield the metrics of a trial."""
    verdict = {"growth": one.verdict.slope.upper, "sustained": float(one.verdict.sustained)}
    yield from numbers_of({**measured(one.rate, one.tried), **verdict}, one.tried.seen.lags)


def measured(rate: float, tried: Tried) -> dict[str, float | None]:
    """Return what a trial at a rate measured, by the keys of the metrics."""
    latencies = {key: tried.seen.latencies[share] for key, share in LATENCIES.items()}
    return {
        "asked": rate,
        "achieved": tried.generated.per_s,
        "delay": tried.generated.delay_p99_s,
        **latencies,
    }


def numbers_of(values: Mapping[str, float | None], lags: Sequence[int] = ()) -> Iterator[Number]:
    """Yield those metrics of a trial at a rate that have a value, and its lags."""
    for metric in OF_RATES:
        value = values.get(metric.key)
        if value is not None:
            yield Number(metric.name, value)
    for step, lag in enumerate(lags):
        yield Number(LAG_OF_RATE.name, float(lag), step)
