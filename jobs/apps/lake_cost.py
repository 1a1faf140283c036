"""Times the lake against Spark's plain batch read of the same messages, and what each of its guarantees costs."""

import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from core.errors import JobError, UsageError
from core.options import nearest, parse
from datasets.formats.spark_paths import local
from datasets.topics import declared
from datasets.topics.admin import administered
from datasets.topics.connection import Connection
from jobs.runtime.context import Context, JobKind
from jobs.runtime.phases import consume
from jobs.runtime.request import Result
from jobs.streaming import kafka, messages
from jobs.streaming.offsets import Range
from jobs.streaming.running import Group, Pace, Running
from jobs.streaming.stream import Query, StreamContext
from jobs.streams.lake import STREAM, Options

TOPIC = "ratings"
_LOOK_S = 0.05
_PAD = 106
"""Characters of an identifier, with which a message has about 250 bytes."""


@dataclass(frozen=True)
class CostParams:
    """Parameters of the job.

    Attributes:
        brokers: host:port of Kafka's brokers.
        rows: messages, which are sent before.
        most: of one micro-batch.
        sides: what is timed, besides the batch read: lake, not_idempotent (Delta without numbers of batches and without
            dead letters), parquet (the same as plain Parquet).
        batches: small ones, in which the lake reads all messages once more at the end, to see whether batches become slower; 0 for none.
    """

    brokers: tuple[str, ...]
    rows: int = 1_000_000
    most: int = 500_000
    sides: tuple[str, ...] = ("lake",)
    batches: int = 0


class LakeCost:
    """Phase `parse`: a batch read of all messages, each parsed. The streams are timed beside it, from start to end."""

    kind: JobKind = "passes"

    def parameters(self) -> frozenset[str]:
        return frozenset(field.name for field in fields(CostParams))

    def run(self, context: Context) -> Result:
        params = parse(CostParams, context.request.params, "parameters of lake_cost")
        for side in params.sides:
            if side not in _SIDES:
                raise UsageError(f"unknown side {side!r} in parameters of lake_cost: {nearest(side, _SIDES)}")
        context.ready()
        connection = Connection.of(params.brokers)
        ranges = _filled(context, connection, params.rows)
        seconds: dict[str, list[float]] = {side: [] for side in params.sides}
        for number in context.passes():
            turn = params.sides if number % 2 == 0 else params.sides[::-1]
            with context.phases.phase("parse"):
                consume(_parse(kafka.again(context.spark, connection, ranges, headers=False)))
            for side in turn:
                seconds[side].append(_drained(context, connection, params, side)[0])
        later = _later(context, connection, params) if params.batches else {}
        return _result(context, params.rows, seconds, later)


def _later(context: Context, connection: Connection, params: CostParams) -> dict[str, float]:
    """Return the 95th percentile of the times of early and of late small batches, and their ratio."""
    small = replace(params, most=max(1, params.rows // params.batches))
    _, times = _drained(context, connection, small, "lake")
    if len(times) < params.batches:
        raise JobError(
            f"{len(times)} batches were timed instead of {params.batches}: the queries were looked at too seldom"
        )
    tenth = params.batches // 10
    early, late = (_p95(times[begin : begin + tenth]) for begin in (tenth, params.batches - tenth))
    return {"batch_p95_s.early": early, "batch_p95_s.late": late, "late_of_early": late / early}


def _p95(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[94]


def _filled(context: Context, connection: Connection, rows: int) -> list[Range]:
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


def _parse(frame: DataFrame) -> DataFrame:
    """Return Kafka's rows as Spark parses them with a column for what it cannot read."""
    corrupt = T.StructField("_corrupt_record", T.StringType())
    fields_ = T.StructType([*messages.struct(declared.schema(TOPIC)).fields, corrupt])
    value = F.from_json(
        F.col("value").cast("string"), fields_, {"columnNameOfCorruptRecord": "_corrupt_record"}
    )
    return frame.select("topic", "partition", "offset", "timestamp", value.alias("m")).select(
        "m.*", "topic", "partition", "offset", F.col("timestamp").alias("intended")
    )


def _drained(
    context: Context, connection: Connection, params: CostParams, side: str
) -> tuple[float, list[float]]:
    """Return the seconds in which a stream reads all messages into an empty folder, and those of each batch."""
    folder = Path(context.request.work).resolve() / "cost"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    within = StreamContext("lake", context.spark, connection, folder, messages.SKEW_S, context.events)
    queries = _SIDES[side](within)
    pace = Pace(0.0, drain=True, most=params.most, restarts=0)
    batches: dict[int, float] = {}
    begin = time.perf_counter()
    with Group([Running(within, query, pace) for query in queries]) as group:
        going = True
        while going:
            going = group.look()
            seconds = time.perf_counter() - begin
            for progress in group.running[0].recent:
                batches[progress["batchId"]] = progress["batchDuration"] / 1000
            time.sleep(
                _LOOK_S if params.most * 100 > params.rows else 10 * _LOOK_S
            )  # a look costs more than a small batch
    shutil.rmtree(folder)
    return seconds, [batches[number] for number in sorted(batches)]


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


_SIDES: dict[str, Callable[[StreamContext], Sequence[Query]]] = {
    "lake": _lake,
    "not_idempotent": _written_by(_delta),
    "parquet": _written_by(_parquet),
}


def _result(context: Context, rows: int, seconds: dict[str, list[float]], later: dict[str, float]) -> Result:
    measured = [one for one in context.phases.times if one.kind == "repeat"]
    skip = len(context.phases.times) - len(measured)
    sides = {
        "parse": [one.seconds for one in measured],
        **{side: found[skip:] for side, found in seconds.items()},
    }
    medians = {side: statistics.median(found) for side, found in sides.items()}
    return Result(
        job="lake_cost",
        status="ok",
        metrics={
            **{f"rows_per_s.{side}": rows / median for side, median in medians.items()},
            **{f"of_parse.{side}": medians["parse"] / medians[side] for side in seconds},
            **later,
        },
        counts={"rows": rows},
        table=[
            ["side", "rows/s", "of the batch read", "seconds"],
            *(
                [
                    side,
                    round(rows / medians[side]),
                    round(medians["parse"] / medians[side], 2),
                    " ".join(f"{one:.1f}" for one in found),
                ]
                for side, found in sides.items()
            ),
            *([name, round(value, 3), "", ""] for name, value in later.items()),
        ],
    )


JOB = LakeCost()
