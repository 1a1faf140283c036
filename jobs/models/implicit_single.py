"""Implicit ALS in one thread of the driver, by the library `implicit`, to measure from how many cores on MLlib is faster.

Y. Hu, Y. Koren, C. Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008, solved by conjugate
gradients: G. Takács, I. Pilászy, D. Tikk, "Applications of the conjugate gradient method for implicit feedback
collaborative filtering", RecSys 2011. Confidences are those of `als_implicit` (jobs.modelling.implicit_confidence); the penalty is not: here each row's is
`reg`, in MLlib `reg` times its number of interactions. So the two are compared by the time to equal quality.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from jobs.engine.arrays import Floats
from jobs.modelling.fetching import Ratings, arranged, check_driver, fetch
from jobs.modelling.implicit_confidence import Confidence, check_confidence, strength_of
from jobs.modelling.preflight import check_ratings
from jobs.modelling.single import Clock, Known, SingleScorer
from jobs.prepare.stored import Tables


@dataclass(frozen=True)
class ImplicitSingle:
    """Implicit ALS in one thread.

    Attributes:
        rank: number of factors.
        iterations: one solves the users and then the items.
        reg: regularisation, the same for each row.
        alpha: how much an interaction's rating (1 where there is none) adds to the confidence of 1.
        confidence: "linear": 1 + alpha x rating; "log": 1 + alpha x log(1 + rating / eps), for counts.
        eps: the rating that counts as one step of the logarithm; with "log" only.
        seed: of the first factors.
        cg: solve by three steps of conjugate gradients from the last factors, else exactly by Cholesky.
    """

    counterparts: ClassVar[tuple[str, ...]] = ("als_implicit",)

    rank: int = 32
    iterations: int = 12
    reg: float = 5.0
    alpha: float = 1.0
    confidence: Confidence = "linear"
    eps: float = 1.0
    seed: int = 1
    cg: bool = True

    def __post_init__(self) -> None:
        check_confidence(self.alpha, self.eps)

    @property
    def predicts_rating(self) -> bool:
        return False

    def preflight(self, tables: Tables) -> None:
        """Refuse what `als_implicit` refuses, and interactions that do not fit in the driver."""
        rows, users, items = check_ratings(tables)
        check_driver(tables.ratings.sparkSession, rows, 8 * (users + items) * self.rank, "implicit_single")

    def fit(self, tables: Tables) -> SingleScorer:
        clock = Clock()
        with clock.part("fetch", alone=False):
            user, item, rating = fetch(tables.ratings, missing=1.0)
        with clock.part("sort"):
            interactions = arranged(user, item, self._confidence(rating))
        with clock.part("solve"):
            users, items = self._solve(interactions)
        return SingleScorer(
            Known.of(interactions.by_user, users), Known.of(interactions.by_item, items), clock
        )

    def _confidence(self, rating: Floats) -> Floats:
        """Return the library's input: the confidence, negative if the preference is 0 (as in MLlib)."""
        strength = strength_of(rating, self.confidence, self.eps)
        confidence = 1 + self.alpha * np.abs(strength)
        signed: Floats = np.where(strength > 0, confidence, -confidence).astype(np.float32)
        return signed

    def _solve(self, interactions: Ratings) -> tuple[Any, Any]:
        # Only this model needs them, and they take a third of a second.
        from implicit.als import AlternatingLeastSquares  # type: ignore[import-untyped]  # noqa: PLC0415
        from scipy.sparse import csr_matrix  # noqa: PLC0415
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # noqa: PLC0415

        matrix = interactions.by_user
        shape = (len(matrix.indptr) - 1, len(interactions.by_item.indptr) - 1)
        # Look again at the loaded libraries: SciPy brings a BLAS of its own beside NumPy's.
        with threadpool_limits(limits=1):
            model = AlternatingLeastSquares(
                factors=self.rank, regularization=self.reg, alpha=1.0, iterations=self.iterations,
                use_cg=self.cg, use_native=True, num_threads=1, random_state=self.seed,
            )  # fmt: skip
            model.fit(csr_matrix((matrix.values, matrix.indices, matrix.indptr), shape), show_progress=False)
        return model.user_factors, model.item_factors


MODEL = ImplicitSingle
