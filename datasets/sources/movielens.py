"""MovieLens: ratings of movies by members of movielens.org, 100 thousand to 32 million of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import SparkSession

from datasets.fetch.download import locate
from datasets.formats.lines import check_header, need, rejected
from datasets.publishers.movielens import sample as movielens_sample
from datasets.publishers.movielens.layouts import COLONS, COLONS_WITH_TAGS, COMMAS, TABS, Edition
from datasets.publishers.movielens.tables import read_items, read_ratings
from datasets.source import Raw, Variant

_WHOLE = (1.0, 5.0, 1.0)
_HALF = (0.5, 5.0, 0.5)


@dataclass(frozen=True)
class Options:
    """Reading options; MovieLens has none."""


def _variant(  # noqa: PLR0917 - a row of the table below
    name: str,
    description: str,
    rows: int | None,
    scale: tuple[float, float, float],
    md5: str | None,
    folder: str | None = None,
) -> Variant:
    url = f"https://files.grouplens.org/datasets/movielens/ml-{name}.zip"
    return Variant(description, folder or f"ml-{name}", rows, scale, url, md5)


_VARIANTS = {
    "latest-small": _variant(
        "latest-small",
        "610 users, 9,742 movies, half stars, tags (edition of 2018-09; the publisher may change it)",
        100_836,
        _HALF,
        None,
    ),
    "100k": _variant(
        "100k",
        "943 users, 1,682 movies, whole stars, 1997-98, folds u1 to u5",
        100_000,
        _WHOLE,
        "0e33842e24a9c977be4e0107933c0723",
    ),
    "1m": _variant(
        "1m",
        "6,040 users, 3,883 movies, whole stars, 2000-03",
        1_000_209,
        _WHOLE,
        "c4d9eecfca2ab87c1945afe126590906",
    ),
    "10m": _variant(
        "10m",
        "69,878 users, 10,681 movies, half stars, tags, 1995-2009",
        10_000_054,
        _HALF,
        "ce571fd55effeba0271552578f2648bd",
        "ml-10M100K",
    ),
    "20m": _variant(
        "20m",
        "138,493 users, 27,278 movies, half stars, tags, 1995-2015",
        20_000_263,
        _HALF,
        "cd245b17a1ae2cc31bb14903e1204af3",
    ),
    "25m": _variant(
        "25m",
        "162,541 users, 62,423 movies, half stars, tags, 1995-2019",
        25_000_095,
        _HALF,
        "6b51fb2759a8657d3bfcbfc42b592ada",
    ),
    "32m": _variant(
        "32m",
        "200,948 users, 87,585 movies, half stars, tags, 1995-2023",
        32_000_204,
        _HALF,
        "d472be332d4daa821edc399621853b57",
    ),
    "latest": _variant("latest", "the publisher's newest full edition; it changes", None, _HALF, None),
}

_EDITIONS: dict[str, Edition] = {"100k": TABS, "1m": COLONS, "10m": COLONS_WITH_TAGS}


class MovieLens:
    """Every published edition, each in its own layout."""

    variants = _VARIANTS
    options = Options
    citation = (
        "F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context. "
        "ACM Transactions on Interactive Intelligent Systems 5, 4: 19:1-19:19. https://doi.org/10.1145/2827872"
    )
    licence = (
        "GroupLens' terms: research use with citation; no commercial use without permission; 100k, 1m and 10m may not "
        "be redistributed, later editions only under the same terms (see README in the folder)"
    )

    def fetch(self, variant: str, options: Options, data: Path | None, cache: Path) -> Path:  # noqa: ARG002 - protocol
        """Return the unpacked folder, from `data`, `cache` or the publisher."""
        folder = locate(self.variants[variant], data, cache)
        need(folder, *self.edition(variant).files)
        return folder

    def check(self, variant: str, options: Options, path: Path) -> Sequence[str]:  # noqa: ARG002 - protocol
        """Check that the edition's files are there and begin as they should."""
        edition = self.edition(variant)
        need(path, *edition.files)
        for layout in edition.layouts:
            check_header(path / layout.file, layout)
        return ()

    def read(self, spark: SparkSession, variant: str, options: Options, path: Path) -> Raw:  # noqa: ARG002 - protocol
        """Read ratings, movies and rejected lines."""
        edition = self.edition(variant)
        need(path, *edition.files)
        ratings, bad_ratings = read_ratings(spark, path, edition)
        items, bad_items = read_items(spark, path, edition)
        return Raw(ratings, items, rejected(spark, *bad_ratings, *bad_items))

    def sample(self, variant: str, folder: Path) -> Path:
        """Write invented rows in the edition's layout."""
        path = folder / self.variants[variant].folder
        movielens_sample.write(self.edition(variant), path)
        return path

    def edition(self, variant: str) -> Edition:
        """Return the layouts of a variant."""
        return _EDITIONS.get(variant, COMMAS)


SOURCE = MovieLens()
