"""Preferences of users for items, as frames, made of ratings by the table of meanings."""

from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.engine.meanings import Meanings
from jobs.prepare.profile import Profile
from jobs.prepare.relevance import like_counts, threshold
from jobs.runtime.phases import consume

_DISLIKED = 0.25
"""Share of the scale up to which a rating is a dislike: 2 on 1 to 5."""

PREFERENCES = "user int, item int, rating float"


def meanings_of(profile: Profile, *, watched: float, dislike: float, near: int) -> Meanings:
    """Return the meanings of a data set's ratings: those three quarters up their scale and above are likes; counts, and equal ratings, all are."""
    more = {"watched": watched, "dislike": dislike, "near": near}
    if profile.ratings is None or profile.ratings[0] == profile.ratings[1]:
        return Meanings(**more)  # type: ignore[arg-type]
    low, high = profile.ratings
    scale = low, high, 0.0
    if like_counts(scale, profile):
        return Meanings(**more)  # type: ignore[arg-type]
    return Meanings(threshold(scale), low + _DISLIKED * (high - low), **more)  # type: ignore[arg-type]


def preferences(ratings: DataFrame, meanings: Meanings) -> DataFrame:
    """Return PREFERENCES, `rating` being the preference, of the ratings that say one."""
    return ratings.select("user", "item", "rating").mapInArrow(_saying(meanings), PREFERENCES)


def preferences_of(rows: DataFrame, meanings: Meanings) -> DataFrame:
    """Return rows (user int, item int, rating float, at_us long) as (user int, item int, at_us long, preference float), also those that say none."""

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            found = meanings.of_ratings(batch.column("rating").to_numpy(zero_copy_only=False))
            columns = [*(batch.column(name) for name in ("user", "item", "at_us")), pa.array(found)]
            yield pa.RecordBatch.from_arrays(columns, names=["user", "item", "at_us", "preference"])

    return rows.mapInArrow(run, "user int, item int, at_us long, preference float")


def _saying(meanings: Meanings) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            found = meanings.of_ratings(batch.column("rating").to_numpy(zero_copy_only=False))
            columns = [batch.column("user"), batch.column("item"), pa.array(found)]
            rows = pa.RecordBatch.from_arrays(columns, names=["user", "item", "rating"])
            yield rows.filter(pa.array(found != 0))

    return run


def gathered(preferred: DataFrame) -> DataFrame:
    """Return each user's history as `jobs.modelling.histories.read` takes it, `rest` being preferences, kept on the executors."""
    rows = preferred.groupBy("user").agg(
        F.sort_array(F.collect_list(F.struct("item", "rating"))).alias("rows")
    )
    liked = F.transform("rows.rating", lambda preference: (preference > 0).cast("float"))
    found = rows.select(
        "user",
        F.col("rows.item").alias("history"),
        F.col("rows.rating").alias("rest"),
        liked.alias("liked"),
        F.lit(0.0).cast("float").alias("user_bias"),
    ).persist(StorageLevel.MEMORY_AND_DISK)
    consume(found)
    return found
