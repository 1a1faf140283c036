"""Streams in the record: a run for each start of an application, and a run below it for each query.

Queries are runs and not prefixes of names, so that a metric has one name whichever query it is of: one chart draws all queries of a
start, or one query over several starts. While a stream goes on its steps are added (`Live`); a start that was not recorded to its end
is written anew from its events (`node`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.record.run_tags import LONGEST_NOTE, NOTE, PREFIX, cut
from experiments.record.run_tree import Node, Tree, write
from experiments.results.events import read
from experiments.results.metrics import Number
from experiments.results.stream_series import (
    Measured,
    QuerySeries,
    StreamSeries,
    doubling,
    offsets_text,
    totals,
)
from experiments.results.stream_start import EVENTS, FILE, Start
from experiments.stream_metrics import OF_STEPS, OF_TOTALS, PART

if TYPE_CHECKING:
    from experiments.record.tracking import Tracking  # it takes seconds to import

NAME = "stream"
"""Name of the experiment in MLflow."""

KIND, QUERY = "stream", "stream-query"
_ENDS = {"stopped": "ok", "drained": "ok", "ended": "ok", "failed": "failed", "lost": "killed"}
_VIEW = "queries"


class Live:
    """The runs of a start, while it goes on.

    Whatever MLflow did not take is offered again the next time; it takes the same value of the same step only once.
    """

    def __init__(self, start: Start) -> None:
        self.start = start
        self._runs: dict[str, str] = {}
        self._waiting: dict[str, list[Measured]] = {}

    def add(self, tracking: "Tracking", series: StreamSeries) -> None:
        """Record the steps that are over.

        Raises:
            RecordingError: MLflow did not take all of them.
        """
        for name, found in series.take().items():
            self._waiting.setdefault(name, []).extend(found)
        parent = self._run(tracking, "", _about(self.start))
        for name, waiting in self._waiting.items():
            run = self._run(tracking, name, _query(self.start, series.queries[name]), parent)
            if waiting:
                tracking.log(run, list(_steps(series.began_at, waiting)))
                self._waiting[name] = []

    def end(self, tracking: "Tracking", series: StreamSeries, start: Start, folder: Path) -> None:
        """Record what came of it, and end its runs.

        Raises:
            RecordingError: MLflow did not take all of it.
        """
        series.finish()
        self.add(tracking, series)
        status = _ENDS[start.status]
        for name, query in series.queries.items():
            run = self._runs[name]
            tracking.log(run, list(_totals(totals(query))))
            tracking.tag(run, _query(start, query).tags)
            tracking.end(run, status, start.ended_at)
        root, parent = node(start, folder, series), self._runs[""]
        tracking.log(parent, root.metrics)
        tracking.attach(parent, root.files)
        tracking.tag(parent, {**root.tags, PREFIX + "revision": str(root.revision)})
        tracking.end(parent, status, start.ended_at)

    def _run(self, tracking: "Tracking", name: str, node_: Node, parent: str = "") -> str:
        """Return the run of a query, or of the start itself, which is opened unless it is there already."""
        if name not in self._runs:
            tags = {PREFIX + "attempt": self.start.attempt, **node_.tags, PREFIX + "kind": node_.kind}
            there = [
                run.run_id
                for run in tracking.runs(NAME, PREFIX + "attempt", self.start.attempt)
                if run.tags.get(PREFIX + "query", "") == name
            ]
            opened = (
                there[0] if there else tracking.begin(NAME, node_.name, tags, parent, self.start.began_at)
            )
            tracking.log(opened, [], node_.params)
            self._runs[name] = opened
        return self._runs[name]


def show(tracking: "Tracking") -> str:
    """Keep a view of the queries' runs, newest first, whose charts are drawn over the time of day; return its address within MLflow's pages."""
    chosen = {
        "searchFilter": f"tags.`{PREFIX}kind` = '{QUERY}'",
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [f"params.`{name}`" for name in ("topic", "cores", "trigger_s")],
        "autoRefreshEnabled": True,
        "globalLineChartConfig": {"xAxisKey": "time", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
    }
    number = tracking.tag_experiment(NAME, f"mlflow.sharedViewState.{_VIEW}", json.dumps(chosen))
    return f"#/experiments/{number}/runs?workflowType=machine_learning&viewStateShareKey={_VIEW}&compareRunsMode=CHART"


def record_missing(tracking: "Tracking", starts: Iterable[tuple[Path, Start]]) -> list[Start]:
    """Record those of these starts, which ended, that the record lacks or has a part of; return them.

    Raises:
        RecordingError: MLflow does not take them; they stay on disk.
    """
    known = {
        run.tags.get(PREFIX + "attempt")
        for run in tracking.runs(NAME, PREFIX + "kind", KIND, deleted=True)
        if PREFIX + "revision" in run.tags
    }
    missing = [(folder, start) for folder, start in starts if start.attempt not in known]
    for folder, start in missing:
        series = StreamSeries(start.began_at, doubling)
        series.application(read(folder / EVENTS))
        series.finish()
        tree = Tree(NAME, ("attempt", start.attempt), _ENDS[start.status])
        write(tracking, node(start, folder, series), tree)
    return [start for _, start in missing]


def attach(tracking: "Tracking", starts: Iterable[Start], note: str, files: Iterable[Path]) -> None:
    """Put a page and its text with the runs of the starts that it shows.

    Raises:
        RecordingError: MLflow does not take them.
    """
    written = list(files)
    for start in starts:
        for run in tracking.runs(NAME, PREFIX + "attempt", start.attempt):
            if run.tags.get(PREFIX + "kind") == KIND:
                tracking.attach(run.run_id, written, "report")
                tracking.tag(run.run_id, {NOTE: note[:LONGEST_NOTE]})


def node(start: Start, folder: Path, series: StreamSeries) -> Node:
    """Return the runs of a start that ended."""
    span = start.began_at, start.ended_at or start.began_at
    children = []
    for query in series.queries.values():
        child = _query(start, query)
        numbers = [*_steps(series.began_at, query.take()), *_totals(totals(query))]
        children.append(Node(child.name, child.kind, child.tags, child.params, numbers, span=span))
    about = _about(start)
    whole = {
        "messages": sum(query.messages for query in series.queries.values()),
        "batches": sum(query.batches for query in series.queries.values()),
        "restarts": sum(max(0, query.starts - 1) for query in series.queries.values()),
        "seconds": span[1] - span[0],
    }
    topics = ", ".join(dict.fromkeys(query.topic for query in series.queries.values() if query.topic))
    told = {f"{PREFIX}topics": topics, NOTE: _note(start, whole)}
    return Node(
        about.name,
        about.kind,
        {**about.tags, **cut(told)},
        about.params,
        list(_totals(whole)),
        files=[folder / FILE],
        children=children,
        span=span,
        revision=1,
    )


def _about(start: Start) -> Node:
    """Return the run of a start as it is when it begins."""
    params = {
        "streams": start.name,
        "cores": start.cores,
        "memory": start.memory,
        "drain": start.drain,
        "trigger_s": _triggers(start),
        **{key: value for key, value in start.params.items() if key not in ("options", "trigger_s")},
        **{
            f"{stream}.{key}": value
            for stream, options in start.params.get("options", {}).items()
            for key, value in options.items()
        },
    }
    tags = {
        f"{PREFIX}command": start.command,
        f"{PREFIX}restart": start.restart,
        f"{PREFIX}status": start.status,
        **({f"{PREFIX}error": start.error} if start.error else {}),
        **start.environment,
        "mlflow.source.name": f"python -m experiments stream {','.join(start.streams)}",
        "mlflow.source.type": "LOCAL",
    }
    return Node(f"{start.name} {start.attempt}", KIND, cut(tags), cut(params))


def _query(start: Start, query: QuerySeries) -> Node:
    """Return the run of a query, without its numbers."""
    tags = {
        f"{PREFIX}query": query.name,
        f"{PREFIX}status": start.status,
        f"{PREFIX}start_offset": offsets_text(query.begin),
        f"{PREFIX}end_offset": offsets_text(query.end),
    }
    params = {
        "query": query.name,
        "topic": query.topic,
        "cores": start.cores,
        "trigger_s": start.triggers[query.name.partition(".")[0]],
    }
    return Node(query.name, QUERY, cut(tags), cut(params))


def _triggers(start: Start) -> str:
    each = {f"{seconds:g}" for seconds in start.triggers.values()}
    every = ", ".join(f"{stream} {start.triggers[stream]:g}" for stream in start.streams)
    return each.pop() if len(each) == 1 else every


def _steps(began_at: float, found: Iterable[Measured]) -> Iterator[Number]:
    """Yield the values of steps, each with the second at which its step ends and the time of the last event in it."""
    for one in found:
        at_ms = round((began_at + one.last) * 1000)
        values = one.values()
        for metric in OF_STEPS:
            if metric.key in values:
                yield Number(metric.name, values[metric.key] * metric.factor, one.step.end, at_ms)
        for name, seconds in one.parts().items():
            yield Number(PART.of(name), seconds, one.step.end, at_ms)


def _totals(found: Mapping[str, Any]) -> Iterator[Number]:
    for metric in OF_TOTALS:
        value = found.get(metric.key)
        if value is not None:
            yield Number(metric.name, float(value))


def _note(start: Start, whole: Mapping[str, Any]) -> str:
    lines = [
        f"**{start.name}**: {start.status}, {whole['messages']:,} messages in {whole['batches']:,} batches"
    ]
    return "\n\n".join([*lines, *([f"```\n{start.error}\n```"] if start.error else [])])
