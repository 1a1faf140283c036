"""Records latencies as a tree of MLflow runs: the experiment, a run below it for each rate, and one below that for each trial."""

from collections.abc import Iterator
from pathlib import Path

from cluster.settings import Settings
from experiments.record.run_tags import NOTE, PREFIX, cut
from experiments.record.run_tree import Node, Tree, write
from experiments.results.metrics import Number
from experiments.run.runner import open_recorder
from experiments.studies.rates.record import LATENCIES, measured, numbers_of, params
from experiments.studies.stream_latency.trials import AtRate, Found, Repeat, said

NAME = "stream_latency"
"""Name of the experiment in MLflow."""

_KIND = "latency"


def record(found: Found, settings: Settings, uri: str | None, answer: str, files: list[Path]) -> None:
    """Record an experiment with its page.

    Raises:
        RecordingError: MLflow does not take it; it stays on disk.
    """
    tree = Tree(NAME, ("attempt", f"{found.name} {found.ended_at:.3f}"), "ok" if found.good else "failed")
    write(open_recorder(settings, uri).tracking, node(found, answer, files), tree)


def node(found: Found, answer: str, files: list[Path]) -> Node:
    """Return the runs of an experiment."""
    tags = {
        f"{PREFIX}query": found.name,
        **found.environment,
        NOTE: "\n\n".join([f"**{answer}**", *found.notes]),
    }
    return Node(
        name=found.name,
        kind=_KIND,
        tags=cut(tags),
        params=params(found.asked) | {"rates": ",".join(f"{rate:g}" for rate in found.asked["rates"])},
        files=files,
        children=[_rate(one) for one in found.rates],
        revision=1,
    )


def _rate(one: AtRate) -> Node:
    counts = f"{len(one.counted)} of {len(one.repeats)} trials say something of the stream"
    return Node(
        name=f"{one.rate:,.0f}/s",
        kind=f"{_KIND}-rate",
        tags={NOTE: counts},
        params={"rate": f"{one.rate:g}"},
        metrics=list(_medians(one)),
        exact=True,
        children=[_trial(repeat) for repeat in one.repeats],
    )


def _medians(one: AtRate) -> Iterator[Number]:
    """Yield the medians of the trials; latencies are absent if none says anything."""
    found = {key: one.latency(share) for key, share in LATENCIES.items()} | {"delay": one.delay}
    values = {key: spread.median for key, spread in found.items() if spread is not None}
    yield from numbers_of({"asked": one.rate, **values})


def _trial(one: Repeat) -> Node:
    return Node(
        name=f"{one.rate:,.0f}/s, round {one.round}",
        kind=f"{_KIND}-trial",
        tags={NOTE: said(one)},
        params={"rate": f"{one.rate:g}", "round": str(one.round)},
        metrics=list(numbers_of(measured(one.rate, one.tried), one.tried.seen.lags)),
        exact=True,
    )
