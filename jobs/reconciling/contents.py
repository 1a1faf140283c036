"""Comparison of stored rows with Kafka's own messages, as far as Kafka still holds them."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.reconciling.finding import Finding
from jobs.reconciling.offsets import Place, Ranges

_BLOCK = 16
"""Rows are compared by hashes of blocks of 2 to this power offsets; only blocks that differ are compared row by row."""

_MOST = 10_000
"""Differing rows that are named one by one."""

_SHOWN = 3


@dataclass(frozen=True)
class Sides:
    """Two frames of the same messages.

    Attributes:
        kafka, stored: topic, partition, offset, and the columns that are compared.
        columns: names of these.
    """

    kafka: DataFrame
    stored: DataFrame
    columns: Sequence[str]


class _Row(NamedTuple):
    """A message whose contents differ: hashes of what Kafka and the table hold."""

    place: Place
    offset: int
    kafka: int
    stored: int


def differing(sides: Sides, what: str) -> tuple[int, list[Finding]]:
    """Compare contents; return how many messages were compared and what differs.

    Messages that only one side has are not named here: `jobs.reconciling.placed` names these.

    Args:
        sides: the frames.
        what: holds the rows, for messages: "the lake".
    """
    kafka, stored = (_sums(frame, sides.columns) for frame in (sides.kafka, sides.stored))
    both = kafka.merge(
        stored, how="outer", on=["topic", "partition", "block"], suffixes=("_kafka", "_stored")
    )
    wrong = both[(both["sum_kafka"] != both["sum_stored"]) | (both["n_kafka"] != both["n_stored"])]
    compared = int(both["n_kafka"].fillna(0).sum())
    if wrong.empty:
        return compared, []
    blocks = list(wrong[["topic", "partition", "block"]].itertuples(index=False, name=None))
    return compared, list(_findings(_rows(sides, blocks), what))


def _sums(frame: DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return for each block the number of rows and the exclusive or of their hashes, over offset and contents together."""
    whole = F.xxhash64("topic", "partition", "offset", *(exact(name) for name in columns))
    sums = F.bit_xor(whole).alias("sum"), F.count("*").alias("n")
    return frame.groupBy("topic", "partition", _block()).agg(*sums).toPandas()


def _block() -> Column:
    return F.shiftright("offset", _BLOCK).alias("block")


def exact(name: str) -> Column:
    """Return a column so that null is something else than a neighbour's null, which hashes pass over."""
    return F.struct(F.col(name).isNull(), F.col(name))


def _rows(sides: Sides, blocks: Collection[tuple[str, int, int]]) -> list[_Row]:
    """Return the rows of these blocks that both sides have and whose contents differ."""
    spark = sides.kafka.sparkSession
    wanted = F.broadcast(
        spark.createDataFrame(pd.DataFrame(list(blocks), columns=["topic", "partition", "block"]))
    )
    key = ["topic", "partition", "offset"]
    kafka, stored = (
        frame.join(wanted, (frame["topic"] == wanted["topic"]) & (frame["partition"] == wanted["partition"]) & (F.shiftright(frame["offset"], _BLOCK) == wanted["block"]), "left_semi")
        .select(*key, F.xxhash64(*(exact(column) for column in sides.columns)).alias(name))
        for name, frame in (("kafka", sides.kafka), ("stored", sides.stored))
    )  # fmt: skip
    found = kafka.join(stored, key).where("kafka != stored").orderBy(*key).limit(_MOST).collect()
    return [
        _Row(Place(row["topic"], row["partition"]), row["offset"], row["kafka"], row["stored"])
        for row in found
    ]


def _findings(rows: Sequence[_Row], what: str) -> Iterator[Finding]:
    """Yield findings: rows that hold each other's contents by pairs, and all others by their ranges."""
    of = {row.kafka: row for row in rows}
    exchanged: dict[tuple[Place, Place], list[tuple[int, int]]] = {}
    other: dict[Place, list[int]] = {}
    for row in rows:
        partner = of.get(row.stored)
        if partner is None or partner.stored != row.kafka:
            other.setdefault(row.place, []).append(row.offset)
        elif (row.place, row.offset) < (partner.place, partner.offset):
            exchanged.setdefault((row.place, partner.place), []).append((row.offset, partner.offset))
    for (one, two), pairs in exchanged.items():
        shown = ", ".join(f"{first} and {second}" for first, second in pairs[:_SHOWN])
        more = f" and {len(pairs) - _SHOWN:,} more pairs" if len(pairs) > _SHOWN else ""
        beside = "" if one == two else f", the second in partition {two.partition}"
        yield Finding(
            f"{what}: contents exchanged",
            one.topic,
            one.partition,
            2 * len(pairs),
            f"offsets {shown}{more}{beside}",
        )
    for place, offsets in other.items():
        text = f"offsets {Ranges.of_offsets(offsets)}"
        yield Finding(
            f"{what}: contents differ from Kafka's", place.topic, place.partition, len(offsets), text
        )
