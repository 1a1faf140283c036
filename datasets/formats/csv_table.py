"""Read a file of interactions in two steps: one task cuts it into blocks of records, many tasks read the blocks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema

from datasets.formats.blocks import BLOCK, after, blocks, header
from datasets.formats.csv_values import Meaning, first_reason, read_all
from datasets.formats.dialect import EMPTY, RETURN, WHITE, Dialect, Grammar
from datasets.formats.text_files import KEPT, chunks, compression, shown
from datasets.source import RECORDS

_TASK_BYTES = 1 << 24
_EXPANDED = 8  # times that a compressed file usually grows
_BLOCK = T.StructType([T.StructField("line", T.LongType()), T.StructField("text", T.BinaryType())])


class Places(NamedTuple):
    """Positions of the columns, from 0; None for a column that the file does not have."""

    user: int
    item: int
    rating: int | None = None
    at: int | None = None


@dataclass(frozen=True)
class Table:
    """A file of interactions with everything that is needed to read it.

    Attributes:
        path: the file.
        encoding: encoding of its text, by Python's name.
        dialect: notation of its records.
        header: whether its first record contains the columns' names.
        width: number of fields of a record.
        places: positions of the columns.
        meaning: notation of the fields.
    """

    path: Path
    encoding: str
    dialect: Dialect
    header: bool
    width: int
    places: Places
    meaning: Meaning

    @property
    def wanted(self) -> list[int]:
        """Positions of the columns that are read, in their order in the file."""
        return sorted(place for place in self.places if place is not None)

    @property
    def grammar(self) -> Grammar:
        """Grammar of this table's records; a row inside a quotation is recognised by its numeric fields."""
        timed = self.meaning.at_format != "iso" and self.places.at is not None
        numeric = [self.places.rating, self.places.at if timed else None]
        return Grammar(
            self.dialect, self.width, self.wanted, [place for place in numeric if place is not None]
        )


def read_table(spark: SparkSession, table: Table) -> DataFrame:
    """Read every record of a file; rejected ones have a reason (schema RECORDS)."""
    cut = spark.range(1, numPartitions=1).mapInArrow(partial(_cut, table), _BLOCK)
    size = table.path.stat().st_size * (_EXPANDED if compression(table.path) else 1)
    parts = size // _TASK_BYTES + 1
    if parts > 1:
        cut = cut.repartition(parts, "line")
    return cut.mapInArrow(partial(_read, table), RECORDS)


def _cut(table: Table, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for _ in batches:
        for line, text in cut(table):
            yield pa.RecordBatch.from_pydict({"line": [line], "text": [text]}, schema=to_arrow_schema(_BLOCK))


def cut(table: Table, size: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Cut a file into blocks of records of about `size` characters.

    Yields:
        The number of a block's first line, and its text in UTF-8; bytes that do not decode are kept (`text_files.KEPT`).
    """
    text = chunks(table.path, table.encoding)
    first = 1
    if table.header:
        names = header(chunks(table.path, table.encoding), table.dialect)
        text, first = after(text, names.length), names.next_line
    for block in blocks(text, table.grammar, first, size or BLOCK):
        yield block.line, block.text.encode("utf-8", "surrogatepass")


def _read(table: Table, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    grammar = table.grammar
    for batch in batches:
        for row in batch.to_pylist():
            yield read_block(table, grammar, row["line"], row["text"])


class _Split(NamedTuple):
    """Records of a block: first line, number of lines, text, reason if broken, and the wanted fields in their order."""

    line: pa.Array
    lines: pa.Array
    text: pa.Array
    reason: pa.Array
    fields: Sequence[pa.Array]


def read_block(table: Table, grammar: Grammar, line: int, block: bytes) -> pa.RecordBatch:
    """Read the records of a block that begins with line `line` (schema RECORDS)."""
    split = split_lines(table, line, block) or split_records(table, grammar, line, block)
    by_place = dict(zip(table.wanted, split.fields, strict=True))
    columns = [None if place is None else by_place[place] for place in table.places]
    size = len(split.line)
    values, unread = read_all(columns, size, table.meaning)
    reason = first_reason(split.reason, unread)
    good = pc.is_null(reason)
    values = [pc.if_else(good, value, pa.scalar(None, value.type)) for value in values]
    file = pa.repeat(pa.scalar(table.path.name), size)
    arrays = [*values, pa.nulls(size, pa.string()), file, split.line, split.lines, split.text, reason]
    return pa.RecordBatch.from_arrays(arrays, schema=to_arrow_schema(RECORDS))


def split_lines(table: Table, line: int, block: bytes) -> _Split | None:
    """Split a block in which every line is a record or broken; None if the block may have other records.

    The result is that of `split_records`, many times as fast.
    """
    dialect, width = table.dialect, table.width
    if any(mark.encode() in block for mark in (dialect.quote, dialect.escape) if mark is not None):
        return None
    try:
        whole = pa.array([block], pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:  # it holds what does not decode
        return None
    text = pc.split_pattern(whole, dialect.line_end).values
    if block.endswith(dialect.line_end.encode()):
        text = text.slice(0, len(text) - 1)
    returns = dialect.line_end == "\n" and b"\r" in block
    if returns:
        text = pc.utf8_rtrim(text, characters="\r")
    parts = pc.split_pattern(text, dialect.separator)
    count = pc.list_value_length(parts)
    torn = pc.match_substring(text, "\r") if returns else pa.repeat(pa.scalar(False), len(text))
    good = pc.and_(pc.equal(count, width), pc.invert(torn))
    reason = pc.binary_join_element_wise(
        "has", count.cast(pa.string()), f"fields where {width} are expected", " "
    )
    blank = pc.equal(pc.utf8_trim(text, characters=WHITE), "")
    reason = pc.if_else(blank, EMPTY, pc.if_else(torn, RETURN, reason))
    fields = _elements(parts, good, table.wanted)
    return _Split(
        pa.array(range(line, line + len(text)), pa.int64()),
        pa.repeat(pa.scalar(1, pa.int32()), len(text)),
        text,
        pc.if_else(good, pa.scalar(None, pa.string()), reason),
        fields,
    )


def _elements(parts: pa.Array, good: pa.Array, places: Sequence[int]) -> list[pa.Array]:
    """Pick elements of lists; null where a list is not good."""
    if pc.all(good).as_py():
        return [pc.list_element(parts, place) for place in places]
    kept = parts.filter(good)
    rank = pc.subtract(pc.cumulative_sum(good.cast(pa.int64())), 1)
    index = pc.if_else(good, rank, pa.scalar(None, pa.int64()))
    return [pc.list_element(kept, place).take(index) for place in places]


def split_records(table: Table, grammar: Grammar, line: int, block: bytes) -> _Split:
    """Split a block by the rule for records."""
    dialect, mark = table.dialect, table.dialect.line_end
    text = block.decode("utf-8", "surrogatepass")
    none = (None,) * len(table.wanted)
    texts: list[str] = []
    reasons: list[str | None] = []
    lines: list[int] = []
    fields: list[list[str | None]] = [[] for _ in none]
    for part in grammar.parts(text):
        if isinstance(part, list):
            columns: Sequence[Sequence[str | None]]
            record, *columns = zip(*part, strict=True)
            texts += record
            reasons += [None] * len(part)
            lines += [1] * len(part)
        else:
            piece = text[part.begin : part.end]
            texts.append(dialect.bare(piece))
            reasons.append(None if part.fields is not None else dialect.why(texts[-1], table.width))
            lines.append(piece.count(mark) + (not piece.endswith(mark)))
            columns = [[field] for field in part.fields or none]
        for column, more in zip(fields, columns, strict=True):
            column.extend(more)
    if KEPT.search(text):
        _reject_damaged(table.encoding, texts, reasons, fields)
    count = pa.array(lines, pa.int32())
    before = pc.subtract(pc.cumulative_sum(count.cast(pa.int64())), count)
    values = [unquoted(pa.array(column, pa.string()), dialect) for column in fields]
    return _Split(pc.add(before, line), count, pa.array(texts), pa.array(reasons, pa.string()), values)


def _reject_damaged(
    encoding: str, texts: list[str], reasons: list[str | None], fields: list[list[str | None]]
) -> None:
    """Give each record that does not decode a reason, and a text that can be stored."""
    for n, text in enumerate(texts):
        if KEPT.search(text):
            texts[n], reasons[n] = shown(text), f"is not {encoding}"
            for column in fields:
                column[n] = None


def unquoted(fields: pa.Array, dialect: Dialect) -> pa.Array:
    """Return the values of a column's fields, as `Dialect.value` does for one field."""
    if dialect.quote is None and dialect.escape is None:
        return fields
    if dialect.escape is not None and pc.any(pc.match_substring(fields, dialect.escape)).as_py():
        texts = [None if field is None else dialect.value(field) for field in fields.to_pylist()]
        return pa.array(texts, pa.string())
    if dialect.quote is None:
        return fields
    trimmed = pc.utf8_trim(fields, characters=dialect.blanks) if dialect.blanks else fields
    inner = pc.utf8_slice_codeunits(trimmed, 1, -1)
    inner = pc.replace_substring(inner, dialect.quote * 2, dialect.quote)
    return pc.if_else(pc.starts_with(trimmed, dialect.quote), inner, fields)
