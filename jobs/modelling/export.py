"""Store a fitted factor model as NumPy arrays, for use without Spark."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from pyspark.sql import DataFrame

from jobs.engine.neighbours import csr
from jobs.modelling.baseline import BiasFit
from jobs.prepare.stored import Tables

FILE = "factors.npz"


@dataclass(frozen=True)
class Exported:
    """A fitted model that is factors, a baseline, or both.

    Attributes:
        users, items: (id int, features array<float>) of those whom the model knows. No users but items: every user
            has the one factor 1.
        bias: predicts where factors cannot; None where nothing else is known.
        on_residuals: whether the factors are of what the baseline leaves.
        clip: whether scores are kept within the baseline's lowest and highest rating.
    """

    users: DataFrame | None = None
    items: DataFrame | None = None
    bias: BiasFit | None = None
    on_residuals: bool = False
    clip: bool = False


@runtime_checkable
class Exportable(Protocol):
    """A scorer that can be exported. Its model has the class attribute `exportable = True`."""

    def exported(self) -> Exported:
        """Return the model's factors and baseline."""


def export(model: Exported, training: Tables, folder: Path) -> None:
    """Write `factors.npz`; its arrays pass through the driver's memory.

    Arrays:
        user_keys, item_keys: text, in the order of the ids from 0.
        user_factors, item_factors: float32 (users, rank) and (items, rank), NaN for those whom the model does not know.
        user_bias, item_bias: float32, 0 for the unknown; item_known: whether the baseline has the item; empty without a baseline.
        scalars: float64 (mean, low, high); flags: bool (has a baseline, on_residuals, clip).
        seen_start, seen_items: the items that user n has in training are seen_items[seen_start[n]:seen_start[n + 1]].
    """
    users, items = _keys(training.users, "user"), _keys(training.items, "item")
    bias = model.bias
    item_factors = _rows(model.items, len(items))
    ones = np.ones((len(users), item_factors.shape[1]), np.float32)
    user_factors = _rows(model.users, len(users)) if model.users is not None or model.items is None else ones
    start, seen = _seen(training.ratings, len(users))
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(
        folder / FILE,
        user_keys=users,
        item_keys=items,
        user_factors=user_factors,
        item_factors=item_factors,
        user_bias=bias_column(bias.users, "user", len(users)) if bias else np.zeros(0, np.float32),
        item_bias=bias_column(bias.items, "item", len(items)) if bias else np.zeros(0, np.float32),
        item_known=_known(bias.items, "item", len(items)) if bias else np.zeros(0, bool),
        scalars=np.array([bias.mean, bias.low, bias.high] if bias else [0.0, 0.0, 0.0]),
        flags=np.array([bias is not None, model.on_residuals, model.clip]),
        seen_start=start,
        seen_items=seen,
    )


def _keys(frame: DataFrame, side: str) -> Any:
    return np.array([row["key"] for row in frame.select(side, "key").orderBy(side).collect()], dtype=np.str_)


def _rows(frame: DataFrame | None, count: int) -> Any:
    if frame is None:
        return np.zeros((count, 0), np.float32)
    found = frame.select("id", "features").toPandas()
    rank = len(found["features"].iloc[0]) if len(found) else 0
    rows = np.full((count, rank), np.nan, np.float32)
    if len(found):
        rows[found["id"].to_numpy()] = np.stack(found["features"].to_list()).astype(np.float32)
    return rows


def bias_column(frame: DataFrame, side: str, count: int) -> Any:
    """Return the baseline's biases of a side by id, float32 [count], 0 for the unknown."""
    found = frame.select(side, f"{side}_bias").toPandas()
    values = np.zeros(count, np.float32)
    values[found[side].to_numpy()] = found[f"{side}_bias"].to_numpy()
    return values


def _known(frame: DataFrame, side: str, count: int) -> Any:
    known = np.zeros(count, bool)
    known[frame.select(side).toPandas()[side].to_numpy()] = True
    return known


def _seen(ratings: DataFrame, users: int) -> tuple[Any, Any]:
    found = ratings.select("user", "item").toPandas()
    matrix = csr(found["user"].to_numpy(), found["item"].to_numpy(), np.ones(len(found)), users)
    return matrix.indptr, matrix.indices
