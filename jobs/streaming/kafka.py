"""Kafka as Spark reads and writes it: a topic from its beginning, a few offsets again, copies for a topic."""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from pyspark.sql import DataFrame, SparkSession

from datasets.topics.connection import Connection
from jobs.streaming.offsets import Range, nested

_PROMPT = {"kafka.fetch.max.wait.ms": "10"}
"""A consumer asks for more before it returns what it has. At the end of a partition that request waits half a second for new
messages, unless it is told less; and Spark's next question, which are the partition's first and last offsets, waits behind it."""

_READ = {"failOnDataLoss": "true", "startingOffsets": "earliest"}
"""Spark would begin at the newest message and skip what has expired, and only warn of it."""

NOWHERE: Mapping[str, int] = MappingProxyType({})
"""No offsets to begin at: the first messages are."""


def stream(
    spark: SparkSession,
    connection: Connection,
    topic: str,
    most: int,
    *,
    accept_loss: bool = False,
    begin: Mapping[str, int] = NOWHERE,
) -> DataFrame:
    """Return a topic as a stream that begins at its first message; later offsets are the checkpoint's.

    Args:
        spark: the session.
        connection: way to the brokers.
        topic: that is read.
        most: messages of one micro-batch at most.
        accept_loss: go on where messages expired before they were read, which Spark otherwise refuses.
        begin: offset of each partition to begin at instead.
    """
    options = {
        **connection.spark(),
        **_PROMPT,
        **_READ,
        "subscribe": topic,
        "maxOffsetsPerTrigger": str(most),
    }
    if accept_loss:
        options["failOnDataLoss"] = "false"
    if begin:
        options["startingOffsets"] = json.dumps({topic: dict(begin)})
    return spark.readStream.format("kafka").options(**options).load()


def again(
    spark: SparkSession,
    connection: Connection,
    ranges: Sequence[Range],
    *,
    headers: bool = True,
    accept_loss: bool = False,
) -> DataFrame:
    """Return the messages at these offsets as a batch; it fails if some are gone, unless that is accepted."""
    first = nested({(one.topic, one.partition): one.first for one in ranges})
    options = {
        **connection.spark(),
        **_PROMPT,
        "failOnDataLoss": str(not accept_loss).lower(),
        "includeHeaders": str(headers).lower(),
        "assign": json.dumps({topic: sorted(map(int, partitions)) for topic, partitions in first.items()}),
        "startingOffsets": json.dumps(first),
        "endingOffsets": json.dumps(nested({(one.topic, one.partition): one.end for one in ranges})),
    }
    return spark.read.format("kafka").options(**options).load()


def send(frame: DataFrame, connection: Connection) -> None:
    """Send rows (topic, key, value, headers) to Kafka, each at least once."""
    frame.write.format("kafka").options(**connection.spark(), includeHeaders="true").save()
