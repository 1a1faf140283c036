"""Matrix factorisation of ratings by alternating least squares on our own engine, with the objective of `als`.

Y. Zhou, D. Wilkinson, R. Schreiber, R. Pan, "Large-Scale Parallel Collaborative Filtering for the Netflix Prize",
AAIM 2008. Rows whose user or item it has not seen fall back to the bias baseline.
"""

from dataclasses import dataclass
from typing import ClassVar

from pyspark.sql import functions as F

from jobs.engine.arrays import ITEMS, USERS
from jobs.engine.rules import Rule, Weighted
from jobs.modelling.alternating import Alternating, check_factors
from jobs.modelling.baseline import RatingModel
from jobs.modelling.blocked import BlockedScorer
from jobs.modelling.factors import with_biases
from jobs.modelling.preflight import check_ratings
from jobs.prepare.stored import Tables


@dataclass(frozen=True)
class AlsWr(Alternating, RatingModel):
    """Explicit ALS on the engine; it has the hyper-parameters of every model of ratings, and of every one of the engine.

    Attributes:
        reg: regularisation, weighted by each side's number of ratings.
        biases: each user and item has a bias besides its factors, and ratings are fitted around their mean; False: as `als` has it.
    """

    exportable: ClassVar[bool] = True

    reg: float = 0.06
    biases: bool = False

    def preflight(self, tables: Tables) -> None:
        """Refuse what `als` refuses, and factors that the executors' Python workers cannot hold."""
        _, users, items = check_ratings(tables, instead="als_implicit")
        check_factors(tables.ratings.sparkSession, users, items, self.width(), "als_wr")

    def width(self) -> int:
        return self.rank + self.biases

    def rules(self, users: int, items: int) -> tuple[Rule, Rule]:
        """The number of rows is nothing to the penalty."""
        del users, items
        rule = Weighted(self.reg, self.biases)
        return rule, rule

    def fit(self, tables: Tables) -> BlockedScorer:
        _, users, items = check_ratings(tables, instead="als_implicit")
        bias = self.baseline(tables.ratings)
        if not self.biases:
            fitted = self.alternate(tables, users, items)
            return BlockedScorer.of(tables.ratings.sparkSession, fitted, bias, clip=self.clip)
        rating = (F.col("rating") - F.lit(bias.mean)).cast("float")
        fitted = self.alternate(
            tables._replace(ratings=tables.ratings.withColumn("rating", rating)), users, items
        )
        of_users, of_items = (
            side._replace(factors=with_biases(side.factors, number, bias.mean))
            for number, side in ((USERS, fitted.users), (ITEMS, fitted.items))
        )
        biased = fitted._replace(users=of_users, items=of_items)
        return BlockedScorer.of(tables.ratings.sparkSession, biased, bias, clip=self.clip)


MODEL = AlsWr
