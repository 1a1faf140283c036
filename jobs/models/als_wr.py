"""Matrix factorisation of ratings by alternating least squares on our own engine, with the objective of `als`.

Y. Zhou, D. Wilkinson, R. Schreiber, R. Pan, "Large-Scale Parallel Collaborative Filtering for the Netflix Prize",
AAIM 2008. Rows whose user or item it has not seen fall back to the bias baseline.
"""

from dataclasses import dataclass
from typing import ClassVar

from jobs.engine.rules import Rule, Weighted
from jobs.modelling.alternating import Alternating, check_factors
from jobs.modelling.baseline import RatingModel
from jobs.modelling.blocked import BlockedScorer
from jobs.modelling.preflight import check_ratings
from jobs.prepare.stored import Tables


@dataclass(frozen=True)
class AlsWr(Alternating, RatingModel):
    """Explicit ALS on the engine; it has the hyper-parameters of every model of ratings, and of every one of the engine.

    Attributes:
        reg: regularisation, weighted by each side's number of ratings.
    """

    exportable: ClassVar[bool] = True

    reg: float = 0.06

    def preflight(self, tables: Tables) -> None:
        """Refuse what `als` refuses, and factors that the executors' Python workers cannot hold."""
        _, users, items = check_ratings(tables, instead="als_implicit")
        check_factors(tables.ratings.sparkSession, users, items, self.rank, "als_wr")

    def rules(self, users: int, items: int) -> tuple[Rule, Rule]:
        """The number of rows is nothing to the penalty."""
        del users, items
        return Weighted(self.reg), Weighted(self.reg)

    def fit(self, tables: Tables) -> BlockedScorer:
        _, users, items = check_ratings(tables, instead="als_implicit")
        fitted = self.alternate(tables, users, items)
        return BlockedScorer.of(
            tables.ratings.sparkSession, fitted, self.baseline(tables.ratings), clip=self.clip
        )


MODEL = AlsWr
