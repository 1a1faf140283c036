"""Reads CSV files whose quoted fields may hold line ends, and loses no line to a wrong quote.

Spark's reader takes a quote that is never closed for a field that goes on, and silently swallows the lines after it.
Here a record is strict: a field is either free of quotes, or quoted whole with the quotes inside doubled. What is not
costs its first line only, which is rejected; reading goes on with the next line.

A file is read by one task, since only reading from the start tells whether a line end stands in quotes; what is then
made of the records is shared out.
"""

import csv
import re
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema

from datasets.errors import DataError
from datasets.lines import shaped
from datasets.options import nearest
from datasets.source import REJECTED

Convert = Callable[[Mapping[str, str]], Mapping[str, Any]]
"""Makes a row of a record's fields by name; a ValueError says why the record cannot be read."""

_FIELD = r'(?:"[^"]*(?:""[^"]*)*"|[^",]*)'
_STRICT = re.compile(rf"{_FIELD}(?:,{_FIELD})*\r?\n?")
_UNDECODED = re.compile("[\udc80-\udcff]")
_QUOTES = "its quotes do not match"
_RETURN = "holds a carriage return outside of quotes"
_LONGEST_FIELD = 1 << 24
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


class _Lines:
    """Lines of which the last ones taken can be given back."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._again: deque[str] = deque()
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.taken.append(line)
        return line

    def give_back(self) -> None:
        """Give back all lines taken but the first."""
        self._again.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]


def split_records(lines: Iterable[str], width: int) -> Iterator[Record]:
    """Split a file's lines (with their ends, undecodable bytes as surrogates) into records of `width` fields."""
    source, number = _Lines(lines), 1
    csv.field_size_limit(_LONGEST_FIELD)
    while True:
        source.taken.clear()
        try:
            fields = next(csv.reader(source, strict=True))
            reason = _reason(fields, "".join(source.taken), width)
        except StopIteration:
            return
        except csv.Error:
            reason = _QUOTES if '"' in "".join(source.taken) else _RETURN
        if reason is not None:
            source.give_back()
        text = re.sub(r"\r?\n\Z", "", "".join(source.taken))
        if _UNDECODED.search(text):
            text = text.encode("utf-8", "surrogateescape").decode("latin-1")
        yield Record(number, text, reason)
        number += len(source.taken)


def _reason(fields: Sequence[str], text: str, width: int) -> str | None:
    if _UNDECODED.search(text):
        return "is not UTF-8 (shown as Latin-1)"
    if not text.strip():
        return "is empty"
    if '"' in text and not _STRICT.fullmatch(text):
        return _QUOTES
    if len(fields) != width:
        return f"has {len(fields)} fields where {width} are expected"
    return None


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
    header = _header(path, needed)
    records = spark.range(1, numPartitions=1).mapInArrow(partial(_records, str(path), len(header)), _RECORD)
    parts = path.stat().st_size // _TASK_BYTES + 1
    if parts > 1:
        records = records.repartition(parts, "line")
    full = T.StructType([*_RECORD.fields, *schema.fields])
    return records.mapInArrow(partial(_converted, header, convert, full), full)


def once(records: DataFrame, column: str) -> DataFrame:
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


def among(records: DataFrame, known: DataFrame, column: str, reason: str) -> DataFrame:
    """Give every record a reason whose value of `column` is not among those of `known`."""
    values = known.select(column).distinct().withColumn("known", F.lit(True))
    joined = records.join(values, column, "left")
    stray = F.when(F.col("known").isNull(), reason)
    return joined.withColumn("reason", F.coalesce("reason", stray)).drop("known")


def readable(records: DataFrame) -> DataFrame:
    """The records that have no reason to be rejected."""
    return records.where("reason IS NULL").drop("reason")


def refused(records: DataFrame, path: Path) -> DataFrame:
    """The records of the file `path` that have one, in the schema REJECTED."""
    bad = records.where("reason IS NOT NULL")
    return shaped(
        bad.select(F.lit(path.name).alias("file"), F.col("record").alias("text"), "reason"), REJECTED
    )


def _header(path: Path, needed: Sequence[str]) -> list[str]:
    if not path.is_file():
        raise DataError(f"no file {path}; put the publisher's file there")
    with path.open("rb") as file:
        first = file.readline(1 << 16).decode("utf-8", errors="replace").removeprefix("\ufeff")
    found = [name.strip() for name in next(csv.reader([first]), [])]
    for name in needed:
        if name not in found:
            raise DataError(f"{path}: its first line names no column {name!r}; {nearest(name, found)}")
    return found


def _records(path: str, width: int, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    schema = to_arrow_schema(_RECORD)
    for _ in batches:
        with Path(path).open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:
            waiting: list[Record] = []
            held = 0
            records = split_records(file, width)
            next(records)  # the header
            for record in records:
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
    csv.field_size_limit(_LONGEST_FIELD)
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
