"""Each person's list anew when they did something: from the topic `events` into Cassandra's table `lists`."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from pyspark import Broadcast
from pyspark.sql import DataFrame, Row

from core.errors import JobError, UsageError
from jobs.engine import list_files
from jobs.engine.list_files import Filed
from jobs.runtime.session import tasks_at_a_time
from jobs.stores.cassandra.access import PREFIX, Connection, check_keyspace, credentials
from jobs.stores.cassandra.feedback import EVENTS, KEYSPACE, Through
from jobs.stores.cassandra.lists import LISTS, People, Said, Stamps
from jobs.stores.cassandra.served import MODELS, NEXT, SERVED, Models, Served
from jobs.stores.cassandra.store import CassandraStore
from jobs.streaming.refreshing import Made, Maker
from jobs.streaming.saying import PlainReader, Reader, said
from jobs.streaming.stream import Query, StreamContext

TOPIC = "events"

PLAINLY, JOB, FLOOD = "driver", "driver, parsed by a Spark job", "executors"
"""How a batch was done, as its event says."""

_AT_ONCE = 1_000
_STRANGE = 20
"""Items of a batch from which on it is said that the model knows less than half of them."""


@dataclass(frozen=True)
class Options:
    """Settings of the stream.

    Attributes:
        model: folder of an exported model, which becomes the first that is served; empty: the one that is served.
        keyspace: of the tables.
        k: length of the lists.
        flood: messages of a micro-batch from which on lists are made on the executors, not in the driver.
    """

    model: str = ""
    keyspace: str = KEYSPACE
    k: int = 10
    flood: int = 500


class Refresh:
    """One query with a pool of its own: a person's event does not wait behind the writes of other streams."""

    options = Options
    services = ("cassandra",)
    trigger_s = 0.2

    def queries(self, context: StreamContext, options: Options) -> Sequence[Query]:
        _check(options)
        store = CassandraStore(context.spark, options.keyspace.removeprefix(PREFIX))
        store.standing(EVENTS, LISTS, MODELS)
        # The store may write the name in another way.
        options = replace(options, keyspace=store.keyspace.name)
        models = Models(Connection.of(context.spark.conf), options.keyspace)
        _serve(models, options)
        sink = Sink(context, options, models)
        return [Query(TOPIC, TOPIC, sink.write, settings={"keyspace": options.keyspace})]


def _check(options: Options) -> None:
    check_keyspace(options.keyspace)
    if options.k < 1 or options.flood < 0:
        raise UsageError(f"k must be 1 or more and flood 0 or more, got k={options.k}, flood={options.flood}")


def _serve(models: Models, options: Options) -> None:
    """Let the given model be served where none is."""
    served = models.all().get(SERVED)
    if not options.model:
        if served is None:
            raise UsageError(
                "the stream refresh makes lists with an exported model, and none is served yet: name the folder of one "
                '(STREAM_SET="refresh.model=FOLDER"; make train MODEL=hybrid with job.export=true says where it lies)'
            )
        return
    folder = Path(options.model).resolve()
    filed = list_files.read(folder)
    if served is None:
        models.set(SERVED, Served(filed.version, filed.model, str(folder)))
    elif served.version != filed.version:
        raise UsageError(
            f"{folder} is version {filed.version} of {filed.model}, and readers see version {served.version} of {served.model} "
            f"in {options.keyspace}: leave refresh.model out, and let a new model take its place with make publish"
        )


class Sink:
    """Makes the lists of a micro-batch's people."""

    def __init__(self, context: StreamContext, options: Options, models: Models) -> None:
        self._context, self._options, self._models = context, options, models
        self._where = Connection.of(context.spark.conf)
        self._people = People(self._where, options.keyspace)
        self._loaded: dict[str, _Loaded] = {}
        self._unreadable: set[str] = set()
        self._stamps = Stamps()
        self._current()  # so that the first batch does not wait for the files
        self._reader = Reader(TOPIC, context.skew_s)
        self._plain_reader = PlainReader(context.connection, TOPIC, context.skew_s)
        self._tasks = tasks_at_a_time(context.spark)

    def write(self, frame: DataFrame, batch: int) -> None:
        """Refresh the lists of one micro-batch.

        Events are written before histories are read, so each list has all of a person's events of the batch, whether the stream
        `feedback` has written them or not; a batch that comes again leaves the same. A model that is to be served next gets
        lists, too: the models are asked for before the lists are made and after, so that none of a person's events is missing in
        the next one's lists, whenever it is announced.
        """
        ranges, now_ms = self._context.ranges(TOPIC, batch), self._context.clock_ms(TOPIC, batch)
        how = FLOOD
        if sum(one.count for one in ranges) >= self._options.flood:
            make = self._flood(self._reader.rows(frame.coalesce(self._tasks), now_ms))
        else:
            found = self._plain_reader.read(ranges, now_ms)
            how = JOB if found is None else PLAINLY
            if found is None:
                found = [said(row) for row in self._reader.rows(frame.coalesce(1), now_ms).collect()]
            make = self._trickle(_kept(self._people, iter(found)))
        made, done = Made(), set[str]()
        while left := [one for one in self._current() if one.maker.version not in done]:
            made += make(left)
            done |= {one.maker.version for one in left}
        self._context.visible(TOPIC, batch, time.time())
        self._tell(batch, made, how)

    def _trickle(self, through: Mapping[str, Through | None]) -> "Callable[[Sequence[_Loaded]], Made]":
        def make(models: "Sequence[_Loaded]") -> Made:
            stamp = self._stamps.next()
            found = (one.maker.keep(self._people, through, self._options.k, stamp) for one in models)
            return sum(found, Made())

        return make

    def _flood(self, rows: DataFrame) -> "Callable[[Sequence[_Loaded]], Made]":
        def make(models: "Sequence[_Loaded]") -> Made:
            sent = [one.sent(self._context) for one in models]
            refreshing = _Refreshing(sent, self._where, credentials(), self._options, self._stamps.next())
            return sum(rows.rdd.mapPartitions(refreshing).collect(), Made())

        return make

    def _current(self) -> "list[_Loaded]":
        """Return the models that lists are made with; files are read when their model is new."""
        models = self._models.all()
        if SERVED not in models:
            raise JobError(
                f"no model is served in {self._options.keyspace} any more: start the stream with one (refresh.model)"
            )
        wanted = {models[role].version: models[role] for role in (SERVED, NEXT) if role in models}
        for version in set(self._loaded) - set(wanted):
            self._loaded.pop(version).release()
        for version, one in wanted.items():
            if version in self._loaded or version in self._unreadable:
                continue
            try:
                self._loaded[version] = _Loaded(one)
            except JobError as error:
                if version == models[SERVED].version:
                    raise
                self._unreadable.add(version)  # the served one's lists go on
                self._warn(f"the next model gets no lists: {error}")
        return [self._loaded[version] for version in wanted if version in self._loaded]

    def _tell(self, batch: int, made: Made, how: str) -> None:
        self._context.events.add("refreshed", query=self._query, batch=batch, how=how, **made._asdict())
        if made.known + made.unknown >= _STRANGE and made.unknown > made.known:
            self._warn(
                f"the served model knows {made.known:,} of the {made.known + made.unknown:,} items that people of a batch have events of: see that "
                "it was fitted on the data set whose items they are"
            )

    def _warn(self, text: str) -> None:
        self._context.events.add("warning", query=self._query, text=text)

    @property
    def _query(self) -> str:
        return f"{self._context.stream}.{TOPIC}"


class _Loaded:
    """A model whose file was read."""

    def __init__(self, served: Served) -> None:
        self._filed = list_files.read(Path(served.folder))
        if self._filed.version != served.version:
            raise JobError(
                f"{served.folder} has version {self._filed.version}, and version {served.version} of {served.model} is served: put its file "
                "back, or publish the new one (make publish)"
            )
        self.maker = Maker(self._filed)
        self._sent: Broadcast[Filed] | None = None

    def sent(self, context: StreamContext) -> "Broadcast[Filed]":
        """Return the model for executors."""
        if self._sent is None:
            self._sent = context.spark.sparkContext.broadcast(self._filed)
        return self._sent

    def release(self) -> None:
        """Take the model from the executors."""
        if self._sent is not None:
            self._sent.destroy()


@dataclass(frozen=True)
class _Refreshing:
    """Makes the lists of a task's people on an executor."""

    models: Sequence[Any]
    where: Connection
    environment: Mapping[str, str]
    options: Options
    stamp: int

    def __call__(self, rows: Iterable[Row]) -> Iterable[Made]:
        os.environ.update(self.environment)
        people = People(self.where, self.options.keyspace)
        # A person's messages are in one partition of Kafka, so in one task.
        through = _kept(people, map(said, rows))
        for model in self.models:
            yield Maker(model.value).keep(people, through, self.options.k, self.stamp)


def _kept(people: People, events: Iterator[Said]) -> dict[str, Through | None]:
    """Write events; return the last one of each person."""
    through: dict[str, Through | None] = {}
    while some := list(islice(events, _AT_ONCE)):
        people.keep_events(some)
        for one in some:
            before = through.get(one.user)
            assert one.through is not None  # it comes from Kafka
            through[one.user] = one.through if before is None else max(before, one.through)
    return through


STREAM = Refresh()
