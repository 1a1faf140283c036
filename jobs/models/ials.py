"""Matrix factorisation of preferences with a weight on all unobserved pairs, on our own engine, for ranking.

Y. Hu, Y. Koren, C. Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008; the penalty scaled by frequency and the
weights as in S. Rendle, W. Krichene, L. Zhang, Y. Koren, "Revisiting the Performance of iALS on Item Recommendation
Benchmarks", RecSys 2022; many factors by subspaces (the same, "iALS++", 2021). Its scores are preferences (about 0 to 1), not ratings, so it has no RMSE.
"""

from dataclasses import dataclass
from typing import ClassVar

from pyspark.sql import functions as F

from core.errors import UsageError
from jobs.engine.rules import Rule, Unobserved
from jobs.modelling.alternating import Alternating, check_factors
from jobs.modelling.blocked import BlockedScorer
from jobs.modelling.implicit_confidence import Confidence, check_confidence, strength
from jobs.modelling.preflight import check_ratings
from jobs.prepare.stored import Tables


@dataclass(frozen=True)
class Ials(Alternating):
    """Implicit ALS on the engine; besides these it has the hyper-parameters of every model of the engine.

    Attributes:
        reg: scale of the penalty.
        exponent: of the penalty in what is observed of a row: reg * (interactions + unobserved * columns) ** exponent.
        unobserved: weight of every pair, observed or not, beside that of an interaction.
        alpha: how much an interaction's rating (1 where there is none) adds to its weight of 1.
        confidence: "linear": 1 + alpha x rating; "log": 1 + alpha x log(1 + rating / eps), for counts.
        eps: the rating that counts as one step of the logarithm; with "log" only.
        subspace: factors that are solved for at a time where rank is above it; 0: all.
    """

    exportable: ClassVar[bool] = True

    reg: float = 0.01
    exponent: float = 1.0
    unobserved: float = 0.3
    alpha: float = 0.0
    confidence: Confidence = "linear"
    eps: float = 1.0
    subspace: int = 128

    def __post_init__(self) -> None:
        super().__post_init__()
        check_confidence(self.alpha, self.eps)
        if self.subspace < 0:
            raise UsageError(f"subspace must be 0 or more, got {self.subspace}; set for example subspace=64")
        if not self.unobserved > 0:
            raise UsageError(
                f"unobserved must be above 0, got {self.unobserved:g}; set for example unobserved=0.1"
            )

    @property
    def predicts_rating(self) -> bool:
        return False

    def preflight(self, tables: Tables) -> None:
        """Refuse what `als_implicit` refuses, and factors that the executors' Python workers cannot hold."""
        _, users, items = check_ratings(tables)
        check_factors(tables.ratings.sparkSession, users, items, self.rank, "ials")

    def rules(self, users: int, items: int) -> tuple[Rule, Rule]:
        """A user's columns are the items that have interactions, and the other way round."""
        settings = self.reg, self.exponent, self.unobserved
        return Unobserved(*settings, items), Unobserved(*settings, users)

    def at_a_time(self) -> int:
        return self.subspace

    def fit(self, tables: Tables) -> BlockedScorer:
        _, users, items = check_ratings(tables)
        given = strength(F.col("rating"), self.confidence, self.eps)
        weight = F.signum(given) * (F.lit(1.0) + F.lit(self.alpha) * F.abs(given))
        interactions = tables.ratings.select("user", "item", weight.cast("float").alias("rating"))
        return BlockedScorer.of(
            tables.ratings.sparkSession, self.alternate(tables._replace(ratings=interactions), users, items)
        )


MODEL = Ials
