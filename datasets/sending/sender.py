"""Open-loop sender: hands each message to the client when it is due, however slow Kafka is, and counts what Kafka acknowledges."""

import gc
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from datasets.producer import Header, Message
from datasets.sending.client import connected
from datasets.sending.delays import Delays
from datasets.sending.ledger import Ledger
from datasets.topics.connection import Connection

_TICK_S = 0.001
_LONGEST_SLEEP_S = 0.05
_BURST = 128
_TOGETHER = 64  # messages that are handed over as fast as it goes between two looks at the clock
_NAMED = 5
INTENDED = "intended"
"""Header with the intended send time: microseconds since 1970 as text."""


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
        connection: way to the brokers.
        topics: that are written to.
        ledger: that gets the offsets of acknowledged messages, or None.
        patience_s: seconds after which a message that is not acknowledged counts as failed.
        progress: is called about once a second.

    Raises:
        ServiceError: no broker answers, or a topic is missing.
    """

    def __init__(
        self,
        connection: Connection,
        topics: Collection[str],
        ledger: Ledger | None,
        patience_s: float,
        progress: Callable[[Sent], None] | None = None,
    ) -> None:
        self._ledger, self._patience_s = ledger, patience_s
        self._progress = progress or (lambda _: None)
        self._producer = connected(
            connection,
            topics,
            patience_s,
            **{"on_delivery": self._delivered, "delivery.report.only.error": ledger is None},
        )
        self.sent = Sent()
        self._begun = 0.0

    def paced(self, messages: Iterable[Message], start_ms: int | None = None) -> Sent:
        """Send each message when it is due, counted from a time (milliseconds since 1970) or from now."""
        return self._run(partial(self._pace, start_ms=start_ms), iter(messages))

    def rushed(self, messages: Iterable[Message]) -> Sent:
        """Send as fast as it goes; a message is due when it is handed over."""
        return self._run(self._rush, iter(messages))

    def _run(self, send: Callable[[Iterator[Message]], None], messages: Iterator[Message]) -> Sent:
        """Send, and wait for the acknowledgements also of what was sent before an interruption."""
        with _no_collection():
            self._begun = time.perf_counter()
            try:
                send(messages)
            finally:
                waiting = self._producer.flush(self._patience_s + 5.0)
                self.sent.failed += waiting
                self.sent.ended_s = time.perf_counter() - self._begun
        if waiting:
            self.sent.errors["no answer in time"] += waiting
        return self.sent

    def _pace(self, messages: Iterator[Message], start_ms: int | None) -> None:
        sent, poll, clock = self.sent, self._producer.poll, time.perf_counter
        message = next(messages, None)
        epoch_us = time.time_ns() // 1000 if start_ms is None else 1000 * start_ms
        begun = self._begun = clock() - (time.time_ns() // 1000 - epoch_us) / 1_000_000
        if message:
            sent.first_due_s = message[3]
        tick = begun + 1.0
        while message and not sent.failed:
            wait = message[3] - (clock() - begun)
            if wait > 0:
                poll(0)
                time.sleep(min(max(wait, _TICK_S), _LONGEST_SLEEP_S))
            due: list[float] = []
            now = clock() - begun
            while message and message[3] <= now and len(due) < _BURST:
                due.append(message[3])
                intended = epoch_us + int(message[3] * 1_000_000)
                self._hand(message, intended // 1000, [(INTENDED, b"%d" % intended)])
                message = next(messages, None)
            if due:
                sent.last_handed_s, sent.last_due_s = clock() - begun, due[-1]
                sent.delays.add(due, sent.last_handed_s)
                poll(0)
            if now + begun > tick:
                self._progress(sent)
                tick += 1.0

    def _rush(self, messages: Iterator[Message]) -> None:
        sent, poll, hand = self.sent, self._producer.poll, self._hand
        tick = self._begun + 1.0
        while not sent.failed and (together := list(islice(messages, _TOGETHER))):
            intended = time.time_ns() // 1000
            header, at = [(INTENDED, b"%d" % intended)], intended // 1000
            for message in together:
                hand(message, at, header)
            poll(0)
            if time.perf_counter() > tick:
                self._progress(sent)
                tick = time.perf_counter() + 1.0
        sent.last_handed_s = time.perf_counter() - self._begun

    def _hand(self, message: Message, at: int, intended: list[Header]) -> None:
        """Hand one message to the client, waiting while its queue is full."""
        topic, key, value, _, headers, bad = message
        sent, told = self.sent, {}
        if bad is not None:
            sent.bad[bad] += 1
            told = {"on_delivery": partial(self._delivered, bad=bad)}
        while True:
            try:
                self._producer.produce(
                    topic,
                    value,
                    key,
                    timestamp=at,
                    headers=headers + intended if headers else intended,
                    **told,
                )
            except BufferError:
                self._producer.poll(0.01)
                if not sent.failed:
                    continue
            except KafkaException as error:
                if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                    raise
                self._refuse(message)
            else:
                sent.handed += 1
                sent.size += len(value) + len(key or b"")
            return

    def _refuse(self, message: Message) -> None:
        topic, key, value, _, _, bad = message
        if bad is not None:
            return
        self.sent.refused += 1
        if len(self.sent.named) < _NAMED:
            size = len(value) + len(key or b"")
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
