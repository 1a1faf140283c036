"""Tracks from their topic into Cassandra's table `tracks` and into the driver's memory."""

import json
import time
from datetime import UTC, datetime

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from datasets.topics import declared
from jobs.engine.sounds import FEATURES, Catalogue, Track
from jobs.stores.cassandra.feedback import Table
from jobs.stores.cassandra.store import TUNING, CassandraStore
from jobs.streaming import messages
from jobs.streaming.feedback_rows import LONG, LONGEST_KEY, WRITTEN
from jobs.streaming.stream import StreamContext

TOPIC = "tracks"
TRACKS = Table("tracks", {"id": "text", "at": "timestamp", "features": "text"}, ("id",), ())
"""`features` is a JSON object of the track's audio features; a track's latest message stays."""

NO_ID = "empty id"


class TrackSink:
    """Writes the micro-batches of the query of tracks."""

    def __init__(self, store: CassandraStore, context: StreamContext, catalogue: Catalogue) -> None:
        self._store, self._context, self._catalogue = store, context, catalogue
        schema = declared.schema(TOPIC)
        self._parser = messages.Parser(declared.topic(TOPIC), schema, context.skew_s)

    def load(self) -> None:
        """Take up the tracks that were written before."""
        rows = self._store.whole(TRACKS.name).select("id", F.unix_micros("at").alias("at_us"), "features")
        self._catalogue.add(map(_track, rows.collect()))

    def write(self, frame: DataFrame, batch: int) -> None:
        """Keep one micro-batch; what cannot be a row is told, with its reason."""
        now = datetime.fromtimestamp(self._context.clock_ms(TOPIC, batch) / 1000, UTC)
        features = F.to_json(F.struct(*FEATURES)).alias("features")
        rows = self._parser.rows(frame, F.lit(now)).select("id", "at", features, _unusable().alias("why"))
        rows = rows.persist()
        try:
            good = rows.where("why IS NULL").drop("why")
            self._store.fill(
                TRACKS.name,
                good.withColumn(WRITTEN, F.unix_micros("at")),
                {**TUNING, "writetime": WRITTEN},
            )
            tracks = good.select("id", F.unix_micros("at").alias("at_us"), "features").collect()
            skipped = rows.where("why IS NOT NULL").groupBy("why").count().collect()
        finally:
            rows.unpersist()
        self._catalogue.add(map(_track, tracks))
        self._context.visible(TOPIC, batch, time.time())
        for row in skipped:
            self._context.events.add(
                "track_skipped", query=f"{self._context.stream}.{TOPIC}", batch=batch, reason=row["why"], count=row["count"]
            )  # fmt: skip


def _unusable() -> Column:
    return (
        F.when(F.col("reason").isNotNull(), F.col("reason"))
        .when(F.col("id") == "", NO_ID)
        .when(F.octet_length("id") > LONGEST_KEY, LONG)
    )


def _track(row: Row) -> Track:
    features = json.loads(row["features"])
    return Track(row["id"], row["at_us"], [features.get(name) for name in FEATURES])
