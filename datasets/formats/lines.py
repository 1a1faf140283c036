"""Read text files line by line in the JVM and keep every line: parsed, or rejected with a reason."""

from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from core.errors import DataError
from datasets.formats.spark_paths import literal
from datasets.source import REJECTED

UTF8 = "UTF-8"
LATIN1 = "ISO-8859-1"

_OTHER_THAN_ASCII = r"[^\x00-\x7F]"
_LATIN1_CONTROLS = r"[\x80-\x9F]"


class Field(NamedTuple):
    """One field of a line: its name, the regular expression that it matches whole, and that in words."""

    name: str
    pattern: str
    meaning: str


class Layout(NamedTuple):
    """Layout of a publisher's table: one row a line, `separator` between fields."""

    file: str
    separator: str
    fields: tuple[Field, ...]
    encoding: str = UTF8
    header: str | None = None

    @property
    def pattern(self) -> str:
        """The regular expression of a whole line, one group a field."""
        separator = _literal(self.separator)
        return r"(?s)\A" + separator.join(f"({field.pattern})" for field in self.fields) + r"\z"


def need(folder: Path, *files: str) -> None:
    """Check that all of the publisher's files are there.

    Raises:
        DataError: with the missing file and the next step.
    """
    for file in files:
        if not (folder / file).is_file():
            raise DataError(
                f"{folder} has no file {file}: unpack the publisher's archive again, or move the folder away and fetch "
                "the data set (`python -m datasets fetch NAME`)"
            )


def check_header(path: Path, layout: Layout) -> None:
    """Check that a file begins with the header of its layout.

    Raises:
        DataError: with the file, the expected header and the one found.
    """
    if layout.header is None:
        return
    with path.open("rb") as file:
        first = file.readline(4096)
    found = first.decode(UTF8, errors="replace").removeprefix("\ufeff").rstrip("\r\n")
    if found != layout.header:
        raise DataError(
            f"{path}: expected the header {layout.header!r}, found {found[:200]!r}; unpack the publisher's archive again"
        )


def read_lines(spark: SparkSession, path: Path, layout: Layout) -> DataFrame:
    """Read a file as (value string): its lines as they are, without the header."""
    check_header(path, layout)
    lines = spark.read.text(literal(path), lineSep="\n")
    if layout.header is None:
        return lines
    first = F.monotonically_increasing_id() == 0  # Spark lists a file's splits in order
    return lines.where(~(first & (F.regexp_replace("value", r"^\uFEFF|\r$", "") == layout.header)))


def decoded(lines: DataFrame, layout: Layout) -> DataFrame:
    """Decode lines: (text string, problem string), problem null where the line is in the layout's encoding.

    A line that does not decode is shown byte by byte as Latin-1, so that nothing of it is lost.
    """
    octets = F.col("value").cast("binary")
    other = F.col("value").rlike(_OTHER_THAN_ASCII)
    as_utf8 = F.encode(F.decode(octets, UTF8), UTF8) == octets
    if layout.encoding == UTF8:
        broken = other & ~as_utf8
        problem = F.when(broken, "is not UTF-8 (shown as Latin-1)")
        text = F.when(broken, F.decode(octets, LATIN1)).otherwise(F.col("value"))
    else:
        text = F.decode(octets, LATIN1)
        controls = F.when(text.rlike(_LATIN1_CONTROLS), "holds bytes 0x80-0x9F, which are no Latin-1 text")
        problem = F.when(
            other, F.when(as_utf8, "is UTF-8 where the publisher writes Latin-1").otherwise(controls)
        )
    return lines.select(F.regexp_replace(text, r"\r$", "").alias("text"), problem.alias("problem"))


def split_lines(spark: SparkSession, path: Path, layout: Layout) -> tuple[DataFrame, DataFrame]:
    """Parse a table whose fields are plain ASCII: (frame of its fields as strings, rejected lines).

    A good line costs one regular expression and one split, since these tables have millions of lines.
    """
    lines = read_lines(spark, path, layout)
    matches = F.col("value").rlike(layout.pattern.removesuffix(r"\z") + r"\r?\z")
    parts = F.split(F.expr(r"rtrim('\r', value)"), _literal(layout.separator))
    good = lines.where(matches).select(parts.alias("parts"))
    columns = [F.col("parts")[n].alias(field.name) for n, field in enumerate(layout.fields)]
    return good.select(*columns), _rejected(decoded(lines.where(~matches), layout), path, layout)


def match_lines(spark: SparkSession, path: Path, layout: Layout) -> tuple[DataFrame, DataFrame]:
    """Parse a table whose fields may hold what their patterns allow: (fields as strings and `line`, rejected)."""
    lines = decoded(read_lines(spark, path, layout), layout)
    matches = F.col("text").rlike(layout.pattern) & F.col("problem").isNull()
    columns = [
        F.regexp_extract("text", layout.pattern, n + 1).alias(field.name)
        for n, field in enumerate(layout.fields)
    ]
    good = lines.where(matches).select(F.col("text").alias("line"), *columns)
    return good, _rejected(lines.where(~matches), path, layout)


def reject(frame: DataFrame, path: Path, reason: str) -> DataFrame:
    """Return rows that `match_lines` parsed as rejected lines of their file."""
    return frame.select(
        F.lit(path.name).alias("file"), F.col("line").alias("text"), F.lit(reason).alias("reason")
    )


def unquoted(column: str) -> Column:
    """Return the value of a CSV field: without the quotes around it, doubled quotes as single ones."""
    quoted = F.col(column).rlike(r'(?s)\A".*"\z')
    inner = F.regexp_replace(F.col(column), r'\A"|"\z', "")
    return F.when(quoted, F.replace(inner, F.lit('""'), F.lit('"'))).otherwise(F.col(column))


def rejected(spark: SparkSession, *frames: DataFrame) -> DataFrame:
    """Return all rejected lines of a data set, in the schema REJECTED."""
    none = spark.sql("SELECT '' AS file, 0L AS line, '' AS text, '' AS reason WHERE false")  # costs no task
    return shaped(
        reduce(DataFrame.unionByName, (shaped(frame, REJECTED) for frame in frames), none), REJECTED
    )


def shaped(frame: DataFrame, schema: T.StructType) -> DataFrame:
    """Return exactly the columns of `schema`, in its order and with its nullability; columns that are missing are null."""
    # `when` without `otherwise` is how a column that Spark knows to be filled becomes nullable.
    columns = [
        F.when(F.lit(True), F.col(field.name) if field.name in frame.columns else None)
        .cast(field.dataType)
        .alias(field.name)
        for field in schema
    ]
    return frame.select(*columns)


def _rejected(lines: DataFrame, path: Path, layout: Layout) -> DataFrame:
    reason = F.coalesce(F.col("problem"), _reason(layout.separator, layout.fields))
    return lines.select(F.lit(path.name).alias("file"), "text", reason.alias("reason"))


def _reason(separator: str, fields: Sequence[Field]) -> Column:
    parts = F.split("text", _literal(separator), -1)
    found = F.size(parts)
    reason = F.when(F.trim("text") == "", F.lit("is empty")).when(
        found < len(fields), F.format_string(f"has %d fields where {len(fields)} are expected", found)
    )
    for n, field in enumerate(fields):
        wrong = ~parts[n].rlike(rf"(?s)\A(?:{field.pattern})\z")
        reason = reason.when(wrong, F.lit(f"{field.name} is not {field.meaning}"))
    return reason.otherwise(F.format_string(f"has %d fields where {len(fields)} are expected", found))


def _literal(separator: str) -> str:
    return separator.replace("|", r"\|")
