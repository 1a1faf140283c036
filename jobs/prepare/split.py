"""Divide ratings into a training and a test part; the same rows, however Spark partitions them."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from core.errors import JobError, UsageError
from core.options import nearest

_COLD = {"cold_items": "item", "cold_users": "user"}
_SHARES = ("random", "time", *_COLD)  # kinds that cut off a share
KINDS = (*_SHARES, "leave_last", "fold")
_BUCKETS = 4096


class Split(NamedTuple):
    """Two frames of the schema RATINGS: each row is in exactly one of them."""

    train: DataFrame
    test: DataFrame


def split(ratings: DataFrame, kind: str, *, test: float, seed: int, n: int, fold: str | None) -> Split:
    """Divide `ratings` as `divide` does, and refuse an empty part.

    Raises:
        UsageError, JobError: as `divide` and `counted` do.
    """
    parts = divide(ratings, kind, test=test, seed=seed, n=n, fold=fold)
    counted(parts, kind)
    return parts


def counted(parts: Split, kind: str) -> tuple[int, int]:
    """Return the numbers of training and test rows, in one job, which also fills the parts' caches if they have any.

    Args:
        parts: of a split.
        kind: how it was divided, for the error.

    Raises:
        JobError: a part is empty.
    """
    train, test = (
        part.select(F.lit(name).alias("part")) for name, part in zip(Split._fields, parts, strict=True)
    )
    row = (
        train.union(test).agg(*(F.count(F.when(F.col("part") == name, 1)) for name in Split._fields)).first()
    )
    assert row is not None
    check_parts(row, kind)
    return int(row[0]), int(row[1])


def check_parts(rows: Sequence[int], kind: str) -> None:
    """Refuse an empty part.

    Args:
        rows: numbers of training and of test rows.
        kind: how they were divided, for the error.

    Raises:
        JobError: a part is empty.
    """
    for name, count in zip(Split._fields, rows, strict=True):
        if not count:
            raise JobError(
                f"the {kind} split leaves no row in the {name} part, because the data set is too small for it: "
                "choose another split, another share (test=...), or a smaller n"
            )


def divide(ratings: DataFrame, kind: str, *, test: float, seed: int, n: int, fold: str | None) -> Split:
    """Divide `ratings` by one of the KINDS; a part may be empty, which `counted` finds.

    Args:
        ratings: rows of the schema RATINGS.
        kind: "random": each row by a hash of its user and item; "leave_last": each user's latest `n` rows, ties in
            time broken by the greater item id, users with `n` rows or fewer stay in training; "time": the latest
            share of all rows, ties broken by (user, item); "fold": the rows that the publisher calls `fold`'s test;
            "cold_items", "cold_users": all rows of items, or users, chosen by a hash of their ids, so that training
            knows nothing of them.
        test: share for the test part: of the rows ("random", "time"), of the items or of the users, about.
        seed: which random split, or which items or users.
        n: rows a user gives to the test part ("leave_last").
        fold: name of a published fold, as "u1".

    Raises:
        UsageError: an unknown kind, or an argument out of its range.
        JobError: the data have no times or no such fold.
    """
    if kind not in KINDS:
        raise UsageError(f"unknown split {kind!r}: {nearest(kind, KINDS)}")
    if kind in _SHARES and not 0 < test < 1:
        raise UsageError(f"test must lie between 0 and 1, got {test}")
    if kind == "random":
        return _by(ratings, uniform(seed, "user", "item") < test)
    if kind in _COLD:
        return _by(ratings, uniform(seed, _COLD[kind]) < test)
    if kind == "leave_last":
        return _leave_last(ratings, n)
    if kind == "time":
        return _by(ratings, _late(ratings, test))
    return _by(ratings, _in_fold(ratings, fold))


def uniform(seed: int, *columns: str) -> Column:
    """Return a number in [0, 1) for each row: a hash that depends only on the columns' values and the seed."""
    bits = F.shiftrightunsigned(F.xxhash64(F.lit(seed).cast("long"), *map(F.col, columns)), 11)
    return bits / F.lit(float(2**53))


def _by(ratings: DataFrame, is_test: Column) -> Split:
    return Split(ratings.where(~is_test), ratings.where(is_test))


def _leave_last(ratings: DataFrame, n: int) -> Split:
    if n < 1:
        raise UsageError(f"n must be 1 or more for split=leave_last, got {n}")
    _check_times(ratings, "leave_last")
    by_user = Window.partitionBy("user")
    numbered = ratings.select(
        *ratings.columns,
        F.row_number().over(by_user.orderBy(F.desc("at"), F.desc("item"))).alias("_rank"),
        F.count("*").over(by_user).alias("_rows"),
    )
    is_test = (F.col("_rank") <= n) & (F.col("_rows") > n)
    return Split(*(part.drop("_rank", "_rows") for part in _by(numbered, is_test)))


def _check_times(ratings: DataFrame, kind: str) -> None:
    if not ratings.where(F.col("at").isNull()).isEmpty():
        raise JobError(
            f"split={kind} needs the time of every rating, and some rows have none: use job.split=random"
        )


def _late(ratings: DataFrame, share: float) -> Column:
    """Return the condition that holds for exactly the latest ceil(share x rows) rows.

    Finds the time of the cut by counting in ever narrower buckets, not by sorting all rows; only rows at the very
    time of the cut are ordered by (user, item).
    """
    _check_times(ratings, "time")
    micros = F.unix_micros("at")
    row = ratings.agg(F.count("*"), F.min(micros), F.max(micros)).first()
    assert row is not None
    rows, low, high = row
    wanted = math.ceil(share * (rows or 0))
    if not 0 < wanted < rows:
        return F.lit(wanted > 0)
    while high > low:
        width = (high - low) // _BUCKETS + 1
        bucket = F.floor((micros - F.lit(low)) / F.lit(width)).alias("bucket")
        inside = ratings.where(micros.between(low, high))
        for number, count in sorted(inside.groupBy(bucket).count().collect(), reverse=True):
            if count >= wanted:
                low, high = low + number * width, min(high, low + (number + 1) * width - 1)
                break
            wanted -= count
    at = F.timestamp_micros(F.lit(low))
    ties = ratings.where(F.col("at") == at).orderBy(F.desc("user"), F.desc("item")).limit(wanted)
    last = ties.agg(F.min(F.struct("user", "item")).alias("last")).first()
    assert last is not None
    user, item = last["last"]
    tied: Column = (F.col("user") > user) | ((F.col("user") == user) & (F.col("item") >= item))
    late: Column = (F.col("at") > at) | ((F.col("at") == at) & tied)
    return late


def _in_fold(ratings: DataFrame, fold: str | None) -> Column:
    """Return the condition that a row is in a fold's test part.

    A row's `fold` names the folds in whose test part it is: "u1", or with others and with its part "u1:test|u2:base".
    """
    labels = F.split(F.coalesce(F.col("fold"), F.lit("")), r"\|")
    each = ratings.select("fold").distinct().select(F.explode(labels).alias("label")).distinct()
    names = {row["label"] for row in each.collect()}
    known = {name.removesuffix(":test") for name in names if name and not name.endswith(":base")}
    if not known:
        raise JobError(
            f"split=fold: this data set has no published folds, so there is no fold {fold!r}; use job.split=random, leave_last or time"
        )
    if fold not in known:
        raise UsageError(f"unknown fold {fold!r}: {nearest(str(fold), known)}")
    return F.arrays_overlap(labels, F.array(F.lit(fold), F.lit(f"{fold}:test")))
