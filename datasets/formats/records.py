"""Reader of CSV files whose quoted fields may hold line ends; a wrong quote loses no line.

A field is either free of quotes, or quoted whole with the quotes inside doubled. Of a record that is written in another
way the first line is rejected, and reading continues with the next line.

One task reads a file, since only reading from the start tells whether a line end stands in quotes. The records are then
converted by many tasks.
"""

import csv
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema

from core.errors import DataError
from core.options import nearest
from datasets.formats.blocks import after, blocks, header
from datasets.formats.dialect import LONGEST, Dialect, Grammar
from datasets.formats.lines import shaped
from datasets.formats.text_files import KEPT, chunks
from datasets.source import REJECTED

Convert = Callable[[Mapping[str, str]], Mapping[str, Any]]
"""Makes a row of a record's fields by name; a ValueError says why the record cannot be read."""

_STRICT = Dialect(strict=True)
_ENCODING = "utf-8"
_TASK_BYTES = 1 << 24
_BATCH_CHARACTERS = 1 << 22

_RECORD = T.StructType(
    [
        T.StructField("line", T.LongType()),
        T.StructField("record", T.StringType()),
        T.StructField("reason", T.StringType()),
    ]
)


class Record(NamedTuple):
    """One record: the number of its first line, its text without the line end, why it cannot be read (or None)."""

    line: int
    text: str
    reason: str | None


def split_records(text: Iterable[str], width: int, line: int = 1) -> Iterator[Record]:
    """Split a text that comes in pieces (undecodable bytes as surrogates) into records of `width` fields."""
    grammar = Grammar(_STRICT, width)
    for block in blocks(text, grammar, line):
        line = block.line
        for record, good in grammar.records(block.text):
            if KEPT.search(record):
                shown = record.encode("utf-8", "surrogateescape").decode("latin-1")
                yield Record(line, shown, "is not UTF-8 (shown as Latin-1)")
            else:
                yield Record(line, record, None if good else _STRICT.why(record, width))
            line += 1 + record.count("\n")


def read_records(
    spark: SparkSession, path: Path, needed: Sequence[str], convert: Convert, schema: T.StructType
) -> DataFrame:
    """Read a UTF-8 file that begins with a header.

    Args:
        spark: the session.
        path: the file.
        needed: columns that the header must name, in any order and among others.
        convert: a module's function or a `partial` of one; it runs on the executors.
        schema: of what `convert` returns.

    Returns:
        One row a record, read or not: `line` long (of its beginning), `record` string (its text), `reason` string (why
        it cannot be read, else null) and the columns of `schema`.

    Raises:
        DataError: there is no such file, or its header lacks a column.
    """
    header = check_columns(path, needed)
    records = spark.range(1, numPartitions=1).mapInArrow(partial(_records, str(path), len(header)), _RECORD)
    parts = path.stat().st_size // _TASK_BYTES + 1
    if parts > 1:
        records = records.repartition(parts, "line")
    full = T.StructType([*_RECORD.fields, *schema.fields])
    return records.mapInArrow(partial(_converted, header, convert, full), full)


def reject_repeats(records: DataFrame, column: str) -> DataFrame:
    """Give every record a reason that is not the first in the file with its value of `column`.

    A record that repeats the first one to the letter says nothing new: it is left out, and not counted as rejected.
    """
    value = F.coalesce(F.col(column), F.concat(F.lit("\0"), F.col("line").cast("string")))
    first = Window.partitionBy(value).orderBy("line")
    ranked = records.withColumns(
        {"n": F.row_number().over(first), "same": F.col("record") == F.first("record").over(first)}
    )
    later = F.when(F.col("n") > 1, f"{column} is listed twice")
    different = ranked.where("n = 1 OR NOT same").withColumn("reason", F.coalesce("reason", later))
    return different.drop("n", "same")


def reject_unknown(records: DataFrame, known: DataFrame, column: str, reason: str) -> DataFrame:
    """Give every record a reason whose value of `column` is not among those of `known`."""
    values = known.select(column).distinct().withColumn("known", F.lit(True))
    joined = records.join(values, column, "left")
    stray = F.when(F.col("known").isNull(), reason)
    return joined.withColumn("reason", F.coalesce("reason", stray)).drop("known")


def accepted(records: DataFrame) -> DataFrame:
    """The records that have no reason to be rejected."""
    return records.where("reason IS NULL").drop("reason")


def rejected_of(records: DataFrame, path: Path) -> DataFrame:
    """The records of the file `path` that have one, in the schema REJECTED."""
    bad = records.where("reason IS NOT NULL")
    return shaped(
        bad.select(F.lit(path.name).alias("file"), "line", F.col("record").alias("text"), "reason"), REJECTED
    )


def check_columns(path: Path, needed: Sequence[str]) -> list[str]:
    """Return the columns of a file, which must be among them in its first line.

    Raises:
        DataError: there is no such file, or its header lacks a column.
    """
    if not path.is_file():
        raise DataError(f"no file {path}; put the publisher's file there")
    try:
        found = header(chunks(path, _ENCODING), _STRICT).fields
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    for name in needed:
        if name not in found:
            raise DataError(f"{path}: its first line names no column {name!r}; {nearest(name, found)}")
    return found


def _records(path: str, width: int, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    schema = to_arrow_schema(_RECORD)
    for _ in batches:
        waiting: list[Record] = []
        held = 0
        first = header(chunks(Path(path), _ENCODING), _STRICT)
        text = after(chunks(Path(path), _ENCODING), first.length)
        for record in split_records(text, width, first.next_line):
            waiting.append(record)
            held += len(record.text)
            if held >= _BATCH_CHARACTERS or len(waiting) >= 10_000:
                yield _batch(waiting, schema)
                waiting, held = [], 0
        yield _batch(waiting, schema)


def _batch(records: Sequence[Record], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*records, strict=True) if records else ((), (), ())
    arrays = [pa.array(values, type=field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _converted(
    header: Sequence[str], convert: Convert, full: T.StructType, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    schema = to_arrow_schema(full)
    csv.field_size_limit(LONGEST)
    for batch in batches:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # backslashes in a publisher's Python literals
            rows = [_row(header, convert, record) for record in batch.to_pylist()]
        yield pa.RecordBatch.from_pylist(rows, schema=schema)


def _row(header: Sequence[str], convert: Convert, record: dict[str, Any]) -> dict[str, Any]:
    if record["reason"] is not None:
        return record
    fields = next(csv.reader([record["record"]], strict=True))
    try:
        return {**record, **convert(dict(zip(header, fields, strict=True)))}
    except ValueError as error:
        return {**record, "reason": str(error)}
