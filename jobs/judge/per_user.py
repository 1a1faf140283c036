"""The quality of each user's test rows, as a small file beside a result: what a paired comparison of models needs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import DataFrame

_COLUMNS = {
    "user": "int32",
    "rows": "int64",
    "scored": "int64",
    "check": "int64",
    "squared": "f8",
    "ndcg": "f8",
}


@dataclass(frozen=True)
class PerUser:
    """Results of `jobs.judge.evaluate.by_user`, one value a user, by ascending user; NaN if a metric does not apply."""

    user: Any
    rows: Any
    scored: Any
    check: Any
    squared: Any
    ndcg: Any


def write(users: DataFrame, path: Path) -> None:
    """Bring one row a user to the driver (some 40 bytes each) and write them whole or not at all."""
    found = users.select(*_COLUMNS).orderBy("user").toPandas()
    temporary = path.with_name(path.name + ".part")
    with temporary.open("wb") as file:
        arrays: dict[str, Any] = {name: found[name].to_numpy(kind) for name, kind in _COLUMNS.items()}
        np.savez_compressed(file, **arrays)
    temporary.replace(path)


def read(path: Path) -> PerUser:
    """Read what `write` wrote."""
    with np.load(path) as found:
        return PerUser(**{name: found[name] for name in _COLUMNS})
