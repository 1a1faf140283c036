"""Matrix factorisation of ratings by alternating least squares on our own engine, with the objective of `als`.

Y. Zhou, D. Wilkinson, R. Schreiber, R. Pan, "Large-Scale Parallel Collaborative Filtering for the Netflix Prize",
AAIM 2008. Rows whose user or item it has not seen fall back to the bias baseline.
"""

from dataclasses import dataclass
from typing import ClassVar

from jobs.engine.arrays import ITEMS, USERS
from jobs.engine.blocks import Blocks
from jobs.engine.rules import Rule, Weighted
from jobs.modelling.alternating import Alternating, check_factors
from jobs.modelling.array_baseline import Baseline, around, mean_of, of_blocks
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
        spark = tables.ratings.sparkSession
        if not self.biases:
            fitted = self.alternate(tables, users, items, self._elsewhere)
            return BlockedScorer.of(spark, fitted, clip=self.clip)
        mean = mean_of(tables)
        rest = tables._replace(ratings=around(tables.ratings, mean))
        fitted = self.alternate(rest, users, items, lambda blocks: self._elsewhere(blocks).plus(mean))
        of_users, of_items = (
            side._replace(factors=with_biases(side.factors, number, mean))
            for number, side in ((USERS, fitted.users), (ITEMS, fitted.items))
        )
        return BlockedScorer.of(spark, fitted._replace(users=of_users, items=of_items), clip=self.clip)

    def _elsewhere(self, blocks: Blocks) -> Baseline:
        return of_blocks(blocks, self)


MODEL = AlsWr
