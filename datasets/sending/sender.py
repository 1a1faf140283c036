"""Open-loop sender: hands each message to the client when it is due, however slow Kafka is, and counts what Kafka acknowledges."""

import gc
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from datasets.producer import Message
from datasets.sending.client import Client
from datasets.sending.delays import Delays
from datasets.sending.ledger import Ledger

_TICK_S = 0.001
_LONGEST_SLEEP_S = 0.05
_BURST = 256
_OVERHEAD = 256  # bytes of a batch and of a record around key, value and headers
_NAMED = 5
INTENDED = "intended"
"""Header with the intended send time: microseconds since 1970 as text."""

Item = tuple[Message, str | None]
"""A message, and its kind if it is deliberately bad."""


@dataclass
class Sent:
    """Account of a run.

    Attributes:
        handed: messages that the client took.
        failed: those of them that Kafka has not acknowledged: refused, or no answer in time.
        refused: messages that were not handed over because they are larger than the topic takes.
        named: the first few of the refused ones: topic, key and size.
        bad: deliberately bad ones, by kind: those handed over, and those refused.
        errors: of failed messages, by their text.
        first_due_s, last_due_s: when the first and the last message were due, seconds after the start of the run.
        last_handed_s: when the last one was handed over.
        ended_s: when the last acknowledgement had come.
        size: bytes of all keys and values.
    """

    handed: int = 0
    failed: int = 0
    refused: int = 0
    named: list[str] = field(default_factory=list)
    bad: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    first_due_s: float = 0.0
    last_due_s: float = 0.0
    last_handed_s: float = 0.0
    ended_s: float = 0.0
    size: int = 0
    delays: Delays = field(default_factory=Delays)

    @property
    def acknowledged(self) -> int:
        """Messages that all in-sync copies hold."""
        return self.handed - self.failed


class Sender:
    """One run of sending.

    Kafka's acknowledgements are counted by the client, which calls back for failed messages only: a call for each message
    costs a third of the throughput. With a ledger every message calls back with its partition and offset.

    Args:
        client: connected.
        ledger: that gets the offsets of acknowledged messages, or None.
        patience_s: seconds that are waited, at the end, for acknowledgements.
        progress: is called about once a second.
    """

    def __init__(
        self,
        client: Client,
        ledger: Ledger | None,
        patience_s: float,
        progress: Callable[[Sent], None] | None = None,
    ) -> None:
        self._client, self._ledger, self._patience_s = client, ledger, patience_s
        self._producer = client.producer
        self._progress = progress or (lambda _: None)
        self.sent = Sent()
        self._begun = 0.0

    def paced(self, items: Iterable[Item]) -> Sent:
        """Send each message when it is due."""
        return self._run(self._pace, iter(items))

    def rushed(self, items: Iterable[Item]) -> Sent:
        """Send as fast as it goes; a message is due when it is handed over."""
        return self._run(self._rush, iter(items))

    def _run(self, send: Callable[[Iterator[Item]], None], items: Iterator[Item]) -> Sent:
        """Send, and wait for the acknowledgements also of what was sent before an interruption."""
        with _no_collection():
            self._begun = time.perf_counter()
            try:
                send(items)
            finally:
                waiting = self._producer.flush(self._patience_s + 5.0)
                self.sent.failed += waiting
                self.sent.ended_s = time.perf_counter() - self._begun
        if waiting:
            self.sent.errors["no answer in time"] += waiting
        return self.sent

    def _pace(self, items: Iterator[Item]) -> None:
        sent, begun, poll, clock = self.sent, self._begun, self._producer.poll, time.perf_counter
        epoch_us = time.time_ns() // 1000
        item = next(items, None)
        if item:
            sent.first_due_s = item[0][3]
        tick = begun + 1.0
        while item and not sent.failed:
            now = clock() - begun
            if item[0][3] > now:
                poll(0)
                time.sleep(min(max(item[0][3] - now, _TICK_S), _LONGEST_SLEEP_S))
            due: list[float] = []
            now = clock() - begun
            while item and item[0][3] <= now and len(due) < _BURST:
                at = item[0][3]
                self._hand(item, epoch_us + int(at * 1_000_000))
                due.append(at)
                item = next(items, None)
            if due:
                sent.last_handed_s, sent.last_due_s = clock() - begun, due[-1]
                sent.delays.add(due, sent.last_handed_s)
                poll(0)
            if now + begun > tick:
                self._progress(sent)
                tick += 1.0

    def _rush(self, items: Iterator[Item]) -> None:
        sent, begun, poll = self.sent, self._begun, self._producer.poll
        tick, number = begun + 1.0, 0
        intended = time.time_ns() // 1000
        for number, item in enumerate(items, 1):
            self._hand(item, intended)
            if not number % 64:
                intended = time.time_ns() // 1000
                poll(0)
                now = time.perf_counter()
                if sent.failed:
                    break
                if now > tick:
                    self._progress(sent)
                    tick = now + 1.0
        sent.last_handed_s = time.perf_counter() - begun

    def _hand(self, item: Item, intended_us: int) -> None:
        """Hand one message to the client, waiting while its queue is full."""
        (topic, key, value, _, headers), bad = item
        sent = self.sent
        size = len(value) + len(key or b"")
        if size + _OVERHEAD > self._client.largest[topic]:
            self._refuse(item, size)
            return
        arguments: dict[str, Any] = {
            "timestamp": intended_us // 1000,
            "headers": [*headers, (INTENDED, b"%d" % intended_us)],
            "on_delivery": self._delivered if bad is None else partial(self._delivered, bad=bad),
        }
        while True:
            try:
                self._producer.produce(topic, value, key, **arguments)
            except BufferError:
                self._producer.poll(0.01)
                if sent.failed:
                    return
                continue
            break
        sent.handed += 1
        sent.size += size
        if bad is not None:
            sent.bad[bad] += 1

    def _refuse(self, item: Item, size: int) -> None:
        (topic, key, _, _, _), bad = item
        if bad is not None:
            self.sent.bad[bad] += 1
            return
        self.sent.refused += 1
        if len(self.sent.named) < _NAMED:
            self.sent.named.append(f"{topic} {(key or b'').decode(errors='replace')!r} of {size:,} bytes")

    def _delivered(self, error: Any, message: Any, bad: str | None = None) -> None:
        if error is not None:
            self.sent.failed += 1
            self.sent.errors[error.str()] += 1
        elif self._ledger is not None:
            self._ledger.add(message.topic(), message.partition(), message.offset(), bad)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep Python's collector of cycles from stopping the loop; messages make no cycles."""
    was = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was:
            gc.enable()
