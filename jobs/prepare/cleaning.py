"""Turn a source's rows into clean interactions, and count every dropped row by its reason."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from core.errors import JobError
from datasets.formats.dialect import EMPTY
from datasets.source import Example

Advise = Callable[[Sequence[Example]], Sequence[str]]
"""Function that guesses from rejected rows which option would read them, a sentence each."""

_SHOWN_REASONS = 5
_SHOWN_CHARACTERS = 200
_NOTHING = ("null", "nan", "none", "nil", "na", "n/a", "#n/a", "undefined", "\\n")
"""Texts by which databases and libraries write a missing key, in lower case."""
_JANUARY_1970_US = (-86_400_000_000, 31 * 86_400_000_000)


@dataclass(frozen=True)
class Limits:
    """Allowed ratings; None leaves a side open. `step` is the distance between two possible ratings."""

    low: float | None = None
    high: float | None = None
    step: float | None = None


def flag(rows: DataFrame, limits: Limits, path: str) -> DataFrame:
    """Add `reason` (null for a good row), `file`, `line`, `lines`, `text` and `digest` to rows of the schema RAW or RECORDS.

    If a source has no such columns, `file` is `path`, because the file of a row is not known after a join, and `text` is
    made of the row's values. Good rows lose their text, which is not needed again. The digest is a hash of the row's
    values; its sum does not depend on the order of rows.
    """
    columns = ["user", "item", "rating", "at", "fold"]
    values = [F.coalesce(F.col(name).cast("string"), F.lit("")) for name in columns]

    def said(name: str, other: Column) -> Column:
        return F.coalesce(F.col(name), other) if name in rows.columns else other

    judged = rows.withColumn("reason", said("reason", _reason(limits)))
    bad = F.col("reason").isNotNull()
    return judged.select(
        *columns,
        "reason",
        F.when(bad, said("file", F.lit(path))).alias("file"),
        said("line", F.lit(None).cast("long")).alias("line"),
        said("lines", F.lit(1)).alias("lines"),
        F.when(bad, said("text", F.concat_ws("|", *values))).alias("text"),
        F.xxhash64(*columns).alias("digest"),
    )


def _reason(limits: Limits) -> Column:
    rating = F.col("rating")
    reason = (
        F.when(F.coalesce(F.trim("user"), F.lit("")) == "", "user missing")
        .when(F.coalesce(F.trim("item"), F.lit("")) == "", "item missing")
        .when(F.isnan(rating), "rating is not a number")
    )
    low, high, step = limits.low, limits.high, limits.step
    if low is not None:
        reason = reason.when(rating < low, f"rating below {low:g}")
    if high is not None:
        reason = reason.when(rating > high, f"rating above {high:g}")
    if step and low is not None:
        steps = (rating - low) / step
        reason = reason.when(F.abs(steps - F.round(steps)) > 1e-3, f"rating not in steps of {step:g}")
    return reason.when(F.abs(rating) == math.inf, "rating is not a number")


def refused(flagged: DataFrame) -> DataFrame:
    """Return the rows that `flag` gave a reason, as rows of the schema REJECTED."""
    return flagged.where(F.col("reason").isNotNull()).select("file", "line", "text", "reason")


class Counted(NamedTuple):
    """Counts of incoming rows, good rows and rejected rows by reason, and oddities of the good ones.

    Attributes:
        good: rows without a reason; lines: those that they take in their files.
        reasons: rows for each reason.
        first, last: microseconds since 1970 of the earliest and the latest known time, None if none is known.
        users, items: rows whose key looks like a missing value.
    """

    good: int
    lines: int
    reasons: dict[str, int]
    first: int | None = None
    last: int | None = None
    users: int = 0
    items: int = 0

    @property
    def rows_in(self) -> int:
        """Number of all incoming rows."""
        return self.good + sum(self.reasons.values())


def count_reasons(flagged: DataFrame, unreadable: DataFrame | None) -> Counted:
    """Count, in one job, rows that were flagged and lines (REJECTED) that a source could not read."""

    def is_nothing(key: str) -> Column:
        return F.lower(key).isin(*_NOTHING).cast("int")

    rows = flagged.select(
        "reason",
        "lines",
        F.unix_micros("at").alias("at"),
        is_nothing("user").alias("users"),
        is_nothing("item").alias("items"),
    )
    if unreadable is not None:
        nothing = [F.lit(None).cast(kind).alias(name) for name, kind in rows.dtypes if name != "reason"]
        rows = rows.unionByName(unreadable.select("reason", *nothing))
    found = rows.groupBy("reason").agg(
        F.count("*").alias("rows"),
        F.min("at").alias("first"),
        F.max("at").alias("last"),
        *(F.sum(name).alias(name) for name in ("lines", "users", "items")),
    )
    by_reason = {row["reason"]: row for row in found.collect()}
    good = by_reason.pop(None, None)
    reasons = {reason: row["rows"] for reason, row in by_reason.items()}
    if good is None:
        return Counted(0, 0, reasons)
    return Counted(
        good["rows"],
        good["lines"],
        reasons,
        good["first"],
        good["last"],
        good["users"] or 0,
        good["items"] or 0,
    )


def oddities(counted: Counted) -> Iterator[str]:
    """Yield warnings about values that were read but may be mistakes, a sentence each."""
    first, last = counted.first, counted.last
    if first is not None and last is not None and _JANUARY_1970_US[0] <= first and last < _JANUARY_1970_US[1]:
        yield (
            f"all times fall between {_moment(first)} and {_moment(last)}. If they are seconds that were read as milliseconds, set "
            "data.at_format=s (csv); if they are no times, leave data.at out (csv), because a split by time would use "
            "them"
        )
    for name, rows in (("user", counted.users), ("item", counted.items)):
        if rows:
            yield (
                f"{rows:,} rows have a {name} called NULL, nan or the like, which is read as an ordinary key "
                "(csv: data.missing=NULL,nan rejects such rows)"
            )
    if counted.lines > counted.good:
        yield (
            f"{counted.good:,} rows take {counted.lines:,} lines of the file, because quoted fields contain line ends (csv: "
            "data.multiline=no reads every line by itself)"
        )


def _moment(micros: int) -> str:
    return f"{datetime.fromtimestamp(micros // 1_000_000, UTC):%Y-%m-%d %H:%M:%S}"


def latest(ratings: DataFrame) -> DataFrame:
    """Keep one row a (user, item) pair: the latest, then the higher rating, then the greater fold.

    `user` and `item` are ids. The result is spread by user and sorted by (user, item) in each partition, which is
    how it is written.
    """
    order = [F.col(name).desc_nulls_last() for name in ("at", "rating", "fold")]
    number = F.row_number().over(Window.partitionBy("user", "item").orderBy(*order))
    return ratings.repartition("user").withColumn("number", number).where("number = 1").drop("number")


def k_core(ratings: DataFrame, k: int) -> tuple[DataFrame, int, int]:
    """Drop users and items with fewer than `k` rows until none is left to drop.

    Each round's survivors are held by the driver (ids only), so that the plan does not grow with the rounds.

    Returns:
        The rest, the number of rounds, and how many rows there were before the first.

    Raises:
        JobError: nothing is left.
    """
    rows = before = ratings.count()
    kept, rounds = ratings, 0
    allowed: dict[str, DataFrame] = {}
    while True:
        for side in ("user", "item"):
            enough = kept.groupBy(side).count().where(F.col("count") >= k).select(side)
            allowed[side] = ratings.sparkSession.createDataFrame(enough.toPandas(), enough.schema)
            kept = ratings
            for name, ids in allowed.items():
                kept = kept.join(F.broadcast(ids), name, "left_semi")
        kept = kept.select(*ratings.columns)
        left, rounds = kept.count(), rounds + 1
        if left == 0:
            raise JobError(
                f"k_core={k} leaves no ratings, because no group of users and items has {k} ratings each: use a smaller clean.k_core"
            )
        if left == rows:
            return kept, rounds, before
        rows = left


def check_share(counted: Counted, rejected: DataFrame, limit: float, path: str, advise: Advise) -> None:
    """Refuse data with too many bad rows, or only bad ones; the error has each reason, its first row and advice.

    An empty line is counted, but not against the limit, because no row is lost with it.

    Args:
        counted: the rows.
        rejected: the rejected rows (schema REJECTED).
        limit: the largest share of bad rows that is accepted.
        path: folder or file of the data.
        advise: guesses which option would read them.

    Raises:
        JobError: no row is left, or more than `limit` of them are bad.
    """
    rows_in, reasons = counted.rows_in, counted.reasons
    bad = sum(rows for reason, rows in reasons.items() if reason != EMPTY)
    if not rows_in:
        raise JobError(
            f"{path} has no rows, so there is nothing to preprocess: check the file, or name another data set"
        )
    if counted.good and bad <= limit * rows_in:
        return
    examples = _examples(rejected)
    told = "\n".join([*(f"  {_told(example)}" for example in examples), *advise(examples)])
    more = len(reasons) - len(examples)
    rest = f"\n  and {more} other reasons" if more > 0 else ""
    if bad <= limit * rows_in:
        raise JobError(f"none of the {rows_in:,} rows of {path} can be used:\n{told}{rest}")
    raise JobError(
        f"{bad:,} of {rows_in:,} rows ({bad / rows_in:.1%}) cannot be used, and at most {limit:.1%} may be "
        f"(max_rejected_share):\n{told}{rest}\n"
        "Mend the file or the reading options (columns, separator, encoding), set clean.min_rating and clean.max_rating to "
        "its scale, or raise clean.max_rejected_share if these rows may be left out."
    )


def left_out(rejected: DataFrame) -> list[str]:
    """Return a sentence for each of the most frequent reasons: how many rows were rejected, and where the first one is."""
    return [f"left out: {_told(example)}" for example in _examples(rejected)]


def _examples(rejected: DataFrame) -> list[Example]:
    """Return the most frequent reasons, each with its first row."""
    found = rejected.groupBy("reason").agg(
        F.count("*").alias("rows"), F.min(F.struct("file", "line", "text")).alias("first")
    )
    rows = found.orderBy(F.desc("rows"), "reason").limit(_SHOWN_REASONS).collect()
    return [Example(row["reason"], row["rows"], *row["first"]) for row in rows]


def _told(example: Example) -> str:
    where = example.file if example.line is None else f"{example.file}, line {example.line:,}"
    text = repr(example.text[:_SHOWN_CHARACTERS]).replace("\\\\", "\\")
    text += "..." if len(example.text) > _SHOWN_CHARACTERS else ""
    return f"{example.rows:,} x {example.reason}; the first in {where}: {text}"
