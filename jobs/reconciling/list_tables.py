"""Comparison of people's lists with lists that are made again from their events in Cassandra."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from pyspark import Broadcast
from pyspark.sql import DataFrame, Row, SparkSession

from jobs.engine import list_files
from jobs.engine.events import RATING
from jobs.engine.list_files import Filed
from jobs.engine.lists import Lists
from jobs.engine.personal import Personal
from jobs.reconciling.checkpoints import Consumed
from jobs.reconciling.finding import Check, Finding
from jobs.reconciling.offsets import Place
from jobs.stores.cassandra.access import Connection, credentials
from jobs.stores.cassandra.feedback import EVENTS, Through
from jobs.stores.cassandra.lists import LISTS, History, People, of_text
from jobs.stores.cassandra.served import SERVED, Models
from jobs.stores.cassandra.store import CassandraStore

NAME = "lists = made again"

OTHER, OLD, MISSING = "other than made again", "without an event that the stream has read", "no list"
_AT_ONCE = 500
_SHOWN = 3


class _Seen(NamedTuple):
    """A person whose list was compared, and what is wrong with it; "" if nothing is."""

    user: str
    wrong: str


def check(spark: SparkSession, store: CassandraStore, refresh: Consumed) -> Check:
    """Compare the lists of the served model.

    A person with ratings is left out: they come by another stream, and a list has those that were there when it was made.

    Args:
        spark: the session.
        store: of the tables.
        refresh: what the stream `refresh` has read.
    """
    keyspace, where = store.keyspace.name, Connection.of(spark.conf)
    model = Models(where, keyspace).all()[SERVED]
    sent = spark.sparkContext.broadcast(list_files.read(Path(model.folder)))
    lists = store.whole(LISTS.name).where(f"model_version = '{model.version}'")
    try:
        remaking = _Remaking(sent, where, credentials(), keyspace, refresh)
        rows = lists.select("user", "list", "through", "made_at").rdd.mapPartitions(remaking).collect()
    finally:
        sent.destroy()
    wrong: dict[str, list[str]] = {}
    for row in rows:
        if row.wrong:
            wrong.setdefault(row.wrong, []).append(row.user)
    if missing := _without(store.whole(EVENTS.name), lists, refresh, model.active_since):
        wrong[MISSING] = missing
    findings = [
        Finding(what, "", -1, len(users), f"user: {'; '.join(sorted(users)[:_SHOWN])}")
        for what, users in sorted(wrong.items())
    ]
    return Check(NAME, len(rows) + len(wrong.get(MISSING, [])), findings)


def _without(events: DataFrame, lists: DataFrame, refresh: Consumed, since: Any) -> list[str]:
    """Return the people who have no list although the stream has read an event of theirs."""
    placed = events.where("place IS NOT NULL")
    if since is not None:
        placed = placed.where(placed["at"] >= since)
    alone = placed.join(lists.select("user"), "user", "left_anti").select("user", "place").collect()
    return sorted({row["user"] for row in alone if _read(refresh, Through.of(row["place"]))})


def _read(refresh: Consumed, place: Through | None) -> bool:
    return place is not None and _among(refresh.committed, place)


def _among(committed: Mapping[Place, Any], place: Through) -> bool:
    ranges = committed.get(Place("events", place.partition))
    return ranges is not None and any(first <= place.offset < end for first, end in ranges)


@dataclass(frozen=True)
class _Remaking:
    """Makes the lists of a task's rows again."""

    filed: "Broadcast[Filed]"
    where: Connection
    environment: Mapping[str, str]
    keyspace: str
    refresh: Consumed

    def __call__(self, rows: Iterable[Row]) -> Iterator[_Seen]:
        os.environ.update(self.environment)
        filed, people = self.filed.value, People(self.where, self.keyspace)
        personal = Personal(Lists(filed.known), filed.items, filed.users, filed.histories)
        left = iter(rows)
        while some := list(islice(left, _AT_ONCE)):
            for row, history in zip(some, people.histories([row["user"] for row in some]), strict=True):
                if not any(event.type == RATING for event in history.events):
                    yield _Seen(row["user"], self._wrong(personal, row, history))

    def _wrong(self, personal: Personal, row: Row, history: History) -> str:
        told = of_text(row["list"])
        through = Through.of(row["through"])
        if history.through is not None and (through is None or through < history.through):
            # An event that the stream will read yet is in the list then.
            return OLD if _read(self.refresh, history.through) else ""
        made = personal.recommend(row["user"], history.events, row["made_at"].astimezone(), len(told.entries))
        return "" if made == told else OTHER
