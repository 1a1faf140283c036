"""A factor model as MLflow serves it: NumPy arrays and nothing else; this file travels with the model.

It imports nothing of recscale and needs no Spark. What the arrays mean stands in `jobs.modelling.export.export`, which writes them.
"""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc import PythonModel

ARRAYS = "factors"


class FactorModel(PythonModel):
    """Scores pairs of users and items, and recommends items to users; all by the publisher's keys."""

    def load_context(self, context: Any) -> None:
        """Read the arrays that were logged with the model."""
        self.load(Path(context.artifacts[ARRAYS]))

    def load(self, path: Path) -> None:
        """Read the arrays from a file."""
        with np.load(path, allow_pickle=False) as arrays:
            self._arrays = {name: arrays[name] for name in arrays.files}
        self._users = {key: number for number, key in enumerate(self._arrays["user_keys"])}
        self._items = {key: number for number, key in enumerate(self._arrays["item_keys"])}
        self._mean, self._low, self._high = (float(value) for value in self._arrays["scalars"])
        self._has_bias, self._on_residuals, self._clip = (bool(value) for value in self._arrays["flags"])
        self._known_items = ~np.isnan(self._arrays["item_factors"]).any(axis=1)

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:
        """Score pairs, or recommend.

        Args:
            context: as MLflow passes it; not used.
            model_input: a frame with the columns user and item (keys, text), or user alone to recommend.
            params: "k": how many items to recommend to each user; "seen": whether items that a user has in training may be
                among them.

        Returns:
            With items: (user, item, prediction), NaN where the model cannot say. Without: (user, items, scores), best first,
            empty for users whom the model does not know.
        """
        del context
        asked = {"k": 10, "seen": False, **(params or {})}
        users = model_input["user"].astype(str).tolist()
        if "item" in model_input and model_input["item"].notna().all():
            items = model_input["item"].astype(str).tolist()
            return pd.DataFrame({"user": users, "item": items, "prediction": self.score(users, items)})
        lists = [self.recommend(user, int(asked["k"]), seen=bool(asked["seen"])) for user in users]
        return pd.DataFrame(
            {"user": users, "items": [names for names, _ in lists], "scores": [values for _, values in lists]}
        )

    def score(self, users: list[str], items: list[str]) -> Any:
        """Predict each pair as float32; users or items that training never saw count as unknown to the factors."""
        left = np.array([self._users.get(user, -1) for user in users], np.int64)
        right = np.array([self._items.get(item, -1) for item in items], np.int64)
        known = (left >= 0) & (right >= 0)
        found = np.full(len(users), np.nan, np.float32)
        if self._arrays["item_factors"].shape[1]:
            product = self._arrays["user_factors"][left[known]] * self._arrays["item_factors"][right[known]]
            found[known] = product.sum(axis=1)
        if not self._has_bias:
            return found
        baseline = (
            self._mean + _taken(self._arrays["user_bias"], left) + _taken(self._arrays["item_bias"], right)
        )
        if self._on_residuals:
            found = found + baseline
        found = np.where(np.isnan(found), baseline, found)
        return (np.clip(found, self._low, self._high) if self._clip else found).astype(np.float32)

    def recommend(self, user: str, k: int, *, seen: bool = False) -> tuple[list[str], list[float]]:
        """Return the keys and scores of the best `k` items for a user, unclipped, ties by the smaller id."""
        row = self._users.get(user, -1)
        scores = self._all_scores(row)
        if scores is None:
            return [], []
        if not seen:
            start = self._arrays["seen_start"]
            scores[self._arrays["seen_items"][start[row] : start[row + 1]]] = np.nan
        candidates = np.flatnonzero(~np.isnan(scores))
        best = candidates[np.argsort(-scores[candidates], kind="stable")][:k]
        return self._arrays["item_keys"][best].tolist(), scores[best].astype(float).tolist()

    def _all_scores(self, row: int) -> Any:
        """Score all items for one user, NaN for those that may not be recommended; None for an unknown user."""
        if row < 0:
            return None
        baseline: Any = 0.0
        if self._has_bias:
            baseline = self._mean + float(self._arrays["user_bias"][row]) + self._arrays["item_bias"]
        if not self._arrays["item_factors"].shape[1]:
            return np.where(self._arrays["item_known"], baseline, np.nan).astype(np.float32)
        factors = self._arrays["user_factors"][row]
        if np.isnan(factors).any():
            return None
        scores = np.full(len(self._known_items), np.nan, np.float32)
        scores[self._known_items] = self._arrays["item_factors"][self._known_items] @ factors
        return scores + baseline if self._on_residuals else scores


def _taken(values: Any, rows: Any) -> Any:
    """Take the value of each row, 0 for row -1."""
    return np.where(rows >= 0, values[rows], 0.0)


mlflow.models.set_model(FactorModel())
