"""Comparison of Cassandra's tables of feedback with the lake."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.reconciling.checkpoints import Consumed
from jobs.reconciling.contents import exact
from jobs.reconciling.finding import Check, Finding
from jobs.reconciling.offsets import NONE
from jobs.reconciling.placed import joined
from jobs.stores.cassandra.feedback import EVENTS, FEEDBACK, LATE, POPULARITY, RETRACTIONS
from jobs.streaming import feedback_rows
from jobs.streams.feedback import TOPICS

_BUCKETS = 1024
_SHOWN = 3
_TOTAL = ["window_start", "window_s", "item"]
"""Key of a total of popularity, of one topic."""

Read = Callable[[str], DataFrame]
"""Gives one of Cassandra's tables by its name."""


@dataclass(frozen=True)
class Rows:
    """Rows as they should be and as they are.

    Attributes:
        name: of the check.
        key, others: columns of both frames; the first tell the rows apart.
    """

    name: str
    expected: DataFrame
    found: DataFrame
    key: Sequence[str]
    others: Sequence[str]


def messages(lake: Sequence[DataFrame]) -> DataFrame:
    """Return what the lake's tables of `ratings` and `events` say, without what the stream cannot keep."""
    no_reason = F.lit(None).cast("string").alias("reason")
    said = [table.select(*feedback_rows.said(table.columns), no_reason) for table in lake]
    rows = reduce(DataFrame.unionByName, said)
    return rows.where(feedback_rows.unusable().isNull()).drop("reason")


def checks(lake: Sequence[DataFrame], read: Read) -> list[Callable[[], Check]]:
    """Return calls that compare `events`, `feedback` and `retractions` with the lake's messages.

    Args:
        lake: tables of the topics that the stream has read.
        read: gives Cassandra's tables.
    """
    said = messages(lake)
    rated = feedback_rows.with_latest(said.where(~feedback_rows.is_retraction()))
    newest = rated.groupBy("user", "item").agg(F.max(F.struct("at", "latest")).alias("newest"))
    latest = newest.select("user", "item", "newest.at", "newest.latest")
    taken = said.where(feedback_rows.is_retraction()).groupBy("user", "retracts")
    back = taken.agg(F.max(F.struct("at", "id")).alias("newest")).select("user", "retracts", "newest.id")
    events, of_event = said.distinct(), ("type", "item", "value", "retracts", "rated_at")
    every = [
        Rows("events in Cassandra = the lake's", events, read(EVENTS.name), ("user", "at", "id"), of_event),
        Rows("feedback = the latest", latest, read(FEEDBACK.name), ("user", "item"), ("at", "latest")),
        Rows(
            "retractions in Cassandra = the lake's",
            back,
            read(RETRACTIONS.name),
            ("user", "retracts"),
            ("id",),
        ),
    ]
    return [partial(_compared, rows) for rows in every]


def _compared(rows: Rows) -> Check:
    """Compare rows by hashes of buckets of keys, then the rows of buckets that differ."""
    bucket = F.pmod(F.xxhash64(*rows.key), F.lit(_BUCKETS))
    whole = F.xxhash64(*(exact(name) for name in (*rows.key, *rows.others)))
    sums = F.bit_xor(whole).alias("sum"), F.count("*").alias("n")
    expected, found = (
        frame.groupBy(bucket.alias("bucket")).agg(*sums).toPandas() for frame in (rows.expected, rows.found)
    )
    both = expected.merge(found, how="outer", on="bucket", suffixes=("_expected", "_found"))
    wrong = both[(both["sum_expected"] != both["sum_found"]) | (both["n_expected"] != both["n_found"])]
    count = int(both["n_expected"].fillna(0).sum())
    if wrong.empty:
        return Check(rows.name, count)
    return Check(rows.name, count, _by_key(rows, bucket.isin(wrong["bucket"].tolist())))


def _by_key(rows: Rows, within: Column) -> list[Finding]:
    """Return what differs in some buckets."""
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
    wrong = joined.where(~F.col("expected").eqNullSafe(F.col("found"))).withColumn("kind", kind)
    return _told(wrong, rows.key)


def _told(wrong: DataFrame, key: Sequence[str], topic: str = "") -> list[Finding]:
    """Return a finding for each kind of difference, with the first keys."""
    text = F.concat_ws(" ", *(F.col(name).cast("string") for name in key)).alias("key")
    first = F.slice(F.sort_array(F.collect_list("key")), 1, _SHOWN).alias("first")
    kinds = wrong.select("kind", text).groupBy("kind").agg(F.count("*").alias("n"), first)
    return [
        Finding(row["kind"], topic, -1, row["n"], f"{' '.join(key)}: {'; '.join(row['first'])}")
        for row in kinds.orderBy("kind").collect()
    ]


def popularity(topic: str, table: DataFrame, read: Read, erased: int = 0) -> Check:
    """Compare totals of windows, and what came too late for them, with the lake's messages.

    Args:
        topic: of the messages.
        table: of the lake.
        read: gives Cassandra's tables.
        erased: messages of the topic that were erased on request; totals, which name nobody, still count them.
    """
    both = [
        read(one.name).where(F.col("topic") == topic).select(*_TOTAL, "count") for one in (POPULARITY, LATE)
    ]
    stored = both[0].unionByName(both[1]).groupBy(*_TOTAL).agg(F.sum("count").alias("found")).persist()
    try:
        return _totals(topic, messages([table]).where(~feedback_rows.is_retraction()), stored, erased)
    finally:
        stored.unpersist()


def _totals(topic: str, said: DataFrame, stored: DataFrame, erased: int) -> Check:
    """Compare Cassandra's totals (window_start, window_s, item, found) with those of messages."""
    lengths = stored.select("window_s").distinct()
    millis = F.unix_millis("at")
    start = F.timestamp_millis(millis - F.pmod(millis, F.col("window_s") * F.lit(1000)))
    each = said.crossJoin(F.broadcast(lengths)).select(start.alias("window_start"), "window_s", "item")
    expected = each.groupBy(*_TOTAL).agg(F.count("*").alias("expected"))
    joined = expected.join(stored, _TOTAL, "full_outer").na.fill(0, ["expected", "found"])
    more = F.col("found") - F.col("expected")
    none = F.lit(0)
    sums = joined.agg(
        F.sum("expected"), F.sum(F.greatest(more, none)), F.sum(F.greatest(-more, none))
    ).first()
    assert sums is not None  # an aggregate has a row
    counted, over, short = (int(one or 0) for one in sums)
    name = f"windows and late ones of {topic} = the lake's"
    if not counted and (rows := said.count()):
        return Check(name, rows, [Finding("missing in Cassandra", topic, -1, rows, "every window")])
    if not short and over <= erased:
        return Check(name, counted)
    wrong = joined.where(more < 0 if over <= erased else more != 0)
    kind = F.when(more < 0, "counted short").otherwise("counted more than there are")
    return Check(name, counted, _told(wrong.withColumn("kind", kind), _TOTAL, topic))


def settled(queries: Sequence[Consumed], lake: Sequence[Consumed]) -> Check:
    """Compare how far `feedback` and the lake have read; their tables are comparable if there is no finding.

    A topic that one of them has not read at all counts too.
    """
    mine, theirs = (joined(query.committed for query in every) for every in (queries, lake))
    findings = []
    for place in sorted(place for place in mine.keys() | theirs.keys() if place.topic in TOPICS):
        kept, read = mine.get(place, NONE), theirs.get(place, NONE)
        differ = (kept - read).count + (read - kept).count
        if differ:
            where = f"the lake has read to {read.end}, feedback to {kept.end}: drain both"
            findings.append(
                Finding("not compared, one has read less", place.topic, place.partition, differ, where)
            )
    return Check(
        "feedback has read what the lake has", sum(ranges.count for ranges in mine.values()), findings
    )
