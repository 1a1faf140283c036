"""Sets the folding in of people, by our kernel, against that of the library `implicit`, with the same equations, in one task of one core."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from core.errors import JobError, UsageError
from core.options import parse
from jobs.engine.arrays import one_thread
from jobs.engine.neighbours import Csr
from jobs.engine.rules import FoldIn, Unobserved
from jobs.runtime.context import Context, JobKind
from jobs.runtime.request import Result

SIDES = ("implicit", "engine")
TOLERANCE = 1e-3
_REG = 0.1
_FINGERPRINT = 1000


@dataclass(frozen=True)
class FoldInParams:
    """Parameters of the folding in.

    Attributes:
        users: how many people are folded in, in one call.
        ratings: interactions of each.
        items: how many items there are.
        rank: number of factors.
        seed: of the generated factors and histories.
    """

    users: int = 20_000
    ratings: int = 100
    items: int = 26_744
    rank: int = 64
    seed: int = 1


class FoldInJob:
    """Phases of each pass: fold_in_implicit and fold_in_engine, in an order that turns round from pass to pass.

    The library's `partial_fit_users` and ours start from the same item factors and histories, which are made beforehand. Both answers are
    compared, untimed; a disagreement fails the job.
    """

    kind: JobKind = "passes"

    def parameters(self) -> frozenset[str]:
        return frozenset(item.name for item in fields(FoldInParams))

    def run(self, context: Context) -> Result:
        params = parse(FoldInParams, context.request.params, "parameters of fold_in")
        for name in self.parameters() - {"seed"}:
            if getattr(params, name) < 1:
                raise UsageError(
                    f"{name} in parameters of fold_in must be 1 or more, got {getattr(params, name)}"
                )
        if params.ratings > params.items:
            raise UsageError(
                f"ratings in parameters of fold_in must be at most items ({params.items}), got {params.ratings}"
            )
        context.ready()
        spark = context.spark.sparkContext
        apart, printed = 0.0, []
        for number in context.passes():
            order = SIDES if number % 2 == 0 else SIDES[::-1]
            (found,) = spark.parallelize([order], 1).mapPartitions(_Timed(params)).collect()
            apart, printed = max(apart, found["apart"]), found["first"]
            for side in order:
                context.phases.add(f"fold_in_{side}", found[side], 1)
        if apart > TOLERANCE:
            raise JobError(
                f"the two ways disagree, so their times mean nothing: factors differ by up to {apart:.6f}, {TOLERANCE} is allowed; "
                "please report it with these numbers and the parameters"
            )
        seconds = {side: context.phases.median(f"fold_in_{side}") for side in SIDES}
        metrics = {f"users_per_s_{side}": params.users / seconds[side] for side in SIDES}
        return Result(
            job="fold_in",
            status="ok",
            metrics={
                "largest_factor_difference": apart,
                **metrics,
                "speed_up": seconds["implicit"] / seconds["engine"],
            },
            counts={"users": params.users},
            fingerprint=printed,
            table=[
                ["way", "median s", "users/s"],
                *([side, round(seconds[side], 3), round(metrics[f"users_per_s_{side}"])] for side in SIDES),
            ],
        )


@dataclass(frozen=True)
class _Timed:
    """Fold in both ways, in the order that a partition names; seconds of each, and how far the answers are apart."""

    params: FoldInParams

    def __call__(self, orders: Iterable[Any]) -> Iterator[dict[str, Any]]:
        rows, items = given(self.params)
        ways: dict[str, Callable[[], Any]] = {
            "implicit": _library(rows, items),
            "engine": lambda: _ours(rows, items),
        }
        for way in ways.values():  # first calls load or make machine code
            way()
        for order in orders:
            found: dict[str, Any] = {}
            answers = {}
            for side in order:
                with one_thread():
                    start = time.perf_counter()
                    answers[side] = ways[side]()
                    found[side] = time.perf_counter() - start
            # The library asks for 2 where we ask for 1, with the same matrix.
            found["apart"] = float(np.abs(answers["implicit"] / 2 - answers["engine"]).max())
            found["first"] = answers["engine"].ravel()[:_FINGERPRINT].astype(float).tolist()
            yield found


def given(params: FoldInParams) -> tuple[Csr, Any]:
    """Return histories and item factors, the same for the same seed; a history's items are apart by a step of its own."""
    random = np.random.default_rng(params.seed)
    items = (random.standard_normal((params.items, params.rank)) / np.sqrt(params.rank)).astype(np.float32)
    first = random.integers(0, params.items, params.users)
    step = random.integers(1, max(2, params.items // params.ratings), params.users)
    columns = (first[:, None] + step[:, None] * np.arange(params.ratings)) % params.items
    indices = np.sort(columns, axis=1).astype(np.int32).ravel()
    offsets = np.arange(params.users + 1, dtype=np.int64) * params.ratings
    return Csr(offsets, indices, np.ones(len(indices), dtype=np.float32)), items


def _ours(rows: Csr, items: Any) -> Any:
    return FoldIn(items, Unobserved(_REG, 0.0, 1.0, len(items)))(rows)


def _library(rows: Csr, items: Any) -> Callable[[], Any]:
    """Return a call of the library's, in one thread; it has what it keeps between calls."""
    from implicit.als import AlternatingLeastSquares  # type: ignore[import-untyped]  # noqa: PLC0415 - only this job needs it
    from scipy.sparse import csr_matrix  # noqa: PLC0415 - as above

    users = len(rows.indptr) - 1
    history = csr_matrix((2 * rows.values, rows.indices, rows.indptr), (users, len(items)))
    with one_thread():  # it warns of a BLAS with threads
        model = AlternatingLeastSquares(factors=items.shape[1], regularization=_REG, alpha=1.0, num_threads=1)
    model.item_factors = items
    model.user_factors = np.zeros((users, items.shape[1]), dtype=np.float32)
    numbers = np.arange(users)

    def fold_in() -> Any:
        model._YtY = None  # noqa: SLF001 - it keeps the sum over items, which ours computes in each call
        model.partial_fit_users(numbers, history)
        return model.user_factors

    return fold_in


JOB = FoldInJob()
