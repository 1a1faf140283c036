"""Messages parsed as one does who looks at nothing: by `from_json` alone."""

from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from datasets.topics import declared
from jobs.guarantees.backlog import TOPIC
from jobs.streaming import messages

_CORRUPT = "_corrupt_record"


def plainly_parsed(frame: DataFrame) -> DataFrame:
    """Return Kafka's rows as Spark parses them, with a column for what it cannot read: fields, topic, partition, offset, intended."""
    corrupt = T.StructField(_CORRUPT, T.StringType())
    fields = T.StructType([*messages.struct(declared.schema(TOPIC)).fields, corrupt])
    value = F.from_json(F.col("value").cast("string"), fields, {"columnNameOfCorruptRecord": _CORRUPT})
    # Or a filter on one of the fields would have each message parsed twice.
    parsed = frame.select("topic", "partition", "offset", "timestamp", messages.once(value).alias("m"))
    return parsed.select("m.*", "topic", "partition", "offset", F.col("timestamp").alias("intended"))


def plain_rows(frame: DataFrame) -> DataFrame:
    """Return the messages that Spark could read and that have every required field, with the lake's columns; others are dropped unseen."""
    schema = declared.schema(TOPIC)
    whole = reduce(and_, (F.col(name).isNotNull() for name in schema["required"]), F.col(_CORRUPT).isNull())
    rows = plainly_parsed(frame).where(whole)
    fields = [_field(name) for name in messages.kinds(schema)]
    return rows.select(*fields, "topic", "partition", "offset", "intended")


def _field(name: str) -> Column:
    if name not in messages.TIMES:
        return F.col(name)
    return F.timestamp_millis(name).alias("at" if name == messages.TIME else name)
