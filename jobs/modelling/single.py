"""Common parts of models that fit in one thread of the driver, as rivals of their Spark counterparts.

F. McSherry, M. Isard, D. G. Murray, "Scalability! But at what COST?", HotOS XV, 2015: a parallel system is worth its
machines from where it beats one competent thread. Such a model names the models on Spark that it is measured against in a class
variable `counterparts`, which is how a report finds them.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import DataFrame

from jobs.engine.arrays import Floats, Ints
from jobs.engine.neighbours import Csr, csr
from jobs.engine.top_k import top_k
from jobs.engine.topn_frames import RECOMMENDATIONS


@dataclass
class Clock:
    """Seconds of the parts of a fit, and how many threads worked in them."""

    seconds: dict[str, float] = field(default_factory=dict)
    process_s: float = 0.0
    thread_s: float = 0.0

    @contextmanager
    def part(self, name: str, *, alone: bool = True) -> Iterator[None]:
        """Time a part; where only this thread may work (`alone`), its processor time and the process's are added."""
        start, process, thread = time.perf_counter(), time.process_time(), time.thread_time()
        yield
        self.seconds[f"single_{name}_s"] = time.perf_counter() - start
        if alone:
            self.process_s += time.process_time() - process
            self.thread_s += time.thread_time() - thread

    @property
    def threads(self) -> float:
        """Processor time of all threads of this process over that of the calling one: 1 if no other worked."""
        return self.process_s / self.thread_s if self.thread_s > 0 else 1.0

    @property
    def metrics(self) -> dict[str, float]:
        """`single_<part>_s`, and `single_threads` as `threads` has it."""
        return {**self.seconds, "single_threads": self.threads}


class Known(NamedTuple):
    """Factors of the ids that training knows: ids ascending [n], factors float32 [n, rank]."""

    ids: Ints
    factors: Floats

    @classmethod
    def of(cls, matrix: Csr, factors: Floats) -> "Known":
        """Keep the rows that have ratings."""
        ids = np.flatnonzero(np.diff(matrix.indptr)).astype(np.int32)
        return cls(ids, np.ascontiguousarray(factors[ids], dtype=np.float32))

    def places(self, ids: npt.NDArray[Any]) -> Ints:
        """Return where each id stands, -1 for one that is not known."""
        found = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        return np.where(self.ids[found] == ids, found, -1).astype(np.int32)


Combine = Callable[[Ints, Ints, Floats], Floats]


@dataclass(frozen=True)
class SingleScorer:
    """Scores and ranks in one thread of the driver, and hands the answers back to Spark.

    `combine` makes predictions of (user ids, item ids, products of factors, NaN where a side is not known).
    """

    users: Known
    items: Known
    clock: Clock
    combine: Combine = lambda _user, _item, product: product

    def score(self, pairs: DataFrame) -> DataFrame:
        rows = pairs.select("user", "item").toPandas()
        user, item = (rows[name].to_numpy(dtype=np.int32) for name in ("user", "item"))
        product = self._products(self.users.places(user), self.items.places(item))
        rows = pd.DataFrame({"user": user, "item": item, "prediction": self.combine(user, item, product)})
        return pairs.sparkSession.createDataFrame(rows, "user int, item int, prediction float")

    def recommend(self, users: DataFrame, k: int, seen: DataFrame | None) -> DataFrame:
        """Rank by the product of factors; users without factors are absent."""
        spark = users.sparkSession
        wanted = users.select("user").toPandas()["user"].to_numpy(dtype=np.int32)
        places = self.users.places(wanted)
        wanted, places = wanted[places >= 0], places[places >= 0]
        left_out = () if seen is None else self._left_out(places, seen)
        found, scores = top_k(self.users.factors[places], self.items.factors, k, *left_out)
        kept = found >= 0
        lists = {
            "user": wanted,
            "items": [self.items.ids[row[keep]] for row, keep in zip(found, kept, strict=True)],
            "scores": [row[keep] for row, keep in zip(scores, kept, strict=True)],
        }
        return spark.createDataFrame(pd.DataFrame(lists), RECOMMENDATIONS)

    def describe(self) -> tuple[dict[str, float], dict[str, str]]:
        return self.clock.metrics, {}

    def release(self) -> None:
        """Nothing lies on the executors."""

    def _products(self, user: Ints, item: Ints) -> Floats:
        out = np.full(len(user), np.nan, dtype=np.float32)
        both = np.flatnonzero((user >= 0) & (item >= 0))
        for some in np.array_split(both, len(both) // 65_536 + 1):  # what is gathered stays in the cache
            left, right = self.users.factors[user[some]], self.items.factors[item[some]]
            out[some] = np.einsum("nf,nf->n", left, right)
        return out

    def _left_out(self, places: Ints, seen: DataFrame) -> tuple[Any, Any]:
        """Return what each of these users has seen, as indptr and indices of places."""
        rows = seen.select("user", "item").toPandas()
        row_of = np.full(len(self.users.ids), -1, dtype=np.int32)
        row_of[places] = np.arange(len(places), dtype=np.int32)
        user, item = (
            side.places(rows[name].to_numpy()) for side, name in ((self.users, "user"), (self.items, "item"))
        )
        row = np.where(user < 0, -1, row_of[user])
        kept = (row >= 0) & (item >= 0)
        matrix = csr(row[kept], item[kept], np.ones(kept.sum()), len(places))
        return matrix.indptr, matrix.indices
