"""Interface of a source: a data set that can be fetched and read, with its licence and citation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

RAW = T.StructType(
    [
        T.StructField("user", T.StringType()),
        T.StructField("item", T.StringType()),
        T.StructField("rating", T.FloatType()),
        T.StructField("at", T.TimestampType()),
        T.StructField(
            "fold", T.StringType()
        ),  # the published fold whose test part holds the row ("u3"), else null
    ]
)
"""One interaction; a null rating means "interacted", a null time means that it is unknown."""

ITEMS = T.StructType(
    [
        T.StructField("item", T.StringType()),
        T.StructField("title", T.StringType()),
        T.StructField("text", T.StringType()),
        T.StructField("year", T.IntegerType()),
        T.StructField("genres", T.ArrayType(T.StringType())),
        T.StructField("people", T.ArrayType(T.StringType())),
        T.StructField("tags", T.MapType(T.StringType(), T.IntegerType())),
        T.StructField("features", T.MapType(T.StringType(), T.FloatType())),
    ]
)
"""One item; a value that the publisher does not give is null."""

REJECTED = T.StructType(
    [
        T.StructField("file", T.StringType()),
        T.StructField(
            "line", T.LongType()
        ),  # number of its first line in the file, from 1, where the source knows it
        T.StructField("text", T.StringType()),  # the line as it stands in the file
        T.StructField("reason", T.StringType()),
    ]
)
"""One line that could not be read, and why."""

RECORDS = T.StructType(
    [
        *RAW.fields,
        T.StructField("file", T.StringType()),
        T.StructField("line", T.LongType()),
        T.StructField("lines", T.IntegerType()),  # how many it takes in the file
        T.StructField("text", T.StringType()),
        T.StructField("reason", T.StringType()),  # why it cannot be read, else null
    ]
)
"""One record of a file: an interaction with the line that says it, or a rejected line, whose keys are null."""


class Raw(NamedTuple):
    """Frames that a source gives, of the schemas RAW, ITEMS and REJECTED; a source may lack ratings or items.

    `records` are ratings and rejected lines in one frame (RECORDS), so that the file is read once and every rating's line is
    known. A source may lack it.
    """

    ratings: DataFrame | None
    items: DataFrame | None
    rejected: DataFrame
    records: DataFrame | None = None


class Example(NamedTuple):
    """The first line that was rejected for a reason, and the number of such rows; `line` is None if it is not known."""

    reason: str
    rows: int
    file: str
    line: int | None
    text: str


@dataclass(frozen=True)
class Variant:
    """One size or edition of a source.

    `scale` is (lowest, highest, step) of its ratings, or None if it has none; `folder` is the publisher's name for the
    unpacked folder; `rows` is the publisher's count of ratings, None if it changes. If the publisher has no such folder, or
    it also contains other sets' files, `files` are patterns of the names that must be there. `page` is the web page of a
    set without `url`, whose download needs an account. Without `has_ratings` the set has items only.
    With `of_events` its ratings are messages, which the tables of events have, too.
    """

    description: str
    folder: str
    rows: int | None = None
    scale: tuple[float, float, float] | None = None
    url: str | None = None
    md5: str | None = None
    files: tuple[str, ...] = ()
    page: str | None = None
    has_ratings: bool = True
    of_events: bool = False


class Source(Protocol):
    """A data set that can be fetched and read. One file in `datasets/sources` binds one to SOURCE."""

    @property
    def variants(self) -> Mapping[str, Variant]:
        """Editions by name; the part of the data set's name after the slash."""

    @property
    def citation(self) -> str:
        """The citation that the publisher asks for."""

    @property
    def licence(self) -> str:
        """The publisher's terms in a sentence."""

    @property
    def options(self) -> type[Any]:
        """A frozen dataclass whose fields are this source's reading options (often none)."""

    def fetch(self, variant: str, options: Any, data: Path | None, cache: Path) -> Path:
        """Return the variant's folder or file in `data`, or else in `cache`, into which it is downloaded if needed.

        Raises:
            DataError: it is in neither place and cannot be downloaded completely.
        """

    def check(self, variant: str, options: Any, path: Path) -> Sequence[str]:
        """Check what `fetch` returned, without Spark and within a second.

        Returns:
            Warnings about how it will be read, a sentence each.

        Raises:
            UsageError: an option does not fit the file.
            DataError: a file is missing or not in its format.
        """

    def read(self, spark: SparkSession, variant: str, options: Any, path: Path) -> Raw:
        """Read what `fetch` returned. Lines that cannot be read go to `rejected`; no line is dropped."""

    def sample(self, variant: str, folder: Path) -> Path:
        """Write a few invented rows in the publisher's layout under `folder`; return what `fetch` would return."""


@runtime_checkable
class Adviser(Protocol):
    """A source whose options describe a file's notation, so that rejected lines may show that another option is needed."""

    def advise(self, variant: str, options: Any, path: Path, rejected: Sequence[Example]) -> Sequence[str]:
        """Guess from rejected lines which option would read them: a sentence each, most often none."""


@runtime_checkable
class Extended(Protocol):
    """A source that Spark reads only with more jars and settings than it has.

    Attributes:
        jars: list of jars in `cluster/jvm/jars`.
        spark_settings: those without which it cannot be read.
    """

    jars: str
    spark_settings: Mapping[str, str]


@runtime_checkable
class Versioned(Protocol):
    """A source whose rows grow: what `fetch` returns names the versions that are read, now and later."""

    def versions(self, path: Path) -> Mapping[str, int]:
        """Return the version of each table."""

    def rows(self, variant: str, options: Any, path: Path) -> int:
        """Return about how many ratings `read` gives, without Spark."""
