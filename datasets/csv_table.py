"""Reads a file of interactions with Spark's CSV reader, and says of each row that it cannot use why."""

from pathlib import Path
from typing import NamedTuple, Protocol

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from datasets.csv_file import java_name
from datasets.lines import shaped
from datasets.source import RAW, REJECTED

_NUMBER = r"^[+-]?(?:\d{1,15}(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,2})?$"
_WHOLE = {"s": r"^-?\d{1,11}(?:\.\d+)?$", "ms": r"^-?\d{1,14}$"}
_DAY = r"^\d{4}-\d{2}-\d{2}$"
_TIME = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?$"
_ZONED = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:[zZ]|[+-]\d{2}:?\d{2})$"
_CORRUPT = "corrupt"


class Columns(NamedTuple):
    """Where the columns stand, from 0; None where the file has none."""

    user: int
    item: int
    rating: int | None
    at: int | None


class Writing(Protocol):
    """How the file is written; see the options of the source."""

    @property
    def at_format(self) -> str: ...
    @property
    def mark(self) -> str: ...
    @property
    def header(self) -> bool: ...
    @property
    def encoding(self) -> str: ...
    @property
    def multiline(self) -> bool: ...


def read_table(
    spark: SparkSession, path: Path, writing: Writing, places: Columns, width: int
) -> tuple[DataFrame, DataFrame]:
    """Read the file, whose records have `width` fields: (frame of the schema RAW, rejected records)."""
    names = [f"c{n}" for n in range(width)]
    schema = T.StructType([T.StructField(name, T.StringType()) for name in [*names, _CORRUPT]])
    reader = spark.read.schema(schema).options(
        sep=writing.mark,
        header=writing.header,
        encoding=java_name(writing.encoding),
        multiLine=writing.multiline,
        quote='"',
        escape='"',
        mode="PERMISSIVE",
        columnNameOfCorruptRecord=_CORRUPT,
        columnPruning=False,  # with it, what counts as malformed depends on the columns that a query asks for
        enforceSchema=True,
        maxCharsPerColumn=-1,
    )
    fields = reader.csv(str(path))
    line = F.coalesce(F.col(_CORRUPT), F.to_csv(F.struct(*names), {"sep": writing.mark}))
    picked = fields.select(
        line.alias("text"),
        F.when(F.col(_CORRUPT).isNotNull(), f"has other than {width} fields").alias("broken"),
        _key(places.user).alias("user"),
        _key(places.item).alias("item"),
        _text(places.rating).alias("rating"),
        _text(places.at).alias("at"),
    )
    judged = picked.withColumn("reason", _reason(places, writing.at_format))
    good = judged.where("reason IS NULL").select(
        "user", "item", F.col("rating").cast("float").alias("rating"), _time(writing.at_format).alias("at")
    )
    bad = judged.where("reason IS NOT NULL").select(F.lit(path.name).alias("file"), "text", "reason")
    return shaped(good.withColumn("fold", F.lit(None).cast("string")), RAW), shaped(bad, REJECTED)


def _text(place: int | None) -> Column:
    return F.lit(None).cast("string") if place is None else F.trim(F.col(f"c{place}"))


def _key(place: int) -> Column:
    return F.regexp_replace(_text(place), "^\ufeff", "")


def _reason(places: Columns, at_format: str) -> Column:
    reason = F.col("broken")
    for key in ("user", "item"):
        reason = F.coalesce(reason, F.when(F.coalesce(F.col(key), F.lit("")) == "", f"{key} is empty"))
    if places.rating is not None:
        number = F.coalesce(F.col("rating").rlike(_NUMBER), F.lit(False))
        reason = F.coalesce(reason, F.when(~number, "rating is not a number"))
    if places.at is not None:
        given = F.coalesce(F.col("at"), F.lit("")) != ""
        what = "an ISO 8601 time" if at_format == "iso" else f"a time in {at_format} since 1970"
        reason = F.coalesce(reason, F.when(given & _time(at_format).isNull(), f"at is not {what}"))
    return reason


def _time(at_format: str) -> Column:
    at = F.col("at")
    if at_format != "iso":
        unit = 1_000_000 if at_format == "s" else 1_000
        micros = at.cast("decimal(38,6)") * unit
        return F.when(at.rlike(_WHOLE[at_format]), F.timestamp_micros(micros.cast("long")))
    zoned = F.when(at.rlike(_DAY), F.concat(at, F.lit("T00:00:00Z")))
    zoned = zoned.when(at.rlike(_TIME), F.concat(at, F.lit("Z"))).when(at.rlike(_ZONED), at)
    return F.try_to_timestamp(zoned)
