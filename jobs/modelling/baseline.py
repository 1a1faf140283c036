"""Bias baseline of ratings: global mean plus the item's and the user's bias; and models of ratings, which fall back to it.

Y. Koren, "Factor in the Neighbors: Scalable and Accurate Collaborative Filtering", ACM TKDD 4(1), 2010, section 2.1.
"""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from core.errors import JobError
from jobs.prepare.profile import Profile, sent
from jobs.runtime.phases import consume


@dataclass(frozen=True)
class BiasFit:
    """The fitted baseline: prediction = mean + user_bias + item_bias, where an unknown user or item adds 0.

    `users` is (user int, user_bias float), `items` is (item int, item_bias float); `low` and `high` are the lowest
    and highest rating it was fitted on; `left_out` is the number of rows without a rating, whose users and items may be
    in neither table.
    """

    mean: float
    users: DataFrame
    items: DataFrame
    low: float
    high: float
    left_out: int = 0

    def predict(self, pairs: DataFrame, *, known: bool = False) -> DataFrame:
        """Return the columns of `pairs` (user, item, ...) and `bias_prediction` float, not clipped.

        Args:
            pairs: the pairs to predict.
            known: add `known_user` and `known_item`, whether they are in the tables.
        """
        joined = pairs.join(self.users, "user", "left").join(self.items, "item", "left")
        value = F.lit(self.mean) + _or_zero("user_bias") + _or_zero("item_bias")
        found = [F.col(f"{side}_bias").isNotNull().alias(f"known_{side}") for side in ("user", "item")]
        return joined.select(
            *pairs.columns, value.cast("float").alias("bias_prediction"), *(found if known else ())
        )

    def hold(self) -> "BiasFit":
        """Compute both tables and keep them on the executors."""
        for frame in (self.users, self.items):
            consume(frame.persist())
        return self

    def release(self) -> None:
        """Free what `hold` keeps."""
        self.users.unpersist()
        self.items.unpersist()


def fit_bias(train: DataFrame, reg_user: float, reg_item: float, profile: Profile | None = None) -> BiasFit:
    """Fit shrunk means: of each item around the global mean, then of each user around mean and item.

    Args:
        train: (user, item, rating); rows without a rating are left out.
        reg_user: shrinkage of users' means: as if each user had this many more ratings without any bias.
        reg_item: the same for items.
        profile: profile of `train`, which tells how large the fitted tables are; None computes what is needed.

    Raises:
        JobError: no row has a rating.
    """
    rated = train.where(F.col("rating").isNotNull())
    mean, low, high, left_out = _known(train) if profile is None else _told(profile)
    if mean is None or low is None or high is None:
        raise JobError(
            "no row of the training part has a rating: this model needs ratings; use als_implicit or popularity"
        )
    n_users, n_items = (None, None) if profile is None else (profile.n_users, profile.n_items)
    items = rated.groupBy("item").agg(_shrunk(F.col("rating") - mean, reg_item).alias("item_bias"))
    items = sent(items, n_items)
    rest = F.col("rating") - mean - F.col("item_bias")
    users = rated.join(items, "item").groupBy("user").agg(_shrunk(rest, reg_user).alias("user_bias"))
    users = sent(users, n_users)
    return BiasFit(mean, users, items, low, high, left_out)


def _known(train: DataFrame) -> tuple[float | None, float | None, float | None, int]:
    """Return mean, lowest and highest rating and the number of rows without one."""
    row = train.agg(
        F.mean("rating"), F.min("rating"), F.max("rating"), F.count(F.when(F.col("rating").isNull(), 1))
    ).first()
    assert row is not None  # an aggregate without groups has exactly one
    return row[0], row[1], row[2], row[3]


def _told(profile: Profile) -> tuple[float | None, float | None, float | None, int]:
    """Return the same numbers from a profile."""
    low, high = profile.ratings or (None, None)
    return profile.mean, low, high, profile.rows - profile.rated


def _shrunk(rest: Column, reg: float) -> Column:
    return (F.sum(rest) / (F.count("*") + F.lit(reg))).cast("float")


def _or_zero(name: str) -> Column:
    return F.coalesce(F.col(name), F.lit(0.0))


def clipped(value: Column, low: float, high: float) -> Column:
    """Keep predictions on the scale; null stays null."""
    return F.when(value < low, low).when(value > high, high).otherwise(value).cast("float")


@dataclass(frozen=True, kw_only=True)
class RatingModel:
    """Hyper-parameters of every model of ratings: of the baseline that it falls back to, and the clipping.

    Attributes:
        clip: keep predictions within the ratings seen in training.
        reg_user: shrinkage of users' means in the baseline, in ratings.
        reg_item: shrinkage of items' means in the baseline, in ratings.
    """

    clip: bool = True
    reg_user: float = 10.0
    reg_item: float = 5.0

    @property
    def predicts_rating(self) -> bool:
        """Its scores are on the rating scale."""
        return True

    def baseline(self, ratings: DataFrame) -> BiasFit:
        """Fit the baseline."""
        return fit_bias(ratings, self.reg_user, self.reg_item)

    def bounds(self, fit: BiasFit) -> tuple[float, float] | None:
        """Return the lowest and highest prediction; None if it does not clip."""
        return (fit.low, fit.high) if self.clip else None
