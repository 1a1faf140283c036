"""Give keys dense numbers that depend only on the keys, not on the partitioning of the rows."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

BROADCAST_KEYS = 1_000_000
"""Largest number of keys whose table of ids is sent to every executor (about 60 MB); larger ones are joined by sorting."""


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
