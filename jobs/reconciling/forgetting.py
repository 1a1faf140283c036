"""Erasure of one person's messages from the lake, the dead letters and Cassandra.

The offsets are noted first, so that an erasure that broke off shows as such and can be run again. Rows are deleted by offset:
the table's log keeps a deletion's condition, and it must not name the person.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from core.errors import JobError, UsageError
from datasets.topics import declared
from datasets.topics.admin import administered
from datasets.topics.connection import Connection
from jobs.reconciling import checkpoints, erased, lake_tables
from jobs.reconciling.offsets import Place, Ranges
from jobs.runtime.concurrent_actions import run_concurrently
from jobs.stores.cassandra.access import Keyspace
from jobs.stores.cassandra.feedback import EVENTS, FEEDBACK, RETRACTIONS
from jobs.stores.cassandra.lists import LISTS
from jobs.streaming.tables import Table, any_age

_AT_ONCE = 5_000
"""Ranges of offsets in one deletion."""


def person_of(topic: str) -> str | None:
    """Return the field of a topic's messages that names a person; None if none does."""
    if topic == "users":
        return "id"
    if topic == declared.DEAD_LETTERS:
        return None
    return "user" if "user" in declared.schema(topic)["properties"] else None


def in_dead_letter(user: str) -> Column:
    """Whether a dead letter is about a person: its key is the person's, or its bytes name the person.

    Bytes that are no JSON have no fields. So a name counts where it stands in quotation marks, or behind "user":.
    """
    name = re.escape(user)
    named = rf'"{name}"|"user"\s*:\s*{name}(?![\w.-])'
    text = F.decode("value", "UTF-8")
    key = F.coalesce(F.decode("key", "UTF-8") == user, F.lit(False))
    return key | F.coalesce(text.rlike(named), F.lit(False))


def found(spark: SparkSession, lake: Path, user: str) -> dict[str, dict[Place, Ranges]]:
    """Return the offsets of a person's rows by the topic whose table has them."""
    mine: dict[str, DataFrame] = {}
    for topic, table in lake_tables.tables(spark, lake).items():
        if topic == declared.DEAD_LETTERS:
            mine[topic] = table.where(in_dead_letter(user))
        elif (field := person_of(topic)) is not None:
            mine[topic] = table.where(F.col(field) == user)
    places = run_concurrently(*(partial(_places, rows) for rows in mine.values()))
    return dict(zip(mine, places, strict=True))


def _places(rows: DataFrame) -> dict[Place, Ranges]:
    listed = rows.groupBy("topic", "partition").agg(F.collect_list("offset").alias("offsets")).collect()
    return {Place(row["topic"], row["partition"]): Ranges.of_offsets(row["offsets"]) for row in listed}


def from_lake(spark: SparkSession, lake: Path, rows: Mapping[str, Mapping[Place, Ranges]]) -> dict[str, int]:
    """Erase rows from the lake's tables, and the files that held them; return how many there were in each.

    An erasure that was broken off has left files without leaving rows, so tables that had rows erased before are swept again.
    """
    mine = {topic: places for topic, places in rows.items() if any(places.values())}
    before = {place.topic for place, ranges in erased.read(lake).items() if ranges}
    again: dict[str, Mapping[Place, Ranges]] = {
        name: {} for name in (*before, declared.DEAD_LETTERS) if before and Table.of(lake, name).exists
    }
    for places in mine.values():
        erased.add(lake, places)
    with any_age(spark):
        run_concurrently(
            *(
                partial(_erase, spark, Table.of(lake, topic), places)
                for topic, places in (again | mine).items()
            )
        )
    return {topic: sum(found.count for found in places.values()) for topic, places in mine.items()}


def _erase(spark: SparkSession, table: Table, places: Mapping[Place, Ranges]) -> None:
    """Delete rows from a table, and the files that held them."""
    ranges = [(place, one) for place, found in places.items() for one in found]
    with table.locked():
        for begin in range(0, len(ranges), _AT_ONCE):
            where = " OR ".join(
                f"(topic = '{place.topic}' AND partition = {place.partition} AND offset BETWEEN {first} AND {end - 1})"
                for place, (first, end) in ranges[begin : begin + _AT_ONCE]
            )
            spark.sql(f"DELETE FROM delta.`{table.path.absolute()}` WHERE {where}").collect()
        table.sweep(spark, 0)


def from_cassandra(keyspace: Keyspace, user: str) -> dict[str, int]:
    """Erase a person's rows from Cassandra's tables; return how many there were in each that the streams have made.

    The deletion of messages has the time of the newest of them: later messages of the same name are not hidden by it, and a batch
    that comes again stays erased. That of lists has the time of now, as lists have.
    """
    said = [table for table in (FEEDBACK, RETRACTIONS, EVENTS) if keyspace.columns(table.name)]
    made = [LISTS] if keyspace.columns(LISTS.name) else []
    rows = {table.name: keyspace.get(table.name, table.partition, [user]) for table in (*said, *made)}
    newest_us = max(
        (_micros(row["at"]) for table in said for row in rows[table.name] if "at" in row), default=0
    )
    for table in made:
        keyspace.run(f"DELETE FROM {keyspace.name}.{table.name} WHERE user = %s", [user])
    for table in said:  # the last one tells the time, should this break off
        if rows[table.name]:
            keyspace.run(
                f"DELETE FROM {keyspace.name}.{table.name} USING TIMESTAMP {newest_us} WHERE user = %s",
                [user],
            )
    return {name: len(found) for name, found in rows.items()}


def _micros(at: object) -> int:
    assert isinstance(at, datetime)
    return round(at.replace(tzinfo=UTC).timestamp() * 1_000_000)


def check(folder: Path, connection: Connection, user: str) -> None:
    """See that an erasure would be whole.

    Raises:
        UsageError: no person is named.
        JobError: there is no lake, or messages are still to be read, of which some may be the person's.
    """
    if not user:
        raise UsageError("the user to forget is empty: name one, for example make forget USER=u17")
    queries = list(checkpoints.consumed(folder / "streams"))
    topics = {topic for one in queries for topic in one.topics if person_of(topic)}
    if not topics:
        raise JobError(
            f"no stream has read messages that name a person in {folder / 'streams'}, so there is nothing to erase: see that "
            "the run folder is the right one (RECSCALE_RUN_DIR=/folder)"
        )
    with administered(connection) as broker:
        held = broker.held(topics & broker.names())
    for one in queries:
        mine = [place for place in held if place.topic in one.topics]
        unread = sum(
            max(0, place.end - max(place.first, one.end(Place(place.topic, place.partition))))
            for place in mine
        )
        if unread:
            raise JobError(
                f"{one.name} has {unread:,} messages to read, which may be of the person to forget and would come in after the erasure: "
                f"drain it first (make stream NAME={one.stream} DRAIN=1), then run this again"
            )
