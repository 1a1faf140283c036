"""Interface of a source: a data set that can be fetched and read, with its terms."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

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
        T.StructField("text", T.StringType()),  # the line as it stands in the file
        T.StructField("reason", T.StringType()),
    ]
)
"""One line that could not be read, and why."""


class Raw(NamedTuple):
    """Frames that a source gives, of the schemas RAW, ITEMS and REJECTED; a source may lack ratings or items."""

    ratings: DataFrame | None
    items: DataFrame | None
    rejected: DataFrame


@dataclass(frozen=True)
class Variant:
    """One size or edition of a source.

    `scale` is (lowest, highest, step) of its ratings, or None where they are not ratings; `folder` is the
    publisher's name for the unpacked folder; `rows` is the publisher's count of ratings, None if it changes. Where the
    publisher has no such folder, or others' files lie there too, `files` are patterns of the names that it must hold.
    `page` is where a person gets a set that has no `url`, because downloading it takes an account. Without `has_ratings`
    it holds items only.
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
        """Return the folder or file that holds the variant, downloading into `cache` unless `data` holds it.

        Raises:
            DataError: it is in neither place and cannot be downloaded whole.
        """

    def read(self, spark: SparkSession, variant: str, options: Any, path: Path) -> Raw:
        """Read what `fetch` returned. Lines that cannot be read go to `rejected`; no line is dropped."""

    def sample(self, variant: str, folder: Path) -> Path:
        """Write a few invented rows in the publisher's layout under `folder`; return what `fetch` would return."""
