"""Table of the lists of people, and reads and writes of a few people's rows at once, without Spark."""

import datetime as dt
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from cassandra.concurrent import execute_concurrent_with_args
from cassandra.query import UNSET_VALUE

from jobs.engine.events import Event
from jobs.engine.personal import Entry, Recommended
from jobs.stores.cassandra.access import Connection, Keyspace
from jobs.stores.cassandra.feedback import EVENTS, KEYSPACE, Table, Through, event_of

LISTS = Table(
    "lists",
    {
        "user": "text",
        "model_version": "text",
        "model": "text",
        "list": "text",
        "through": "text",
        "made_at": "timestamp",
    },
    ("user",),
    ("model_version",),
)
"""One row for a person and a model, whose rows are complete before readers are sent to them. `list` is JSON of items, scores and reasons."""

OF_STREAM = "stream"
"""Version of lists that a stream makes of its own window, beside those of models: it is never published and never replaced."""

_AT_ONCE = 64


class Said(NamedTuple):
    """One event of a person, and where it stands in Kafka; None if it was never there."""

    user: str
    event: Event
    through: Through | None


class History(NamedTuple):
    """All that a person did and rated, and the place of the last of their messages of the topic `events` in it; None without one.

    While a stream writes, messages before the last one may be missing for a moment.
    """

    events: list[Event]
    through: Through | None


class Listed(NamedTuple):
    """One person's list.

    Attributes:
        recommended: the list.
        model: name of the model that made it; version: of that.
        through: all of the person's messages of the topic `events` up to this one are in it; None: none is known to be.
        made_at: just before their history was read.
    """

    recommended: Recommended
    model: str
    version: str
    through: Through | None
    made_at: dt.datetime


class Stamps:
    """Stamps of one writer of lists, which rise, in microseconds since 1970."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        """Return a larger stamp than all before."""
        self._last = max(self._last + 1, time.time_ns() // 1000)
        return self._last


class People:
    """Events and lists of some people."""

    def __init__(self, where: Connection, keyspace: str = KEYSPACE) -> None:
        self._keyspace = Keyspace(where, keyspace)
        self._keyspace.there()

    def histories(self, users: Sequence[str]) -> list[History]:
        """Return what each person did, an empty history for an unknown one."""
        found = self._each(f"SELECT * FROM {self._name(EVENTS)} WHERE user = ?", [(user,) for user in users])
        return [_history(rows) for rows in found]

    def keep_events(self, said: Iterable[Said]) -> None:
        """Write events as the stream `feedback` does, so that writing them again changes nothing."""
        columns = list(EVENTS.columns)
        marks = ", ".join("?" for _ in columns)
        statement = (
            f"INSERT INTO {self._name(EVENTS)} ({_quoted(columns)}) VALUES ({marks}) USING TIMESTAMP ?"
        )
        self._each(statement, [_values(one) for one in said])

    def lists(self, users: Sequence[str], version: str) -> list[Listed | None]:
        """Return each person's list that a version of a model made, None for one who has none."""
        statement = f"SELECT * FROM {self._name(LISTS)} WHERE user = ? AND model_version = ?"
        found = self._each(statement, [(user, version) for user in users])
        return [_listed(rows[0]) if rows else None for rows in found]

    def covered(self, users: Sequence[str], version: str) -> list[Through | None]:
        """Return the last event in each person's list that a version of a model made; None without a list or an event."""
        statement = f"SELECT through FROM {self._name(LISTS)} WHERE user = ? AND model_version = ?"
        found = self._each(statement, [(user, version) for user in users])
        return [Through.of(rows[0]["through"]) if rows else None for rows in found]

    def there(self, said: Sequence[tuple[str, Event]]) -> list[bool]:
        """Return whether each person's event has been written."""
        statement = f"SELECT id FROM {self._name(EVENTS)} WHERE user = ? AND at = ? AND id = ?"
        return [
            bool(rows) for rows in self._each(statement, [(user, event.at, event.id) for user, event in said])
        ]

    def keep_lists(self, lists: Mapping[str, Listed], stamp: int) -> None:
        """Write each person's list in place of one with a smaller stamp.

        Args:
            lists: by person.
            stamp: Cassandra's write time of the rows. One writer's must rise, each taken before it reads histories, so that no list
                goes back in time. Who writes beside it takes one that is smaller than all of its.
        """
        columns = ["user", "model_version", "model", "list", "made_at", "through"]
        statement = f"INSERT INTO {self._name(LISTS)} ({_quoted(columns)}) VALUES ({', '.join('?' for _ in columns)}) USING TIMESTAMP ?"
        rows = []
        for user, one in lists.items():
            through = UNSET_VALUE if one.through is None else one.through.text
            rows.append((user, one.version, one.model, as_text(one.recommended), one.made_at, through, stamp))
        self._each(statement, rows)

    def remove_lists(self, rows: Sequence[tuple[str, str]]) -> None:
        """Remove the lists of these people and versions of models."""
        self._each(f"DELETE FROM {self._name(LISTS)} WHERE user = ? AND model_version = ?", rows)

    def _name(self, table: Table) -> str:
        return f"{self._keyspace.name}.{table.name}"

    def _each(self, statement: str, values: Sequence[tuple[Any, ...]]) -> list[list[dict[str, Any]]]:
        """Run a statement for each values, many at a time; the first that fails is raised."""

        def run() -> list[list[dict[str, Any]]]:
            answers = execute_concurrent_with_args(
                self._keyspace.session(),
                self._keyspace.prepared(statement),
                values,
                concurrency=_AT_ONCE,
                raise_on_first_error=True,
            )
            return [list(answer.result_or_exc) for answer in answers]

        return self._keyspace.tried(run)


def _history(rows: Sequence[Mapping[str, Any]]) -> History:
    placed = [row for row in rows if row["place"] is not None]
    if not placed:
        return History([event_of(row) for row in rows], None)
    # Partitions that were added later move a person's messages to another one, whose offsets say nothing of those before.
    latest = Through.of(max(placed, key=lambda row: (row["at"], row["id"]))["place"])
    every = (Through.of(row["place"]) for row in placed)
    last = max(
        one for one in every if one is not None and latest is not None and one.partition == latest.partition
    )
    return History([event_of(row) for row in rows], last)


def _values(said: Said) -> tuple[Any, ...]:
    place = None if said.through is None else said.through.text
    row = {**said.event._asdict(), "user": said.user, "rated_at": None, "place": place}
    # A null would be a tombstone.
    found = (UNSET_VALUE if row[name] is None else row[name] for name in EVENTS.columns)
    return (*found, _micros(said.event.at))


def _micros(at: dt.datetime) -> int:
    return (at - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def _quoted(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def as_text(recommended: Recommended) -> str:
    """Write a list as JSON."""
    entries = [
        {"item": entry.item, "score": entry.score, "reasons": [list(reason) for reason in entry.reasons]}
        for entry in recommended.entries
    ]
    found = {"entries": entries, "known": recommended.known, "unknown": recommended.unknown}
    return json.dumps(found, separators=(",", ":"))


def of_text(text: str) -> Recommended:
    """Read what `as_text` wrote."""
    found = json.loads(text)
    entries = (
        Entry(
            entry["item"],
            entry["score"],
            tuple((code, item, weight) for code, item, weight in entry["reasons"]),
        )
        for entry in found["entries"]
    )
    return Recommended(tuple(entries), found["known"], found["unknown"])


def _listed(row: Mapping[str, Any]) -> Listed:
    made_at, through = row["made_at"].replace(tzinfo=dt.UTC), Through.of(row["through"])
    return Listed(of_text(row["list"]), row["model"], row["model_version"], through, made_at)
