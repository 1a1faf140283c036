"""Runs streams: queries from Kafka's topics on, until they are stopped or what was there is done."""

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from core.errors import UsageError
from core.options import nearest, parse
from datasets.topics.connection import Connection
from jobs.runtime.context import Context, JobKind
from jobs.runtime.request import Result
from jobs.runtime.windows import OpenWindow
from jobs.streaming.messages import SKEW_S
from jobs.streaming.progress import Ends, Progress
from jobs.streaming.running import Group, Pace, Running
from jobs.streaming.stream import StreamContext
from jobs.streams import STREAMS, check_names

_LOOK_S = 0.5
_LAG_S = 5.0


@dataclass(frozen=True)
class StreamParams:
    """Parameters of the job.

    Attributes:
        streams: names of streams.
        brokers: host:port of Kafka's brokers.
        folder: the run folder, for checkpoints and the lake.
        trigger_s: seconds between the starts of two micro-batches; below 0 for each stream's own.
        drain: end when what Kafka held at the start is done.
        window_s: length of the windows that are measured.
        most: messages of one micro-batch at most.
        skew_s: seconds that a message's time may lie in the future.
        restarts: how often a query that fails is started again.
        accept_loss: go on where messages expired before they were read.
        begin: for a topic the offset of each partition to begin at, where there is no checkpoint yet.
        options: settings of each stream by its name.
    """

    streams: tuple[str, ...]
    brokers: tuple[str, ...]
    folder: Path
    trigger_s: float = -1.0
    drain: bool = False
    window_s: float = 60.0
    most: int = 500_000
    skew_s: float = SKEW_S
    restarts: int = 3
    accept_loss: bool = False
    begin: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


class Streams:
    """Windows of rates (messages a second, by query) and lags (seconds, by query) while the queries run."""

    kind: JobKind = "windows"

    def parameters(self) -> frozenset[str]:
        return frozenset(field.name for field in fields(StreamParams))

    def run(self, context: Context) -> Result:
        params = parse(StreamParams, context.request.params, "parameters of stream")
        _check(params)
        context.ready()
        with Group([one for name in params.streams for one in _queries(context, params, name)]) as group:
            progress = [Progress(one) for one in group.running]
            topics = {one.query.topic for one in group.running}
            with closing(Ends(group.running[0].context.connection, topics)) as ends:
                watch = _Watch(group, progress, ends)
                for window in context.windows():
                    if watch.over:
                        break
                    watch.window(window, None if params.drain else params.window_s)
        return Result(
            job="stream",
            status="ok",
            counts={f"messages.{one.running.name}": one.messages for one in progress},
        )


def _check(params: StreamParams) -> None:
    if not params.streams:
        raise UsageError("streams in parameters of stream is empty: name one or more, for example NAME=lake")
    check_names(params.streams)
    for name in params.options:
        if name not in params.streams:
            raise UsageError(
                f"options of the stream {name!r}, which is not started: {nearest(name, params.streams)}"
            )
    if params.window_s <= 0 or params.most < 1 or params.restarts < 0:
        raise UsageError(
            "window_s must be above 0, most 1 or more and restarts 0 or more in parameters of stream, got "
            f"window_s={params.window_s}, most={params.most}, restarts={params.restarts}"
        )


def _queries(context: Context, params: StreamParams, name: str) -> list[Running]:
    stream = STREAMS[name]
    options = parse(stream.options, params.options.get(name, {}), f"options of the stream {name}")
    within = StreamContext(
        name,
        context.spark,
        Connection.of(params.brokers),
        params.folder,
        params.skew_s,
        context.events,
        params.accept_loss,
    )
    trigger = stream.trigger_s if params.trigger_s < 0 else params.trigger_s
    pace = Pace(trigger, params.drain, params.most, params.restarts, begin=params.begin)
    return [Running(within, query, pace) for query in stream.queries(within, options)]


class _Watch:
    """Looks at the queries while a window lasts."""

    def __init__(self, group: Group, progress: list[Progress], ends: Ends) -> None:
        self.group, self.progress, self.ends = group, progress, ends
        self.over = False

    def window(self, window: OpenWindow, seconds: float | None) -> None:
        """Let a window last its seconds, or until every query has ended."""
        begin = time.monotonic()
        next_lag = 0.0
        for one in self.progress:
            window.count(one.running.name, 0)
        while not self.over and (seconds is None or time.monotonic() < begin + seconds):
            self.over = not self.group.look()
            for one in self.progress:
                window.count(one.running.name, one.new())
            if self.over or time.monotonic() >= next_lag:
                self._lags(window)
                next_lag = time.monotonic() + _LAG_S
            if not self.over:
                time.sleep(_LOOK_S)

    def _lags(self, window: OpenWindow) -> None:
        there = self.ends.held()
        if there is None:
            return
        for one in self.progress:
            behind, late = one.lag(there)
            window.lag(one.running.name, late)
            one.running.context.events.add("lag", query=one.running.name, messages=behind, seconds=late)


JOB = Streams()
