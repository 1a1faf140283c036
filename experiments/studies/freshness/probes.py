"""Likes that are sent at random times, each followed until a read of its person's list has it."""

import datetime as dt
import json
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from core.errors import JobError
from datasets.sending.client import connected
from datasets.sending.clock import poisson
from datasets.topics.connection import Connection
from jobs.engine.events import Event
from jobs.stores.cassandra.feedback import Through
from jobs.stores.cassandra.lists import People, Said
from jobs.streaming.refreshing import Maker

TOPIC = "events"
LOOK_S = 0.02
"""Seconds between two reads of what a probe waits for: by so much a latency may be too long."""

_PATIENCE_S = 60.0
_IDLE_S = 0.001
_THREADS = 4


@dataclass
class Probe:
    """One like. Times are of `time.perf_counter`; None: not yet.

    Attributes:
        due: when it was to be sent; sent: when it was handed to Kafka's client; acked: when all copies of it were written.
        row: when a read found its row of `events`; listed: when one found a list of the person with it, or a later one, in it.
    """

    user: str
    event: Event
    due: float
    sent: float | None = None
    acked: float | None = None
    row: float | None = None
    listed: float | None = None
    through: Through | None = None


class Reader(ABC):
    """Follows probes from their acknowledgement until they are in a list."""

    @abstractmethod
    def acknowledged(self, probe: Probe) -> None:
        """Begin to follow a probe."""

    @abstractmethod
    def look(self) -> None:
        """See what has come of the probes, and note the time."""

    @property
    @abstractmethod
    def waiting(self) -> int:
        """Number of probes that are not in a list yet."""


class OfRows(Reader):
    """Reads the rows of lists that the stream `refresh` writes, again and again."""

    def __init__(self, people: People, version: str) -> None:
        self._people, self._version = people, version
        self._pending: list[Probe] = []
        self._next = 0.0

    def acknowledged(self, probe: Probe) -> None:
        self._pending.append(probe)

    def look(self) -> None:
        if not self._pending or time.perf_counter() < self._next:
            return
        rowless = [probe for probe in self._pending if probe.row is None]
        there = self._people.there([(probe.user, probe.event) for probe in rowless])
        now = time.perf_counter()
        for probe, found in zip(rowless, there, strict=True):
            probe.row = now if found else None
        covered = self._people.covered([probe.user for probe in self._pending], self._version)
        now = time.perf_counter()
        for probe, through in zip(self._pending, covered, strict=True):
            assert probe.through is not None  # it was acknowledged
            if through is not None and through >= probe.through:
                probe.listed = now
        self._pending = [probe for probe in self._pending if probe.listed is None]
        self._next = time.perf_counter() + LOOK_S

    @property
    def waiting(self) -> int:
        return len(self._pending)


class AtRead(Reader):
    """Writes the row of an event itself, as whoever accepts a like would, then makes the list from the person's rows."""

    def __init__(self, people: People, maker: Maker, k: int) -> None:
        self._people, self._maker, self._k = people, maker, k
        self._pool = ThreadPoolExecutor(_THREADS)
        self._pending: list[Any] = []

    def acknowledged(self, probe: Probe) -> None:
        self._pending.append(self._pool.submit(self._read, probe))

    def _read(self, probe: Probe) -> None:
        assert probe.through is not None
        self._people.keep_events([Said(probe.user, probe.event, probe.through)])
        probe.row = time.perf_counter()
        found = self._maker.listed(self._people, [probe.user], self._k)[probe.user]
        if found.through is None or found.through < probe.through:
            raise JobError(
                f"a list that was made after {probe.through} was written has only {found.through} in it"
            )
        probe.listed = time.perf_counter()

    def look(self) -> None:
        for one in self._pending:
            if one.done():
                one.result()
        self._pending = [one for one in self._pending if not one.done()]

    @property
    def waiting(self) -> int:
        return len(self._pending)


class Prober:
    """Sends probes, one after another for each person."""

    def __init__(
        self, connection: Connection, reader: Reader, users: Sequence[str], items: int, seed: int
    ) -> None:
        self._reader, self._users, self._items, self._seed = reader, users, items, seed
        self._random = random.Random(seed)  # noqa: S311 - not for secrets
        self._producer = connected(connection, [TOPIC], _PATIENCE_S, **{"linger.ms": 0})
        self._number = 0
        self._failed: list[str] = []

    def run(self, rate: float, seconds: float) -> list[Probe]:
        """Send at random times, `rate` a second on average, and wait for all.

        Raises:
            JobError: Kafka refused a message, or one is in no list after a minute.
        """
        begin, busy, probes = time.perf_counter(), dict[str, Probe](), list[Probe]()
        times = self._times(rate, seconds)
        due = next(times, None)
        while due is not None or self._reader.waiting or any(probe.acked is None for probe in busy.values()):
            now = time.perf_counter()
            while due is not None and now >= begin + due:
                probe = self._probe(busy, begin + due)
                probes.append(probe)
                self._send(probe)
                due, now = next(times, None), time.perf_counter()
            self._producer.poll(0)
            if self._failed:
                raise JobError(f"Kafka refused a probe: {self._failed[0]}")
            self._reader.look()
            busy = {user: probe for user, probe in busy.items() if probe.listed is None}
            if any(now > probe.due + _PATIENCE_S for probe in busy.values()):
                raise JobError(
                    f"{len(busy)} likes are in no list {_PATIENCE_S:.0f} s after they were to be sent: see the stream's log"
                )
            time.sleep(_IDLE_S)
        return probes

    def _times(self, rate: float, seconds: float) -> Iterator[float]:
        for due in poisson(rate, self._random.randrange(2**31)):
            if due >= seconds:
                return
            yield due

    def _probe(self, busy: dict[str, Probe], due: float) -> Probe:
        user = self._random.choice(self._users)
        while user in busy:  # whose list would cover two probes at once
            user = self._random.choice(self._users)
        self._number += 1
        now = dt.datetime.now(dt.UTC)
        at = now.replace(microsecond=now.microsecond // 1000 * 1000)  # as a message and a row have it
        item = f"item-{self._random.randrange(self._items)}"
        busy[user] = Probe(
            user, Event(at, f"probe-{self._seed}-{self._number}", "like", item, None, None), due
        )
        return busy[user]

    def _send(self, probe: Probe) -> None:
        event = probe.event
        value = {
            "id": event.id, "user": probe.user, "item": event.item, "type": event.type, "timestamp": round(event.at.timestamp() * 1000),
        }  # fmt: skip
        probe.sent = time.perf_counter()
        self._producer.produce(
            TOPIC,
            json.dumps(value).encode(),
            probe.user.encode(),
            on_delivery=partial(self._delivered, probe),
        )

    def _delivered(self, probe: Probe, error: Any, message: Any) -> None:
        if error is not None:
            self._failed.append(str(error))
            return
        probe.acked = time.perf_counter()
        probe.through = Through(message.partition(), message.offset())
        self._reader.acknowledged(probe)
