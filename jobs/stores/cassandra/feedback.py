"""Tables of what people did and rated, which streams write row by row, and reads of one user's rows without Spark.

All keys are deterministic, so a message that is written twice is one row. `events`, `feedback` and `retractions` are written
with the message's own time as Cassandra's write time, so a late message never replaces a newer one.

Cassandra settles writes of one time cell by cell and keeps the larger bytes, which would mix two rows of several columns. So
`feedback` has one cell for all that could differ: `latest` is the message's id, a NUL, and the rest as JSON. The order of its
bytes is the order of the ids: of two messages of one time the one with the larger id stays, whichever is written first.
"""

import datetime as dt
import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from jobs.engine.events import Event, standing
from jobs.stores.cassandra.access import Connection, Keyspace

KEYSPACE = "recscale_streams"

PARTITION_DIGITS, OFFSET_DIGITS = 6, 19

END_OF_ID = "\0"
"""Between a message's id and the rest of `latest`: no other character sorts before it."""


class Table(NamedTuple):
    """A table of streams: the CQL type of each column, its key, and which columns of the key are sorted from the last on."""

    name: str
    columns: Mapping[str, str]
    partition: tuple[str, ...]
    clustering: tuple[str, ...]
    descending: tuple[str, ...] = ()


_WINDOW = {"window_start": "timestamp", "window_s": "int", "topic": "text", "item": "text"}

EVENTS = Table(
    "events",
    {
        "user": "text",
        "at": "timestamp",
        "id": "text",
        "type": "text",
        "item": "text",
        "value": "double",
        "retracts": "text",
        "rated_at": "timestamp",
        "place": "text",
    },
    ("user",),
    ("at", "id"),
    ("at",),
)
"""`place` is where a message of the topic `events` stands in Kafka, as `Through.text` writes it; one of `ratings` has none."""
FEEDBACK = Table(
    "feedback",
    {"user": "text", "item": "text", "at": "timestamp", "latest": "text"},
    ("user",),
    ("item",),
)
RETRACTIONS = Table(
    "retractions", {"user": "text", "retracts": "text", "id": "text"}, ("user",), ("retracts",)
)
POPULARITY = Table(
    "popularity",
    {**_WINDOW, "count": "bigint", "batch": "bigint"},
    ("window_start", "window_s"),
    ("topic", "item"),
)
LATE = Table(
    "popularity_late",
    {
        **_WINDOW,
        "batch": "bigint",
        "partition": "int",
        "count": "bigint",
        "first_offset": "bigint",
        "last_offset": "bigint",
        "watermark": "timestamp",
    },
    ("window_start", "window_s"),
    ("topic", "item", "batch", "partition"),
)
TABLES = (EVENTS, FEEDBACK, RETRACTIONS, POPULARITY, LATE)


class Through(NamedTuple):
    """Place of a message of the topic `events`."""

    partition: int
    offset: int

    @property
    def text(self) -> str:
        """The place in one cell, whose bytes have its order: of a message that was sent twice the later place stays."""
        return f"{self.partition:0{PARTITION_DIGITS}d}:{self.offset:0{OFFSET_DIGITS}d}"

    @classmethod
    def of(cls, text: str | None) -> "Through | None":
        """Read what `text` wrote."""
        if text is None:
            return None
        partition, _, offset = text.partition(":")
        return cls(int(partition), int(offset))


class Histories:
    """One user's rows, each read from one partition."""

    def __init__(self, where: Connection, keyspace: str = KEYSPACE) -> None:
        self._keyspace = Keyspace(where, keyspace)

    def events(self, user: str) -> list[Event]:
        """Return all that a user did and rated, newest first, also what was taken back and what took it back."""
        return [event_of(row) for row in self._rows(EVENTS, user)]

    def feedback(self, user: str) -> dict[str, Event]:
        """Return the latest of each item that was not taken back.

        The user's events are read only if the latest of an item was taken back.
        """
        retracted = {row["retracts"] for row in self._rows(RETRACTIONS, user)}
        latest = [_event(row) for row in self._rows(FEEDBACK, user)]
        stale = {event.item for event in latest if event.id in retracted}
        found = [event for event in latest if event.item not in stale]
        if stale:
            found += standing((event for event in self.events(user) if event.item in stale), retracted)
        return {event.item: event for event in found if event.item is not None}

    def _rows(self, table: Table, user: str) -> list[dict[str, Any]]:
        return self._keyspace.get(table.name, table.partition, [user])


def event_of(row: Mapping[str, Any]) -> Event:
    """Read a row of `events`."""
    return Event(_utc(row["at"]), row["id"], row["type"], row["item"], row["value"], row["retracts"])


def forget_totals(keyspace: Keyspace, topic: str) -> None:
    """Remove a topic's popularity, whose totals are about to be counted from the first message on."""
    now_us = time.time_ns() // 1000
    for table in (POPULARITY, LATE):
        name = f"{keyspace.name}.{table.name}"
        for row in keyspace.run(f"SELECT DISTINCT window_start, window_s FROM {name}"):
            keyspace.run(
                f"DELETE FROM {name} USING TIMESTAMP {now_us} WHERE window_start = %s AND window_s = %s AND topic = %s",
                [row["window_start"], row["window_s"], topic],
            )


def _event(row: Mapping[str, Any]) -> Event:
    """Read a row of `feedback`."""
    identity, _, rest = row["latest"].partition(END_OF_ID)
    values = json.loads(rest)
    return Event(_utc(row["at"]), identity, values["type"], row["item"], values.get("value"))


def _utc(time: dt.datetime) -> dt.datetime:
    return time.replace(tzinfo=dt.UTC)  # the driver gives UTC without saying so
