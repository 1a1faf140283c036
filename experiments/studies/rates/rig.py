"""Set-up in which one stream is measured: messages of its own, a lake and checkpoints of its own, and nothing of other trials."""

import logging
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cluster.lifecycle import Cluster
from cluster.settings import Settings
from core.errors import JobError
from core.lock import undisturbed
from datasets.topics import declared
from datasets.topics.admin import administered, make_declared
from datasets.topics.connection import Connection
from datasets.topics.times import sent_times
from experiments.results.events import Event
from experiments.run.producing import LEDGER, Producing
from experiments.run.reconciling import reconcile
from experiments.run.stores import spark_settings_of
from experiments.run.streams import Asked, kafka, run
from experiments.studies.rates.generator import Generated, put_first
from experiments.studies.rates.observed import Batch, Place, Seen, Sent, batches, drained_rate, seen
from experiments.studies.rates.processes import cpu_seconds
from experiments.studies.rates.subjects import Subject
from jobs.reconciling.run import LAKE
from jobs.stores import STORAGES
from jobs.stores.cassandra.access import PREFIX
from jobs.streaming.offsets import flat, nested
from jobs.streams import STREAMS

logger = logging.getLogger(__name__)

_BEFORE_END_S = 1.0
_STUCK_S = 240.0


@dataclass(frozen=True)
class Drained:
    """A backlog that was drained.

    Attributes:
        messages: that it had; per_s: at which it was drained, without the first batch.
        differences: what the reconciliation found.
    """

    messages: int
    per_s: float
    differences: tuple[str, ...]


@dataclass(frozen=True)
class Tried:
    """A trial at a rate.

    Attributes:
        generated: account of the generator; seen: lags and latencies of the measured part.
        cpu_s: CPU seconds that each process took in span_s seconds of the measured part.
        differences: what the reconciliation found.
    """

    generated: Generated
    seen: Seen
    cpu_s: Mapping[str, float]
    span_s: float
    differences: tuple[str, ...]


class Rig:
    """One place of trials; each has a folder of its own, of which only the ledger and the log stay."""

    def __init__(self, settings: Settings, subject: Subject, folder: Path) -> None:
        self.settings, self.subject, self.folder = settings, subject, folder
        self.cluster = Cluster(settings)
        self.brokers = kafka(self.cluster, STREAMS[subject.stream].services)
        self.connection = Connection.of(self.brokers)
        make_declared(self.connection)

    def fastest(self, total: int) -> Generated:
        """Let the generator send as fast as it goes, with no stream beside it."""
        with self._producing(total, None, self._fresh("generator")) as generator:
            return Generated.of(generator.wait())

    def drain(self, total: int, name: str = "drain") -> Drained:
        """Send a backlog, then drain it one batch after another."""
        folder, begin = self._fresh(name), self._ends()
        with self._producing(total, None, folder) as generator:
            sent = Generated.of(generator.wait())
        found = Following(self.subject.name)
        run(self.settings, self._asked(folder, begin, drain=True, trigger_s=0), found.follow)
        per_s = drained_rate(found.batches())
        return Drained(sent.acknowledged, per_s, self._reconciled(folder, begin))

    def trial(self, rate: float, warmup_s: float, measured_s: float, name: str) -> Tried:
        """Send at a rate beside the running stream until that has read everything, and look at what came of it.

        Args:
            rate: messages a second.
            warmup_s: seconds of sending before the measured part.
            measured_s: seconds of the measured part.
            name: of the trial's folder.

        Raises:
            JobError: the stream or the generator failed.
        """
        folder, begin = self._fresh(name), self._ends()
        with self._streaming(folder, begin, self.subject.most_at(rate)) as found:
            with self._producing(round(rate * (warmup_s + measured_s)), rate, folder) as generator:
                time.sleep(warmup_s)
                before, began = self._cpu(generator), time.perf_counter()
                time.sleep(measured_s - _BEFORE_END_S)
                after, took = (
                    self._cpu(generator),
                    time.perf_counter() - began,
                )  # a process that ended has no seconds
                generated = Generated.of(generator.wait())
            found.until(self._ends())
        sent = self._sent(begin)
        first = min(float(one.at_s[0]) for one in sent.values() if len(one.at_s))
        last = max(float(one.at_s[-1]) for one in sent.values() if len(one.at_s))
        measured = seen(sent, found.batches(), first + warmup_s, last)
        spent = {one: round(after[one] - before.get(one, 0.0), 3) for one in after}
        return Tried(generated, measured, spent, took, self._reconciled(folder, begin))

    @contextmanager
    def _streaming(self, folder: Path, begin: Mapping[Place, int], most: int) -> Iterator["Following"]:
        """Run the stream meanwhile, and then until it has read what it is to read (`Following.until`).

        One application reads all of it: the messages that a second one reads would have waited for its start.
        """
        patience_s = _STUCK_S + self.subject.trigger_s
        found, latest = Following(self.subject.name, patience_s), time.monotonic() + patience_s
        with ThreadPoolExecutor(1) as beside:
            asked = self._asked(folder, begin, most=most)
            running = beside.submit(run, self.settings, asked, found.follow)
            try:
                while not found.started.wait(0.5):
                    if running.done():
                        running.result()
                        raise JobError(f"the stream {self.subject.stream} ended before it had begun")
                    if time.monotonic() > latest:
                        raise JobError(found.stuck("since it was started, though it has none to read"))
                yield found
                try:
                    running.result()
                except KeyboardInterrupt:  # that `Following` ended it with, or a person
                    if not found.complete:
                        raise
            finally:
                found.stop()
                with undisturbed():  # a second Ctrl-C would leave the application to itself
                    wait([running])

    def _producing(self, total: int, rate: float | None, folder: Path) -> Producing:
        producing = Producing(replace(self.subject.sending, total=total, rate=rate), self.brokers, folder)
        if rate is not None:  # as fast as it goes it would take all processors from Kafka
            put_first(producing.pid)
        return producing

    def _asked(
        self,
        folder: Path,
        begin: Mapping[Place, int],
        subject: Subject | None = None,
        *,
        drain: bool = False,
        **more: Any,
    ) -> Asked:
        subject = subject or self.subject
        params = {
            "folder": str(folder.resolve()),
            "begin": nested(begin),
            "trigger_s": subject.trigger_s,
            "most": subject.most_at(0.0),
            "options": {subject.stream: dict(subject.options)},
            **more,
        }
        return Asked([subject.stream], subject.cores, subject.memory, drain, params)

    def _ends(self) -> dict[Place, int]:
        """Return where every topic ends now: a trial begins there, so that it has messages of its own alone."""
        with administered(self.connection) as broker:
            return {(one.topic, one.partition): one.end for one in broker.held(declared.topics())}

    def _sent(self, begin: Mapping[Place, int]) -> dict[Place, Sent]:
        ends = {place: end for place, end in self._ends().items() if place[0] == self.subject.topic}
        ranges = {place: (begin[place], end) for place, end in ends.items() if end > begin[place]}
        times = sent_times(self.connection, ranges)
        return {place: Sent(begin[place], at_s) for place, at_s in times.items()}

    def _cpu(self, generator: Producing) -> dict[str, float]:
        return cpu_seconds(self.cluster.running(), {"generator": generator.pid})

    def _reconciled(self, folder: Path, begin: Mapping[Place, int]) -> tuple[str, ...]:
        """Compare everything that was kept with everything that was sent; then remove what was kept.

        What a stream keeps elsewhere is compared with the lake, which reads the same messages afterwards.
        """
        if self.subject.stream != LAKE:
            lake = replace(self.subject, stream=LAKE, options={"topics": self.subject.topic})
            run(self.settings, self._asked(folder, begin, lake, drain=True, trigger_s=0))
        ledger = folder / LEDGER
        result = reconcile(self.settings, [ledger], keyspace=self._keyspace, folder=folder)
        for kept in ("streams", "lake"):
            shutil.rmtree(folder / kept, ignore_errors=True)
        if not result.counts["differing"]:
            return ()
        return tuple(" ".join(map(str, row)) for row in result.table[1:])

    @property
    def _keyspace(self) -> str:
        return str(self.subject.options.get("keyspace", ""))

    def _fresh(self, name: str) -> Path:
        """Return an empty folder; what the stream kept elsewhere in an earlier trial is gone."""
        for service in STREAMS[self.subject.stream].services:
            reach = spark_settings_of(service, self.settings, self.cluster.ensure(service), "")
            STORAGES[service].drop(self._keyspace.removeprefix(PREFIX), reach)
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.cluster.driver_host.give_access([folder])
        return folder


class Following:
    """Batches of a query of an application, as its events come.

    Attributes:
        started: whether the query has ended its first batch, which has no messages: it starts executors, connects, and compiles most of what
            later ones need, for half a minute.
        complete: whether it has read what it is to read, so that the application was ended.
    """

    def __init__(self, query: str, patience_s: float = _STUCK_S) -> None:
        self.started = threading.Event()
        self.complete = False
        self._query, self._patience_s = query, patience_s
        self._events: list[Event] = []
        self._end: Mapping[Place, int] | None = None
        self._stopped = False
        self._heard = time.monotonic()

    def until(self, end: Mapping[Place, int]) -> None:
        """Let the application end when the query has read up to these offsets; those of other topics do not count."""
        self._heard = time.monotonic()
        self._end = end

    def stop(self) -> None:
        """Let the application end now."""
        self._stopped = True

    def follow(self, event: Event) -> None:
        """Keep what one event says.

        Raises:
            KeyboardInterrupt: the application is to end.
            JobError: the query has messages to read and has not ended a batch in time.
        """
        if event["event"] in ("batch", "visible") and event["query"] == self._query:
            self._events.append(event)
            if event["event"] == "batch":
                self.started.set()
            self._heard = time.monotonic()
        self.complete = self.complete or self._read()
        if self.complete or self._stopped:
            raise KeyboardInterrupt
        if self._end is not None and time.monotonic() > self._heard + self._patience_s:
            raise JobError(self.stuck("although there are messages to read"))

    def stuck(self, when: str) -> str:
        """Return what is told of a query that ends no batch."""
        return f"{self._query} has ended no batch for {self._patience_s:.0f} s {when}: see the driver's log in the run folder's streaming/"

    def batches(self) -> Sequence[Batch]:
        """Return the batches of the query that have ended, in order."""
        return batches(self._events, self._query)

    def _read(self) -> bool:
        done = [event for event in self._events if event["event"] == "batch"] if self._end is not None else []
        if not done or self._end is None:
            return False
        ends = flat(done[-1]["endOffset"])
        return all(offset >= self._end[place] for place, offset in ends.items())
