"""Lag and latency of a stream whose messages came at their own times, from offsets and times alone.

Both count from the moment at which a message was to be sent, so a generator or a broker that was held up by the stream makes neither
look better (no coordinated omission). A row can be seen from the moment on that its stream tells for all rows of the batch. Where it
tells none that is the end of the batch, which comes later: an upper bound.
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from core.errors import JobError
from jobs.streaming.offsets import flat

Place = tuple[str, int]
"""Topic and partition."""

SHARES = (0.5, 0.95, 0.99)


@dataclass(frozen=True)
class Batch:
    """One micro-batch.

    Attributes:
        ended_s: seconds since 1970.
        ends: for each partition the offset after its last message.
        visible_s: since when its rows could be seen, in seconds since 1970; None where the stream did not tell.
    """

    ended_s: float
    ends: Mapping[Place, int]
    visible_s: float | None = None

    @property
    def seen_s(self) -> float:
        """Seconds since 1970 at which its rows count as seen."""
        return self.ended_s if self.visible_s is None else self.visible_s


@dataclass(frozen=True)
class Sent:
    """Times at which the messages of one partition were to be sent.

    Attributes:
        first: offset of the first one.
        at_s: seconds since 1970, one a message, in the order of their offsets.
    """

    first: int
    at_s: np.ndarray

    def before(self, moment: float) -> int:
        """Return the offset after the last message that was to be sent by then."""
        return self.first + int(np.searchsorted(self.at_s, moment, side="right"))


@dataclass(frozen=True)
class Seen:
    """Lags and latencies of a measured part.

    Attributes:
        times, lags: when batches ended, in seconds since its begin, and the messages that were to be sent by then and not there.
        latencies: seconds that this share of the messages took at most, by share; also of the slowest, by 1.
        messages: how many those are of.
        after_s: seconds from the moment since which a batch's rows could be seen to its end, the median of the batches with these
            messages; None where one has no such moment, so that latencies go to its end.
        warm: whether a batch with messages had ended before the part began: in the first one everything is cold.
    """

    times: Sequence[float]
    lags: Sequence[int]
    latencies: Mapping[float, float]
    messages: int
    after_s: float | None = None
    warm: bool = True


def batches(events: Iterable[Mapping[str, Any]], query: str) -> list[Batch]:
    """Return the batches of a query, in order, from the lines of events.jsonl."""
    mine = [event for event in events if event.get("query") == query]
    visible = {event["batchId"]: event["since"] for event in mine if event["event"] == "visible"}
    found = []
    for event in mine:
        if event["event"] == "batch":
            began = datetime.fromisoformat(event["timestamp"]).timestamp()
            ended = began + event["batchDuration"] / 1000
            found.append(Batch(ended, flat(event["endOffset"]), visible.get(event["batchId"])))
    return sorted(found, key=lambda batch: batch.ended_s)


def seen(sent: Mapping[Place, Sent], ended: Sequence[Batch], begin_s: float, end_s: float) -> Seen:
    """Return what became of the messages of a measured part.

    Args:
        sent: of each partition.
        ended: all batches of the query.
        begin_s: when the part begins, in seconds since 1970.
        end_s: when it ends. Lags are those of batches that ended in it, latencies those of messages that were to be sent in it.

    Raises:
        JobError: messages were to be sent and are in no batch, or none were.
    """
    within = [batch for batch in ended if begin_s <= batch.ended_s <= end_s]
    lags = [
        sum(
            max(0, one.before(batch.ended_s) - batch.ends.get(place, one.first))
            for place, one in sent.items()
        )
        for batch in within
    ]
    which = {place: _batch_of(place, one, ended, begin_s, end_s) for place, one in sent.items()}
    there = np.array([batch.seen_s for batch in ended])
    waits = np.concatenate(
        [there[which[place]] - _within(one, begin_s, end_s) for place, one in sent.items()] or [np.empty(0)]
    )
    if not len(waits):
        raise JobError("no message was to be sent in the measured part: let the trial last longer")
    latencies = dict(zip(SHARES, map(float, np.quantile(waits, SHARES)), strict=True))
    return Seen(
        [batch.ended_s - begin_s for batch in within],
        lags,
        {**latencies, 1: float(waits.max())},
        len(waits),
        _after([ended[one] for one in np.unique(np.concatenate(list(which.values())))]),
        any(batch.ended_s <= begin_s and _has_messages(batch, sent) for batch in ended),
    )


def _after(batches: Sequence[Batch]) -> float | None:
    told = [batch.ended_s - batch.visible_s for batch in batches if batch.visible_s is not None]
    return statistics.median(told) if len(told) == len(batches) else None


def _has_messages(batch: Batch, sent: Mapping[Place, Sent]) -> bool:
    return any(batch.ends.get(place, one.first) > one.first for place, one in sent.items())


def _within(sent: Sent, begin_s: float, end_s: float) -> np.ndarray:
    """Return the times of one partition's messages of the measured part."""
    return sent.at_s[(sent.at_s >= begin_s) & (sent.at_s <= end_s)]


def _batch_of(place: Place, sent: Sent, ended: Sequence[Batch], begin_s: float, end_s: float) -> np.ndarray:
    """Return the place among the batches of the one that has each of one partition's messages of the measured part."""
    ends = np.array([batch.ends.get(place, 0) for batch in ended], dtype=np.int64)
    offsets = sent.first + np.arange(len(sent.at_s))
    chosen = (sent.at_s >= begin_s) & (sent.at_s <= end_s)
    which: np.ndarray = np.searchsorted(ends, offsets[chosen], side="right")
    missing = int((which == len(ended)).sum())
    if missing:
        raise JobError(
            f"{missing:,} messages of {place[0]} {place[1]} are in no batch: the stream was stopped before it had read them"
        )
    return which


def drained_rate(ended: Sequence[Batch]) -> float:
    """Return the messages a second of a backlog, without the first batch, in which everything is cold.

    Raises:
        JobError: there is one batch only.
    """
    if len(ended) < 2:
        raise JobError(
            "a backlog of one batch has no rate: make it larger, or its batches smaller (stream.most)"
        )
    first, last = ended[0], ended[-1]
    count = sum(last.ends.values()) - sum(first.ends.values())
    return count / (last.ended_s - first.ended_s)
