"""Whether Cassandra's tables of feedback hold what the lake holds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.reconciling.checkpoints import Consumed
from jobs.reconciling.finding import Check, Finding
from jobs.reconciling.offsets import NONE
from jobs.stores.cassandra.feedback import EVENTS, FEEDBACK, LATE, POPULARITY, RETRACTIONS
from jobs.streaming import feedback_rows

TOPICS = ("ratings", "events")
"""Topics that the stream `feedback` reads."""

_BUCKETS = 1024
_SHOWN = 3

Read = Callable[[str], DataFrame]
"""Gives one of Cassandra's tables by its name."""


@dataclass(frozen=True)
class Rows:
    """Rows as they should be and as they are, compared by a key."""

    name: str
    topic: str
    expected: DataFrame
    found: DataFrame
    key: Sequence[str]
    others: Sequence[str]


def messages(lake: Sequence[DataFrame]) -> DataFrame:
    """Return what the lake's tables of `ratings` and `events` say, without what the stream cannot keep."""
    said = [table.select(*feedback_rows.said(table), F.lit(None).cast("string").alias("reason")) for table in lake]
    rows = reduce(DataFrame.unionByName, said)
    return rows.where(feedback_rows.unusable().isNull()).drop("reason")


def checked(lake: Sequence[DataFrame], read: Read) -> list[Check]:
    """Compare `events`, `feedback` and `retractions` with the lake's messages.

    Args:
        lake: tables of those topics of TOPICS that the stream has read.
        read: gives Cassandra's tables.
    """
    said = messages(lake)
    newest = F.max(F.struct("at", "latest")).alias("newest")
    rated = feedback_rows.with_latest(said.where(~feedback_rows.is_retraction()))
    latest = rated.groupBy("user", "item").agg(newest).select("user", "item", "newest.at", "newest.latest")
    taken = said.where(feedback_rows.is_retraction()).groupBy("user", "retracts").agg(F.max(F.struct("at", "id")).alias("newest"))
    return [
        compared(Rows("events in Cassandra", "", said.distinct(), read(EVENTS.name), ("user", "at", "id"), _others(EVENTS.columns, ("user", "at", "id")))),
        compared(Rows("feedback is the latest", "", latest, read(FEEDBACK.name), ("user", "item"), ("at", "latest"))),
        compared(Rows("what was taken back", "", taken.select("user", "retracts", "newest.id"), read(RETRACTIONS.name), ("user", "retracts"), ("id",))),
    ]  # fmt: skip


def _others(columns: Sequence[str] | dict[str, str] | object, key: Sequence[str]) -> list[str]:
    return [name for name in columns if name not in key]  # type: ignore[attr-defined]


def compared(rows: Rows) -> Check:
    """Compare rows by sums of hashes over buckets of keys, then the buckets that differ by their keys."""
    columns = [*rows.key, *rows.others]
    bucket = F.pmod(F.xxhash64(*rows.key), F.lit(_BUCKETS)).alias("bucket")
    whole = F.xxhash64(*(F.struct(F.col(name).isNull(), F.col(name)) for name in columns))
    total = F.sum(whole.cast("decimal(20,0)")).alias("sum")
    expected, found = (
        frame.groupBy(bucket).agg(total, F.count("*").alias("n")).toPandas() for frame in (rows.expected, rows.found)
    )
    both = expected.merge(found, how="outer", on="bucket", suffixes=("_expected", "_found"))
    wrong = both[(both["sum_expected"] != both["sum_found"]) | (both["n_expected"] != both["n_found"])]
    count = int(both["n_expected"].fillna(0).sum())
    if wrong.empty:
        return Check(rows.name, count)
    within = bucket.isin(wrong["bucket"].tolist())
    return Check(rows.name, count, _by_key(rows, within))


def _by_key(rows: Rows, within: Column) -> list[Finding]:
    sides = [
        frame.where(within).select(*rows.key, F.struct(*rows.others).alias(name))
        for name, frame in (("expected", rows.expected), ("found", rows.found))
    ]
    joined = sides[0].join(sides[1], list(rows.key), "full_outer")
    kind = (
        F.when(F.col("found").isNull(), "missing in Cassandra")
        .when(F.col("expected").isNull(), "in Cassandra, and not in the lake")
        .otherwise("other values than in the lake")
    )
    return _told(rows, joined.where(~F.col("expected").eqNullSafe(F.col("found"))).withColumn("kind", kind))


def _told(rows: Rows, wrong: DataFrame) -> list[Finding]:
    key = F.concat_ws(" ", *(F.col(name).cast("string") for name in rows.key)).alias("key")
    grouped = wrong.select("kind", key).groupBy("kind").agg(
        F.count("*").alias("n"), F.slice(F.sort_array(F.collect_list("key")), 1, _SHOWN).alias("first")
    )  # fmt: skip
    return [
        Finding(row["kind"], rows.topic, -1, row["n"], f"{' '.join(rows.key)}: {'; '.join(row['first'])}")
        for row in grouped.orderBy("kind").collect()
    ]


def popularity(lake: dict[str, DataFrame], read: Read, erased: dict[str, int]) -> list[Check]:
    """Compare totals of windows, and what came too late for them, with the lake's messages.

    Args:
        lake: tables by their topic.
        read: gives Cassandra's tables.
        erased: messages of each topic that were erased on request; totals still count them.
    """
    return [_popularity(topic, table, read, erased.get(topic, 0)) for topic, table in lake.items()]


def _popularity(topic: str, table: DataFrame, read: Read, erased: int) -> Check:
    key = ["window_start", "window_s", "item"]
    ours = F.col("topic") == topic
    totals, late = (read(one.name).where(ours).select(*key, "count") for one in (POPULARITY, LATE))
    stored = totals.unionByName(late).groupBy(*key).agg(F.sum("count").alias("found"))
    lengths = [row[0] for row in totals.unionByName(late).select("window_s").distinct().collect()]
    said = messages([table]).where(~feedback_rows.is_retraction())
    millis = F.unix_millis("at")
    each = said.crossJoin(F.broadcast(lake_lengths(table, lengths))).select(
        F.timestamp_millis(millis - F.pmod(millis, F.col("window_s") * 1000)).alias("window_start"), "window_s", "item"
    )
    expected = each.groupBy(*key).agg(F.count("*").alias("expected"))
    joined = expected.join(stored, key, "full_outer").na.fill(0, ["expected", "found"])
    counted = joined.agg(F.sum("expected").alias("rows"), F.sum(F.greatest(F.col("found") - F.col("expected"), F.lit(0))).alias("over")).first()
    assert counted is not None  # an aggregate has a row
    name = f"windows and late ones of {topic}"
    rows = Rows(name, topic, expected, stored, key, ())
    short = F.col("found") < F.col("expected")
    wrong = short if (counted["over"] or 0) <= erased * max(1, len(lengths)) else F.col("found") != F.col("expected")
    kind = F.when(short, "counted short").otherwise("counted more than there are")
    if not lengths and table.head(1):
        return Check(name, 0, [Finding("not in Cassandra", topic, -1, said.count(), f"table {POPULARITY.name}")])
    return Check(name, int(counted["rows"] or 0), _told(rows, joined.where(wrong).withColumn("kind", kind)))


def lake_lengths(table: DataFrame, lengths: Sequence[int]) -> DataFrame:
    """Return the lengths of windows as rows."""
    return table.sparkSession.createDataFrame([(length,) for length in lengths], "window_s int")


def undrained(queries: Sequence[Consumed], lake: Sequence[Consumed]) -> list[Finding]:
    """Return where the stream `feedback` and the lake have not read the same messages: what they hold cannot be equal then."""
    found = []
    for query in queries:
        mine = {place: query.committed.get(place, NONE) for one in lake for place in one.committed if place.topic in query.topics}
        for place, ranges in sorted(mine.items()):
            theirs = next(one.committed[place] for one in lake if place in one.committed)
            behind = max((theirs - ranges).count, (ranges - theirs).count)
            if behind:
                found.append(Finding("not compared: one has read less", place.topic, place.partition, behind, f"lake to {_end(theirs)}, {query.name} to {_end(ranges)}: drain both"))
    return found  # fmt: skip


def _end(ranges: object) -> int:
    ends = ranges.ends  # type: ignore[attr-defined]
    return int(ends[-1]) if ends.size else 0
