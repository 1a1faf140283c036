"""Messages of people read as events, for the driver and for tasks: by Spark's parser, or plainly without a job."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from datasets.topics import declared
from datasets.topics.connection import Connection
from jobs.engine.events import RETRACT, Event
from jobs.stores.cassandra.feedback import Through
from jobs.stores.cassandra.lists import Said
from jobs.streaming import feedback_rows, messages
from jobs.streaming.offsets import Range
from jobs.streaming.plain_messages import Feed, PlainParser

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PATIENCE_S = 1.0


class Reader:
    """Reads messages of a topic of people with Spark."""

    def __init__(self, topic: str, skew_s: float) -> None:
        schema = declared.schema(topic)
        self._parser = messages.Parser(declared.topic(topic), schema, skew_s)
        self._columns = [
            *feedback_rows.said(messages.kinds(schema)),
            *map(F.col, ("partition", "offset", "intended", "reason")),
        ]
        self._is_usable = feedback_rows.unusable().isNull()

    def rows(self, frame: DataFrame, now_ms: int) -> DataFrame:
        """Return what Kafka's messages say, without those that are in no table: SAID but times, `at_us`, partition, offset, `sent_ms`."""
        now = datetime.fromtimestamp(now_ms / 1000, UTC)
        rows = self._parser.rows(frame, F.lit(now)).select(*self._columns).where(self._is_usable)
        times = {"at_us": F.unix_micros("at"), "sent_ms": F.unix_millis("intended")}
        return rows.withColumns(times).drop("at", "rated_at", "intended", "reason")


class PlainReader:
    """Reads a few messages of a topic of people in the driver, without a Spark job.

    A job waits for a core, which another query of the application may have for seconds, and planning it alone takes a tenth of a second.
    """

    def __init__(self, connection: Connection, topic: str, skew_s: float) -> None:
        self._parser = PlainParser(declared.topic(topic), declared.schema(topic), skew_s)
        self._feed = Feed(connection, topic)

    def read(self, ranges: Sequence[Range], now_ms: int) -> list[Said] | None:
        """Return what the messages say; None if one of them is not plainly good."""
        found = self._feed.read(ranges, _PATIENCE_S)
        if found is None:
            return None
        told: list[Said] = []
        for partition, some in found.items():
            for raw in some:
                fields = self._parser.parsed(raw, now_ms)
                if fields is None or not _usable(fields):
                    return None
                told.append(_said_plainly(fields, Through(partition, raw.offset)))
        return told


def said(row: Mapping[str, Any] | Row) -> Said:
    """Return what a row of `Reader.rows` says."""
    at = _EPOCH + timedelta(microseconds=row["at_us"])
    event = Event(at, row["id"], row["type"], row["item"], row["value"], row["retracts"])
    return Said(row["user"], event, Through(row["partition"], row["offset"]))


def _usable(fields: Mapping[str, Any]) -> bool:
    """Whether a good message is beyond doubt one that tables can keep: see `jobs.streaming.feedback_rows.unusable`."""
    key = sum(len(str(fields.get(name, "")).encode()) for name in ("user", "id", "item", "retracts"))
    retracts = fields["type"] != RETRACT or "retracts" in fields
    return bool(fields["user"]) and retracts and key <= feedback_rows.LONGEST_KEY


def _said_plainly(fields: Mapping[str, Any], through: Through) -> Said:
    value = fields.get("value")
    event = Event(
        _EPOCH + timedelta(milliseconds=fields["timestamp"]),
        fields["id"],
        fields["type"],
        fields["item"],
        None if value is None else float(value),
        fields.get("retracts"),
    )
    return Said(fields["user"], event, through)
