"""Lists from the stream's own window, beside the model's: neighbours, clusters of people and sound, for whoever did something."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from itertools import islice

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from core.errors import UsageError
from datasets.topics.times import first_since
from jobs.engine.events import Event
from jobs.engine.meanings import Meanings
from jobs.engine.sounds import Catalogue
from jobs.engine.tastes import Settings, Tastes
from jobs.runtime.session import tasks_at_a_time
from jobs.stores.cassandra.access import PREFIX, Connection, check_keyspace
from jobs.stores.cassandra.feedback import EVENTS, KEYSPACE, Through
from jobs.stores.cassandra.lists import LISTS, OF_STREAM, Listed, People, Stamps
from jobs.stores.cassandra.store import CassandraStore
from jobs.streaming import kafka, offsets
from jobs.streaming.binding import CHECKPOINT
from jobs.streaming.offsets import Ends, Range
from jobs.streaming.recent import Recent, Sent
from jobs.streaming.saying import Reader, said
from jobs.streaming.stream import Query, StreamContext
from jobs.streaming.track_rows import TOPIC as TRACKS_TOPIC
from jobs.streaming.track_rows import TRACKS, TrackSink

TOPIC = "events"
NAME = "tastes"
"""Name of the model in the rows of `lists`."""

_AT_ONCE = 500
"""People whose histories are in memory together."""


@dataclass(frozen=True)
class Options:
    """Settings of the stream.

    Attributes:
        keyspace: of the tables.
        k: length of the lists.
        window_s: seconds for which what was sent counts.
        most: messages of the window at most; the first that came leave.
        near, clusters, neighbours, cluster, sound, popular: as `jobs.engine.tastes.Settings` has them.
    """

    keyspace: str = KEYSPACE
    k: int = 10
    window_s: int = 86_400
    most: int = 200_000
    near: int = Settings.near
    clusters: int = Settings.clusters
    neighbours: float = Settings.neighbours
    cluster: float = Settings.cluster
    sound: float = Settings.sound
    popular: float = Settings.popular


class TasteStream:
    """Two queries: tracks into a table and into memory, events into lists."""

    options = Options
    services = ("cassandra",)
    trigger_s = 2.0

    def queries(self, context: StreamContext, options: Options) -> Sequence[Query]:
        _check(options)
        store = CassandraStore(context.spark, options.keyspace.removeprefix(PREFIX))
        store.standing(EVENTS, LISTS, TRACKS)
        # The store may write the name in another way.
        options = replace(options, keyspace=store.keyspace.name)
        catalogue = Catalogue()
        tracks = TrackSink(store, context, catalogue)
        tracks.load()
        settings = {"keyspace": options.keyspace}
        return [
            Query(TRACKS_TOPIC, TRACKS_TOPIC, tracks.write, settings=settings),
            Query(TOPIC, TOPIC, Sink(context, options, catalogue).write, settings=settings),
        ]


def _check(options: Options) -> None:
    check_keyspace(options.keyspace)
    for name in ("k", "window_s", "most"):
        if getattr(options, name) < 1:
            raise UsageError(f"{name} must be 1 or more, got {getattr(options, name)}")
    _settings(options)


def _settings(options: Options) -> Settings:
    return Settings(**{one.name: getattr(options, one.name) for one in fields(Settings)})


class Sink:
    """Makes the lists of a micro-batch's people."""

    def __init__(self, context: StreamContext, options: Options, catalogue: Catalogue) -> None:
        self._context, self._options, self._catalogue = context, options, catalogue
        self._settings, self._meanings = _settings(options), Meanings()
        self._people = People(Connection.of(context.spark.conf), options.keyspace)
        self._reader = Reader(TOPIC, context.skew_s)
        self._tasks = tasks_at_a_time(context.spark)
        self._recent, self._after = self._empty(), -1
        self._stamps = Stamps()

    def _empty(self) -> Recent:
        return Recent(self._options.most, self._meanings)

    def write(self, frame: DataFrame, batch: int) -> None:
        """Make the lists of one micro-batch.

        The window follows from Kafka's messages alone: a batch that comes again, or the first one after a start, reads it from there.
        """
        now_ms = self._context.clock_ms(TOPIC, batch)
        since_ms = now_ms - 1000 * self._options.window_s
        if self._after != batch:
            self._recent = self._empty()
            self._recent.add(self._before(batch, since_ms, now_ms), since_ms)
        self._after = -1  # should this break off
        ends = offsets.noted(self._context.home(TOPIC) / CHECKPOINT, batch)
        sent = self._sent(self._lately(frame, ends, since_ms), now_ms)
        self._recent.add(sent, since_ms)
        through: dict[str, Through] = {}
        for (user, _, place), _ in sent:
            assert place is not None  # it comes from Kafka
            through[user] = max(place, through.get(user, place))
        self._keep(through, batch)
        self._after = batch + 1

    def _before(self, batch: int, since_ms: int, now_ms: int) -> list[Sent]:
        """Return the messages of the window before a batch."""
        begins = offsets.begins(self._context.home(TOPIC) / CHECKPOINT, batch)
        first = first_since(self._context.connection, TOPIC, [partition for _, partition in begins], since_ms)
        ranges = [
            Range(topic, partition, max(first[partition], end - self._options.most), end)
            for (topic, partition), end in sorted(begins.items())
            if first.get(partition, end) < end
        ]
        if not ranges:
            return []
        frame = kafka.again(
            self._context.spark, self._context.connection, ranges, headers=False,
            accept_loss=self._context.accept_loss,
        )  # fmt: skip
        return self._sent(frame, now_ms)

    def _lately(self, frame: DataFrame, ends: Ends, since_ms: int) -> DataFrame:
        """Return the messages that the window can have, so that a flood of old ones does not come into the driver."""
        kept = F.unix_millis("timestamp") >= since_ms
        for (_, partition), end in ends.items():
            kept &= (F.col("partition") != partition) | (F.col("offset") >= end - self._options.most)
        return frame.where(kept).coalesce(self._tasks)

    def _sent(self, frame: DataFrame, now_ms: int) -> list[Sent]:
        return [Sent(said(row), row["sent_ms"]) for row in self._reader.rows(frame, now_ms).collect()]

    def _keep(self, through: Mapping[str, Through], batch: int) -> None:
        """Write the lists of people, and tell what they are made of."""
        now = datetime.now(UTC)
        preferences = self._recent.preferences(now)
        tastes = Tastes(preferences, self._catalogue.sounds(), self._settings)
        known = unknown = 0
        left = iter(through)
        while some := list(islice(left, _AT_ONCE)):
            stamp = self._stamps.next()
            lists = self._listed(tastes, some, through, now)
            self._people.keep_lists(lists, stamp)
            known += sum(one.recommended.known for one in lists.values())
            unknown += sum(one.recommended.unknown for one in lists.values())
        self._context.visible(TOPIC, batch, time.time())
        self._context.events.add(
            "tasted", query=f"{self._context.stream}.{TOPIC}", batch=batch, people=len(through), known=known, unknown=unknown,
            window_messages=len(self._recent), window_people=len(preferences), clusters=tastes.clusters.sizes,
            silhouette=round(tastes.clusters.silhouette, 4),
        )  # fmt: skip

    def _listed(
        self, tastes: Tastes, users: Sequence[str], through: Mapping[str, Through], now: datetime
    ) -> dict[str, Listed]:
        found = zip(users, self._people.histories(users), strict=True)
        return {
            user: Listed(
                tastes.recommend(user, self._own(user, history.events, now), self._options.k),
                NAME, OF_STREAM, through[user], now,
            )
            for user, history in found
        }  # fmt: skip

    def _own(self, user: str, events: Iterable[Event], now: datetime) -> dict[str, float]:
        """Return a person's preferences by all their events, of which the window may have more than Cassandra, and Cassandra more than the window."""
        every = [*events, *self._recent.events(user)]
        return {item: preference for item, (preference, _) in self._meanings.preferences(every, now).items()}


STREAM = TasteStream()
