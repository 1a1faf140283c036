"""Build the tables that models read from a source's rows: dense ids, clean ratings, the catalogue, statistics."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from datasets.source import ITEMS, Raw
from jobs.prepare.cleaning import (
    Advise,
    Limits,
    check_share,
    count_reasons,
    flag,
    k_core,
    latest,
    left_out,
    oddities,
    refused,
)
from jobs.runtime.concurrent_actions import run_concurrently

_MASK = 2**64 - 1
BROADCAST_KEYS = 1_000_000
"""Largest number of keys whose table of ids is sent to every executor (about 60 MB); larger ones are joined by sorting."""


@dataclass
class Cleaned:
    """Clean tables, and the counts of rows in, out and dropped; `release` frees the frames in `held`."""

    ratings: DataFrame
    users: DataFrame
    items: DataFrame
    rejected: DataFrame
    rows_in: int
    rows_out: int
    dropped: Mapping[str, int]
    n_users: int
    n_items: int
    rated_items: int
    rounds: int
    digest: str
    observed: tuple[float, float] | None
    warnings: tuple[str, ...] = ()
    held: list[DataFrame] = field(default_factory=list)

    def release(self) -> None:
        """Free what was kept on the executors."""
        for frame in self.held:
            frame.unpersist()


def clean(
    raw: Raw, limits: Limits, core: int, max_rejected: float, path: str, *, advise: Advise = lambda _: ()
) -> Cleaned:
    """Check, deduplicate, filter and number a source's ratings.

    Every row that comes in goes out or is counted in `dropped`: rows_in = rows_out + the sum of `dropped`, where
    rows_in counts the source's unreadable lines too.

    Args:
        raw: the source's frames; it must have ratings.
        limits: allowed ratings.
        core: users and items with fewer ratings are dropped, repeatedly; 0 keeps all.
        max_rejected: largest share of rows that may be unreadable or out of range.
        path: folder or file of the data, for errors and rejected rows.
        advise: guesses from rejected rows which option would read them.

    Raises:
        JobError: too many bad rows, no rows at all, or no rows left after `core`.
    """
    assert raw.ratings is not None
    held: list[DataFrame] = []
    unreadable = _hold(raw.rejected, held) if raw.records is None else None
    flagged = _hold(flag(raw.ratings if raw.records is None else raw.records, limits, path), held)
    rejected = refused(flagged) if unreadable is None else unreadable.unionByName(refused(flagged))
    counted = count_reasons(flagged, unreadable)
    check_share(counted, rejected, max_rejected, path, advise)
    shown = (
        left_out(rejected) if counted.reasons and raw.records is not None else ()
    )  # a file that can be mended
    good = flagged.where(F.col("reason").isNull())
    ratings, users, items = _number(good, held)
    unique = _hold(latest(ratings), held)
    kept, rounds, rows_unique = k_core(unique, core) if core > 0 else (unique, 0, None)
    if rounds:
        kept, users, items = _renumber(kept, users, items, held)
    facts = _facts(kept)
    if rows_unique is None:
        rows_unique = facts["rows"]
    dropped = {
        **counted.reasons,
        "duplicate": counted.good - rows_unique,
        "k_core": rows_unique - facts["rows"],
    }
    catalogue, n_items = _catalogue(items, raw.items, held)
    return Cleaned(
        ratings=kept,
        users=users.keys,
        items=catalogue,
        rejected=rejected,
        rows_in=counted.rows_in,
        rows_out=facts["rows"],
        dropped={reason: count for reason, count in dropped.items() if count},
        n_users=users.n,
        n_items=n_items,
        rated_items=items.n,
        rounds=rounds,
        digest=f"{facts['rows']}-{int(facts['sum']) & _MASK:016x}-{facts['xor'] & _MASK:016x}",
        observed=None if facts["low"] is None else (facts["low"], facts["high"]),
        warnings=(*shown, *oddities(counted)),
        held=held,
    )


def statistics(ratings: DataFrame, side: str) -> DataFrame:
    """Describe each user's or item's ratings, in no order: (`side` int, n, mean, sd, first, last); sd is null below two."""
    columns: list[Column] = [
        F.count("*").cast("int").alias("n"),
        F.mean("rating").cast("float").alias("mean"),
        F.stddev_samp("rating").cast("float").alias("sd"),
        F.min("at").alias("first"),
        F.max("at").alias("last"),
    ]
    return ratings.groupBy(side).agg(*columns)


def natural_order(key: str) -> list[Column]:
    """Order keys as people do: whole numbers by value and before texts, texts by their characters."""
    number = F.when(F.col(key).rlike("^[0-9]{1,38}$"), F.col(key).cast("decimal(38,0)"))
    return [number.asc_nulls_last(), F.col(key).asc()]


def dense_ids(keys: DataFrame, name: str, first: int = 0) -> DataFrame:
    """Number the distinct values of the column `key` from `first` in natural order.

    Numbering needs one order of all keys, so one task sorts them; that is cheap for the millions that a
    catalogue or a population has, and only keys, never ratings, pass through it.

    Returns:
        (`name` int, `key` string).
    """
    number = (F.row_number().over(Window.orderBy(*natural_order("key"))) + F.lit(first - 1)).cast("int")
    return keys.select("key").distinct().select(number.alias(name), "key")


def joinable(ids: DataFrame, count: int) -> DataFrame:
    """Mark a table of ids to be sent to every executor when it is small enough for that."""
    return F.broadcast(ids) if count <= BROADCAST_KEYS else ids


def _hold(frame: DataFrame, held: list[DataFrame]) -> DataFrame:
    held.append(frame.persist(StorageLevel.MEMORY_AND_DISK))
    return frame


class _Side(NamedTuple):
    """Users or items as (id, key), and their number."""

    keys: DataFrame
    n: int


def _number(good: DataFrame, held: list[DataFrame]) -> tuple[DataFrame, _Side, _Side]:
    """Replace keys by ids; return ratings (with each row's digest), users and items."""
    users = _hold(dense_ids(good.select(F.col("user").alias("key")), "user_id"), held)
    items = _hold(dense_ids(good.select(F.col("item").alias("key")), "item_id"), held)
    n_users, n_items = run_concurrently(users.count, items.count)
    numbered = good.join(joinable(users.withColumnRenamed("key", "user"), n_users), "user").join(
        joinable(items.withColumnRenamed("key", "item"), n_items), "item"
    )
    ratings = numbered.select(
        F.col("user_id").alias("user"), F.col("item_id").alias("item"), "rating", "at", "fold", "digest"
    )
    return ratings, _Side(_named(users, "user"), n_users), _Side(_named(items, "item"), n_items)


def _named(ids: DataFrame, name: str) -> DataFrame:
    return ids.select(F.col(f"{name}_id").alias(name), "key")


def _renumber(
    kept: DataFrame, users: _Side, items: _Side, held: list[DataFrame]
) -> tuple[DataFrame, _Side, _Side]:
    """Make ids dense again after some users or items were dropped, in the same order of keys."""
    left: dict[str, _Side] = {}
    for name, (ids, _) in (("user", users), ("item", items)):
        survivors = ids.join(kept.select(name).distinct(), name, "left_semi")
        numbered = _hold(dense_ids(survivors, f"{name}_id"), held)
        left[name] = _Side(_named(numbered, name), numbered.count())
        moved = ids.join(numbered, "key").select(name, f"{name}_id")
        kept = kept.join(joinable(moved, left[name].n), name).drop(name)
        kept = kept.withColumnRenamed(f"{name}_id", name)
    columns = ["user", "item", "rating", "at", "fold", "digest"]
    kept = kept.select(*columns).repartition("user").sortWithinPartitions("user", "item")
    return _hold(kept, held), left["user"], left["item"]


def _facts(ratings: DataFrame) -> dict[str, Any]:
    row = ratings.agg(
        F.count("*").alias("rows"),
        F.sum(F.col("digest").cast("decimal(38,0)")).alias("sum"),
        F.bit_xor("digest").alias("xor"),
        F.min("rating").alias("low"),
        F.max("rating").alias("high"),
    ).first()
    assert row is not None
    return row.asDict()


def _catalogue(items: _Side, catalogue: DataFrame | None, held: list[DataFrame]) -> tuple[DataFrame, int]:
    """Join ids with the publisher's catalogue; items without ratings get the ids after those with ratings.

    Returns:
        The table of items, and the number of its rows.
    """
    rated = items.keys
    described = [field for field in ITEMS if field.name != "item"]
    if catalogue is None:
        nothing = [F.lit(None).cast(field.dataType).alias(field.name) for field in described]
        return rated.select("item", "key", *nothing), items.n
    first = Window.partitionBy("key").orderBy("title", "text", "year")
    known = (
        catalogue.withColumnRenamed("item", "key")
        .where(F.trim("key") != "")
        .withColumn("number", F.row_number().over(first))
        .where("number = 1")
        .persist(StorageLevel.MEMORY_AND_DISK)  # joined twice, and read from files or made only once
    )
    unrated = dense_ids(known.join(rated, "key", "left_anti"), "item", items.n)
    ids = rated.unionByName(unrated)
    names = (field.name for field in described)
    joined = _hold(ids.join(known, "key", "left").select("item", "key", *names), held)
    rows = joined.count()
    known.unpersist()
    return joined, rows
