"""Recommendations as files that other programs open: CSV and Parquet, with the keys and titles of the data set."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from core.files import write_whole
from jobs.prepare.stored import Tables

NAME = "recommendations"
"""Of the files, which end in .csv and .parquet."""

SCHEMA = pa.schema(
    [
        ("userId", pa.string()),
        ("recommended_content", pa.string()),
        ("titulo", pa.string()),
        ("predicted_rating", pa.float32()),
    ]
)
"""Columns of both files: keys of user and item, the item's title, the predicted rating."""

_BATCH = 100_000


def deliver(
    recommendations: DataFrame, tables: Tables, scale: tuple[float, float, float] | None, folder: Path
) -> list[Path]:
    """Write recommendations as files, each whole or not at all; at no time are more than some of the rows in memory.

    Args:
        recommendations: (user int, items array<int>, scores array<float>), best first.
        tables: with the keys and titles of users and items.
        scale: lowest and highest rating, within which scores are kept; None for scores that are no ratings.
        folder: where the files go.

    Returns:
        Their paths. Rows are in the order of the users' ids, a user's best first.
    """
    rows = _rows(recommendations, tables, scale)
    folder.mkdir(parents=True, exist_ok=True)
    table, text = (folder / f"{NAME}.{kind}" for kind in ("parquet", "csv"))
    write_whole(table, lambda path: _write_parquet(rows, path))
    write_whole(text, lambda path: _write_csv(table, path))
    return [text, table]


def _rows(recommendations: DataFrame, tables: Tables, scale: tuple[float, float, float] | None) -> DataFrame:
    each = recommendations.select("user", F.posexplode(F.arrays_zip("items", "scores")).alias("rank", "one"))
    score = (
        F.col("score") if scale is None else F.least(F.greatest("score", F.lit(scale[0])), F.lit(scale[1]))
    )
    ranked = each.select("user", "rank", F.col("one.items").alias("item"), F.col("one.scores").alias("score"))
    return (
        ranked.join(tables.users.select("user", F.col("key").alias("userId")), "user")
        .join(
            tables.items.select(
                "item", F.col("key").alias("recommended_content"), F.col("title").alias("titulo")
            ),
            "item",
        )
        .orderBy("user", "rank")
        .select(
            "userId",
            "recommended_content",
            "titulo",
            F.round(score, 3).cast("float").alias("predicted_rating"),
        )
    )


def _write_parquet(rows: DataFrame, path: Path) -> None:
    with pq.ParquetWriter(path, SCHEMA) as writer:
        for batch in _batches(rows):
            writer.write_batch(batch)


def _batches(rows: DataFrame) -> Iterator[pa.RecordBatch]:
    """Yield rows partition by partition, in their order."""
    held: list[dict[str, object]] = []
    for row in rows.toLocalIterator():
        held.append(row.asDict())
        if len(held) == _BATCH:
            yield pa.RecordBatch.from_pylist(held, SCHEMA)
            held = []
    if held:
        yield pa.RecordBatch.from_pylist(held, SCHEMA)


def _write_csv(table: Path, path: Path) -> None:
    with pq.ParquetFile(table) as file, pc.CSVWriter(path, SCHEMA) as writer:
        for batch in file.iter_batches():
            writer.write_batch(batch)
