"""Comparison of offsets: what was acknowledged is read, and what was read is in the lake or a dead letter, once."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from core.errors import DataError
from datasets.sending import ledger
from jobs.reconciling.checkpoints import Consumed
from jobs.reconciling.finding import Check, Finding, at_offsets
from jobs.reconciling.offsets import BITS, NONE, Place, Ranges

At = Mapping[Place, Ranges]


@dataclass(frozen=True)
class Stored:
    """Offsets of the rows of a table.

    Attributes:
        there: offsets that have a row; twice: those that have more than one.
        rows: how many there are.
    """

    there: At = field(default_factory=dict)
    twice: At = field(default_factory=dict)
    rows: int = 0


def stored(frame: DataFrame) -> Stored:
    """Return which offsets a table's rows have.

    No row is sent anywhere: tasks make words of bits, which become ranges here. So a million rows are some 16,000 words.

    Args:
        frame: topic, partition, offset of one row a message.
    """
    word = F.shiftright("offset", 6).alias("word")
    bit = F.expr(f"shiftleft(1L, cast(offset % {BITS} as int))")
    words = frame.groupBy("topic", "partition", word).agg(
        F.bit_or(bit).alias("bits"), F.count("*").alias("n")
    )
    found = words.toPandas()
    there: dict[Place, Ranges] = {}
    crowded: list[tuple[Place, list[int]]] = []
    for (topic, partition), group in found.groupby(["topic", "partition"]):
        place = Place(str(topic), int(str(partition)))
        numbers, bits = group["word"].to_numpy(np.int64), group["bits"].to_numpy(np.int64)
        there[place] = Ranges.of_words(numbers, bits)
        if over := numbers[group["n"].to_numpy() > np.bitwise_count(bits.view(np.uint64))].tolist():
            crowded.append((place, over))
    return Stored(there, dict(_twice(frame, crowded)), int(found["n"].sum()))


def _twice(frame: DataFrame, crowded: Iterable[tuple[Place, list[int]]]) -> Iterator[tuple[Place, Ranges]]:
    """Yield the offsets that have several rows, of words with more rows than bits."""
    for place, numbers in crowded:
        words = Ranges.of_offsets(numbers)
        low, high = int(words.starts[0]) * BITS, int(words.ends[-1]) * BITS
        near = frame.where(
            (F.col("topic") == place.topic)
            & (F.col("partition") == place.partition)
            & F.col("offset").between(low, high - 1)
        )
        rows = near.groupBy("offset").count().where("count > 1").select("offset").toPandas()
        yield place, Ranges.of_offsets(rows["offset"].to_numpy(np.int64))


def joined(many: Iterable[At]) -> dict[Place, Ranges]:
    """Return the offsets that are in any of these."""
    found: dict[Place, Ranges] = {}
    for one in many:
        for place, ranges in one.items():
            found[place] = found.get(place, NONE) | ranges
    return found


def without(one: At, *others: At) -> dict[Place, Ranges]:
    """Return the offsets of `one` that are in none of the others."""
    taken = joined(others)
    return {place: ranges - taken.get(place, NONE) for place, ranges in one.items()}


def in_both(one: At, other: At) -> dict[Place, Ranges]:
    """Return the offsets that are in both."""
    return {place: ranges & other.get(place, NONE) for place, ranges in one.items()}


def count(one: At) -> int:
    """Return how many offsets there are."""
    return sum(ranges.count for ranges in one.values())


def placed(
    queries: Iterable[Consumed], lake: Stored, dead: Stored, erased: At, later: Iterable[Consumed] = ()
) -> Check:
    """Compare what the lake's queries have read with what is stored.

    Args:
        queries: of the stream `lake`.
        lake: rows of all topics' tables.
        dead: rows of the dead letters.
        erased: offsets whose rows were erased on request.
        later: the queries as they were after the tables were read; a stream that runs has gone on meanwhile.
    """
    queries = list(queries)
    read = joined(query.committed for query in queries)
    planned = joined(some for query in (*queries, *later) for some in (query.committed, query.planned))
    findings: list[Finding] = [
        *at_offsets("lost: read, and neither in the lake nor a dead letter", without(read, lake.there, dead.there, erased)),
        *at_offsets("doubled in the lake", lake.twice),
        *at_offsets("doubled among the dead letters", dead.twice),
        *at_offsets("in the lake and a dead letter", in_both(lake.there, dead.there)),
        *at_offsets("erased, and yet in the lake", in_both(lake.there, erased)),
        *at_offsets("erased, and yet a dead letter", in_both(dead.there, erased)),
        *at_offsets("in the lake, but never read", without(lake.there, planned)),
        *at_offsets("a dead letter, but never read", without(dead.there, planned)),
    ]  # fmt: skip
    return Check("read = lake + dead letters", count(read), findings)


def arrived(acknowledged: At, queries: Iterable[Consumed]) -> Check:
    """Compare what brokers acknowledged to producers with what the queries have read."""
    read = joined(query.committed for query in queries)
    missing = without(acknowledged, read)
    findings = list(at_offsets("acknowledged, and not read", missing))
    return Check("acknowledged are read", count(acknowledged), findings)


def acknowledged(files: Iterable[Path]) -> dict[Place, Ranges]:
    """Return the offsets that brokers acknowledged, from the ledgers of producers.

    Raises:
        DataError: a ledger is not there, or a line of it does not read.
    """
    return joined(_of_ledger(path) for path in files)


def _of_ledger(path: Path) -> dict[Place, Ranges]:
    try:
        found = ledger.read(path)
    except OSError as error:
        raise DataError(
            f"the ledger {path} does not read: {error.strerror or error}. Name the file that python -m datasets produce --ledger "
            "wrote"
        ) from None
    return {
        Place(*key): Ranges.of((first, last + 1) for first, last in ranges) for key, ranges in found.items()
    }
