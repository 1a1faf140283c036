"""Films with plots, genres, keywords and people from TMDB, with MovieLens' ratings or without."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import SparkSession

from datasets.fetch.download import locate
from datasets.formats.lines import need
from datasets.publishers.movies import sample as movies_sample
from datasets.publishers.movies.tables import (
    KAGGLE,
    MOVIES,
    check_kaggle,
    check_tmdb5000,
    read_kaggle,
    read_tmdb5000,
)
from datasets.source import Raw, Variant

_KAGGLE_FOLDER = "the-movies-dataset"
_KAGGLE_PAGE = "https://www.kaggle.com/datasets/rounakbanik/the-movies-dataset"
_HALF = (0.5, 5.0, 0.5)
_RATINGS = {"kaggle": "ratings.csv", "kaggle-small": "ratings_small.csv"}


@dataclass(frozen=True)
class Options:
    """Reading options; these sets have none."""


class Movies:
    """The Movies Dataset and TMDB 5000, with descriptions of their films."""

    variants: Mapping[str, Variant] = {
        "kaggle": Variant(
            "The Movies Dataset: 270,896 users, 45,115 movies, half stars, with plots, keywords and people",
            _KAGGLE_FOLDER,
            26_024_289,
            _HALF,
            files=(_RATINGS["kaggle"], *KAGGLE),
            page=_KAGGLE_PAGE,
        ),
        "kaggle-small": Variant(
            "The Movies Dataset with its small file of ratings: 671 users, 9,066 movies",
            _KAGGLE_FOLDER,
            100_004,
            _HALF,
            files=(_RATINGS["kaggle-small"], *KAGGLE),
            page=_KAGGLE_PAGE,
        ),
        "tmdb5000": Variant(
            "TMDB 5000: 4,803 movies with plots and keywords, and people where the credits are there; items only",
            "tmdb",
            files=(MOVIES,),
            page="https://www.kaggle.com/datasets/tmdb/tmdb-movie-metadata",
            has_ratings=False,
        ),
    }
    options = Options
    citation = (
        "kaggle: Rounak Banik, The Movies Dataset (2017), from TMDB and GroupLens; of its ratings: F. Maxwell Harper and "
        "Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context. ACM Transactions on Interactive "
        "Intelligent Systems 5, 4: 19:1-19:19. https://doi.org/10.1145/2827872. tmdb5000: The Movie Database, TMDB 5000 "
        "Movie Dataset."
    )
    licence = (
        "TMDB's terms of use, with attribution; the ratings on GroupLens' terms (research, no redistribution)"
    )

    def fetch(self, variant: str, options: Options, data: Path | None, cache: Path) -> Path:  # noqa: ARG002 - protocol
        """Return the folder, from `data` or `cache`; downloading it takes an account of the publisher."""
        return locate(self.variants[variant], data, cache)

    def check(self, variant: str, options: Options, path: Path) -> Sequence[str]:  # noqa: ARG002 - protocol
        """Check that the files are there and name the columns that are read."""
        need(path, *self.variants[variant].files)
        if variant == "tmdb5000":
            check_tmdb5000(path)
        else:
            check_kaggle(path, _RATINGS[variant])
        return ()

    def read(self, spark: SparkSession, variant: str, options: Options, path: Path) -> Raw:  # noqa: ARG002 - protocol
        """Read ratings, if the variant has any, movies and rejected records."""
        need(path, *self.variants[variant].files)
        if variant == "tmdb5000":
            return read_tmdb5000(spark, path)
        return read_kaggle(spark, path, _RATINGS[variant])

    def sample(self, variant: str, folder: Path) -> Path:
        """Write invented rows in the publisher's layout."""
        return movies_sample.write(variant, folder / self.variants[variant].folder)


SOURCE = Movies()
