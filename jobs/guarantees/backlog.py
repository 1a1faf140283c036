"""Messages of a measurement: invented ratings in a topic that holds no others."""

import time

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from core.errors import JobError
from datasets.topics import declared
from datasets.topics.admin import administered
from datasets.topics.connection import Connection
from jobs.runtime.context import Context
from jobs.streaming import kafka
from jobs.streaming.offsets import Range

TOPIC = "ratings"
_PAD = 106
"""Characters of an identifier, with which a message has about 250 bytes."""


def filled(context: Context, connection: Connection, rows: int) -> list[Range]:
    """Send messages until the topic has as many; return where they are."""
    with administered(connection) as broker:
        broker.make([declared.topic(TOPIC), declared.topic(declared.DEAD_LETTERS)])
        missing = rows - sum(one.end - one.first for one in broker.held([TOPIC]))
        if missing > 0:
            kafka.send(_invented(context, missing), connection)
        held = broker.held([TOPIC])
    if sum(one.end - one.first for one in held) != rows:
        raise JobError(
            f"the topic {TOPIC} has other messages already: use a Kafka of its own (RECSCALE_RUN_DIR=/folder)"
        )
    return [Range(one.topic, one.partition, one.first, one.end) for one in held]


def _invented(context: Context, rows: int) -> DataFrame:
    now = int(time.time() * 1000)
    number = F.col("id")
    value = F.to_json(
        F.struct(
            F.concat(F.lit("r" * _PAD), F.format_string("%010d", number)).alias("id"),
            F.concat(F.lit("u"), number % 50_000).alias("user"),
            F.concat(F.lit("i"), F.xxhash64(number) % 9_000).alias("item"),
            (number % 10 / 2).alias("rating"),
            F.lit(now).alias("timestamp"),
            (F.lit(10**12) + number).alias("rated_at"),
        )
    )
    return context.spark.range(rows).select(
        F.lit(TOPIC).alias("topic"),
        F.concat(F.lit("u"), number % 50_000).cast("binary").alias("key"),
        value.cast("binary").alias("value"),
        F.array().cast("array<struct<key:string,value:binary>>").alias("headers"),
    )
