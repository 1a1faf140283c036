"""Counts and extremes of ratings, which models check before a long fit and which decide how tables are joined."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from jobs.prepare.split import Split, check_parts
from jobs.runtime.concurrent_actions import run_concurrently

SMALL = 500_000
"""Rows of a table that is sent whole to every executor. What is joined to it then needs no shuffle, and a few dozen tasks of
some milliseconds are most of what judging small data takes; so many rows are about 20 MB there."""
_SIDES = ("user", "item")


class Profile(NamedTuple):
    """Counts and extremes of training ratings.

    Attributes:
        rows: number of rows; rated: rows with a rating; without_ids: rows without a user or an item.
        n_users, n_items: rows of the tables of users and items.
        users, items: lowest and highest id; None where there are no rows.
        ratings: lowest and highest rating; None where no row has one.
        most: (rows, user, item) of the pair with the most rows; None if preprocessing has made sure that each pair has
            one row.
        mean: of the ratings; None where no row has one.
    """

    rows: int
    rated: int
    without_ids: int
    n_users: int
    n_items: int
    users: tuple[int, int] | None
    items: tuple[int, int] | None
    ratings: tuple[float, float] | None
    most: tuple[int, int, int] | None = None
    mean: float | None = None


def sent(table: DataFrame, rows: int | None) -> DataFrame:
    """Have a table sent to every executor if it is known to have at most SMALL rows; None: nobody knows how many."""
    return F.broadcast(table) if rows is not None and rows <= SMALL else table


def profile_of(ratings: DataFrame, users: DataFrame, items: DataFrame) -> Profile:
    """Profile ratings that preprocessing has not checked, and count the tables of users and items."""
    n_users, n_items, row, most = run_concurrently(
        users.count, items.count, lambda: _only(ratings.agg(*_columns(F.lit(True)))), lambda: _most(ratings)
    )
    return _profile(row, n_users, n_items)._replace(most=most)


def profile_parts(
    parts: Split, kind: str, n_users: int, n_items: int
) -> Callable[[], tuple[Profile, int, int]]:
    """Plan one job that profiles the training part of preprocessed tables and counts the test part.

    The job also fills the parts' caches if they have any.

    Args:
        parts: of a split.
        kind: how it was divided, for the error.
        n_users: rows of the table of users.
        n_items: rows of the table of items.

    Returns:
        A function that runs the job and returns the training part's profile and the numbers of rows of both parts. It
        raises JobError if a part is empty.
    """
    train, test = (
        part.select("user", "item", "rating", F.lit(name).alias("part"))
        for name, part in zip(Split._fields, parts, strict=True)
    )
    in_test = F.col("part") == "test"
    frame = train.union(test).agg(*_columns(~in_test), F.count(F.when(in_test, 1)).alias("test_rows"))
    frame._jdf.queryExecution().toRdd()  # noqa: SLF001 - Python's API plans and compiles when it runs

    def look() -> tuple[Profile, int, int]:
        (row,) = frame.collect()  # `first` would plan and compile anew
        check_parts([row["rows"], row["test_rows"]], kind)
        return _profile(row, n_users, n_items), row["rows"], row["test_rows"]

    return look


def _columns(where: Column) -> Sequence[Column]:
    """Return the aggregates of the rows for which a condition holds."""

    def column(name: str) -> Column:
        return F.when(where, F.col(name))

    lacks = F.col("user").isNull() | F.col("item").isNull()
    return [
        F.count(F.when(where, 1)).alias("rows"),
        F.count(column("rating")).alias("rated"),
        F.count(F.when(where & lacks, 1)).alias("without_ids"),
        *(F.min(column(name)).alias(f"low_{name}") for name in (*_SIDES, "rating")),
        *(F.max(column(name)).alias(f"high_{name}") for name in (*_SIDES, "rating")),
        F.avg(column("rating")).alias("mean"),
    ]


def _profile(row: Row, n_users: int, n_items: int) -> Profile:
    users, items, ratings = (
        None if row[f"low_{name}"] is None else (row[f"low_{name}"], row[f"high_{name}"])
        for name in (*_SIDES, "rating")
    )
    rows, rated, without_ids = row["rows"], row["rated"], row["without_ids"]
    return Profile(rows, rated, without_ids, n_users, n_items, users, items, ratings, mean=row["mean"])


def _most(ratings: DataFrame) -> tuple[int, int, int] | None:
    pairs = ratings.groupBy(*_SIDES).agg(F.count("*").alias("n"))
    most = _only(pairs.agg(F.max(F.struct("n", *_SIDES)).alias("most")))["most"]
    return None if most is None else (most["n"], most["user"], most["item"])


def _only(frame: DataFrame) -> Row:
    row = frame.first()
    assert row is not None  # an aggregate without groups has exactly one
    return row
