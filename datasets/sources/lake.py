"""The lake that streams fill: ratings that follow from people's and titles' attributes, or ratings as they were sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from core.errors import UsageError
from datasets.formats import delta
from datasets.formats.lines import rejected, shaped
from datasets.formats.spark_paths import local
from datasets.publishers.lake import sample as lake_sample
from datasets.publishers.lake.affinity import HIGH, LOW, STEP, rated
from datasets.publishers.lake.delta_log import live
from datasets.publishers.lake.pins import Pins, load, pin
from datasets.source import ITEMS, RAW, Raw, Variant

_TABLES = {"affinity": ("users", "movies", "series"), "ratings": ("ratings",)}
_FOLDER = "lake"


@dataclass(frozen=True)
class Options:
    """Reading options.

    Attributes:
        path: folder of the lake, by default that of the run folder; or a file that names versions, as `fetch` makes one.
        versions: of tables, as "users@3,movies@2"; of every other table the newest.
        candidates: titles that are rated for each user, at most (affinity).
        seed: by which they are drawn (affinity).
    """

    path: str | None = None
    versions: tuple[str, ...] = ()
    candidates: int = 200
    seed: int = 1

    def __post_init__(self) -> None:
        """Refuse a number of candidates below 1."""
        if self.candidates < 1:
            raise UsageError(f"candidates must be at least 1, got {self.candidates}")


class Lake:
    """Delta tables, read in the versions that `fetch` pinned."""

    variants: Mapping[str, Variant] = {
        "affinity": Variant(
            "invented users and titles of the lake, rated by how well they fit",
            _FOLDER,
            scale=(LOW, HIGH, STEP),
        ),
        "ratings": Variant("ratings of the lake as they were sent", _FOLDER, of_events=True),
    }
    options = Options
    citation = "That of the data set whose messages were sent; invented users and titles need none."
    licence = "That of the data set whose messages were sent; invented users and titles need none."
    jars = delta.JARS
    spark_settings: Mapping[str, str] = {"spark.sql.extensions": delta.EXTENSION, **delta.SETTINGS}

    def fetch(self, variant: str, options: Options, data: Path | None, cache: Path) -> Path:  # noqa: ARG002 - protocol
        """Return a file that names the versions of the tables: the newest now, unless the options name others."""
        folder = Path(options.path).expanduser() if options.path else cache.parent / _FOLDER
        if folder.is_file():
            return folder
        return pin(folder.resolve(), _TABLES[variant], options.versions).save(cache / _FOLDER)

    def check(self, variant: str, options: Options, path: Path) -> Sequence[str]:  # noqa: ARG002 - protocol
        """Check that the files of the pinned versions are there."""
        _pinned(variant, path).check()
        return ()

    def versions(self, path: Path) -> Mapping[str, int]:
        """Return the version of each table that a file of `fetch` names."""
        return load(path).versions

    def rows(self, variant: str, options: Options, path: Path) -> int:
        """Return about how many ratings the pinned versions give."""
        pins = _pinned(variant, path)
        held = [_rows(pins, name) for name in _TABLES[variant]]
        return held[0] if variant == "ratings" else held[0] * min(options.candidates, sum(held[1:]))

    def read(self, spark: SparkSession, variant: str, options: Options, path: Path) -> Raw:
        """Read the pinned versions; users and titles that say nothing are rejected."""
        pins = _pinned(variant, path)
        tables = [_table(spark, pins, name) for name in _TABLES[variant]]
        if variant == "ratings":
            (sent,) = tables
            return Raw(
                shaped(sent.drop("at").withColumnRenamed("rated_at", "at"), RAW), None, rejected(spark)
            )
        users, movies, series = tables
        found = rated(users, movies, series, options.candidates, options.seed)
        return Raw(shaped(found.ratings, RAW), shaped(found.items, ITEMS), rejected(spark, found.rejected))

    def sample(self, variant: str, folder: Path) -> Path:
        """Write small tables, and pin them."""
        tables = _TABLES[variant]
        lake_sample.write(folder / _FOLDER, tables)
        return pin(folder / _FOLDER, tables).save(folder)


def _pinned(variant: str, path: Path) -> Pins:
    pins = load(path)
    if missing := set(_TABLES[variant]) - set(pins.versions):
        raise UsageError(
            f"{path} names no version of {', '.join(sorted(missing))}, which lake/{variant} needs: set data.path= to the folder "
            "of the lake"
        )
    return pins


def _rows(pins: Pins, name: str) -> int:
    return sum(file.rows or 0 for file in live(pins.table(name), pins.versions[name]).values())


def _table(spark: SparkSession, pins: Pins, name: str) -> DataFrame:
    reader = spark.read.format("delta").option("versionAsOf", pins.versions[name])
    return reader.load(local(pins.table(name)))


SOURCE = Lake()
