"""Sides of the lake: the stream itself, and ways that guarantee less."""

from collections.abc import Callable, Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from datasets.formats.spark_paths import local
from datasets.topics import declared
from jobs.guarantees.backlog import TOPIC
from jobs.guarantees.draining import Queries
from jobs.streaming import messages
from jobs.streaming.stream import Query, StreamContext
from jobs.streams.lake import STREAM, Options


def plainly_parsed(frame: DataFrame) -> DataFrame:
    """Return Kafka's rows as Spark parses them with a column for what it cannot read."""
    corrupt = T.StructField("_corrupt_record", T.StringType())
    fields_ = T.StructType([*messages.struct(declared.schema(TOPIC)).fields, corrupt])
    value = F.from_json(
        F.col("value").cast("string"), fields_, {"columnNameOfCorruptRecord": "_corrupt_record"}
    )
    return frame.select("topic", "partition", "offset", "timestamp", value.alias("m")).select(
        "m.*", "topic", "partition", "offset", F.col("timestamp").alias("intended")
    )


def _lake(context: StreamContext) -> Sequence[Query]:
    return STREAM.queries(context, Options((TOPIC,)))


def _written_by(
    write: Callable[[DataFrame, StreamContext], None],
) -> Callable[[StreamContext], Sequence[Query]]:
    """Return queries that keep good messages in another way than the lake."""

    def queries(context: StreamContext) -> Sequence[Query]:
        topic, schema = declared.topic(TOPIC), declared.schema(TOPIC)

        def batch(frame: DataFrame, number: int) -> None:
            rows = messages.good(messages.parsed(frame, topic, schema, context.skew_s))
            write(
                rows.withColumn("batch", F.lit(number)).withColumn("ingest_date", F.current_date()), context
            )

        return [Query(TOPIC, TOPIC, batch)]

    return queries


def _delta(rows: DataFrame, context: StreamContext) -> None:
    rows.write.format("delta").mode("append").partitionBy("ingest_date").save(local(context.lake / TOPIC))


def _parquet(rows: DataFrame, context: StreamContext) -> None:
    rows.write.mode("append").partitionBy("ingest_date").parquet(local(context.lake / TOPIC))


SIDES: Mapping[str, Queries] = {
    "lake": _lake,
    "not_idempotent": _written_by(_delta),
    "parquet": _written_by(_parquet),
}
