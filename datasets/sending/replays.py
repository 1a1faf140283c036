"""Rows of a source in the order in which they happened, kept as Parquet so that later runs need no Spark to read them."""

import hashlib
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from core.errors import DataError, UsageError
from datasets.dataset import Dataset, find
from datasets.producer import Asked
from datasets.session import session
from datasets.source import Raw

logger = logging.getLogger(__name__)

USUAL = "synthetic/ml-latest-small"
"""Data set of producers that were given none: it is generated, so that it is always there."""

_FORMAT = 1
_BATCH = 1024  # a batch is made between two messages, which then are late


@dataclass(frozen=True)
class Replay:
    """Rows of a data set.

    Attributes:
        key: of the data set with its options and files, the same for equal ones.
        folder: of the Parquet files, in order.
    """

    key: str
    folder: Path

    @property
    def count(self) -> int:
        """Number of rows."""
        return sum(pq.ParquetFile(file).metadata.num_rows for file in self._files())

    def rows(self, *names: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows with these columns, in order."""
        for file in self._files():
            for batch in pq.ParquetFile(file).iter_batches(_BATCH, columns=list(names)):
                yield from zip(*(batch.column(name).to_pylist() for name in names), strict=True)

    def table(self, *names: str) -> pa.Table:
        """Return these columns of all rows, texts as numbers of their words."""
        return pq.read_table(self.folder, columns=list(names), read_dictionary=[*names])

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.parquet"))


def interactions(asked: Asked) -> Replay:
    """Return who interacted with what: user, item, rating, at (milliseconds since 1970), in order of (at, user, item).

    A rating is null where the data set has none, a time where it is unknown; such rows come first.

    Raises:
        UsageError: the data set has items only.
        DataError: it cannot be fetched or read.
    """
    dataset = asked.dataset or find(USUAL)
    if not dataset.description.has_ratings:
        raise UsageError(
            f"{dataset.name} has items only and no interactions: name another --dataset (python -m datasets list)"
        )
    return _replay(dataset, asked, "interactions", _in_order)


def items(asked: Asked, dataset: Dataset) -> Replay:
    """Return the items of a data set: item, title, year, genres, people, features, in order of their keys.

    Raises:
        UsageError: the data set describes no items.
        DataError: it cannot be fetched or read.
    """

    def described(raw: Raw) -> DataFrame:
        if raw.items is None:
            raise UsageError(f"{dataset.name} has interactions only and no items: name another --dataset")
        return raw.items.select("item", "title", "year", "genres", "people", "features").orderBy("item")

    return _replay(dataset, asked, "items", described)


def _in_order(raw: Raw) -> DataFrame:
    assert raw.ratings is not None
    rows = raw.ratings.select("user", "item", "rating", F.unix_millis("at").alias("at"))
    return rows.orderBy(F.col("at").asc_nulls_first(), "user", "item", "rating")


def _replay(dataset: Dataset, asked: Asked, kind: str, ordered: Callable[[Raw], DataFrame]) -> Replay:
    path = dataset.fetch(asked.data, asked.cache)
    for note in dataset.check(path):
        logger.warning("datasets: warning: %s", note)
    key = _key(dataset, path, kind)
    folder = asked.cache / "replays" / key
    if folder.exists():
        return Replay(key, folder)
    logger.info("reading %s in order of time; later runs find it in %s", dataset.name, folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(mkdtemp(dir=folder.parent, prefix=f"{key}."))
    try:
        with session() as spark:
            raw = dataset.read(spark, path)
            ordered(raw).write.parquet(str(made / "rows"))
            rejected = raw.rejected.count()
        if rejected:
            logger.warning(
                "datasets: warning: %s rows of %s cannot be read and are not sent; python -m datasets describe %s shows them",
                f"{rejected:,}",
                dataset.name,
                dataset.name,
            )
        with suppress(FileExistsError, OSError):  # another command was faster
            (made / "rows").rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    found = Replay(key, folder)
    if not found.count:
        raise DataError(f"{dataset.name} has no rows to send: python -m datasets describe {dataset.name}")
    return found


def _key(dataset: Dataset, path: Path, kind: str) -> str:
    """Return a key that changes with the data set's name, options and files."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    stamps = [
        (file.name, stat.st_size, stat.st_mtime_ns)
        for file in files
        if file.exists()
        for stat in [file.stat()]
    ]
    told = repr((_FORMAT, kind, dataset.name, dataset.options, stamps))
    return hashlib.sha256(told.encode()).hexdigest()[:12]
