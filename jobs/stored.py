"""The tables that preprocessing leaves in a store, and how the next job knows that they belong together.

Each table is replaced whole or not at all, but there are several: `summary` is written before the first as "writing"
and after the last as "complete", so that an interrupted preprocessing is noticed and not read as a mixture.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession

from jobs.errors import JobError
from jobs.model import Tables
from jobs.store import Store

COMPLETE = "complete"
_SCHEMA = "key string, value string"


@dataclass(frozen=True)
class Summary:
    """What preprocessing said of the tables; `scale` is (lowest, highest, step), None without a rating scale.

    `dataset` and `options` are those that the tables were made from. `n_users` and `n_items` are the rows of the tables
    of users and items; None in tables of an older version, of which nobody has made sure either that each pair of user
    and item has one rating.
    """

    dataset: str
    options: Mapping[str, Any]
    digest: str
    scale: tuple[float, float, float] | None
    n_users: int | None = None
    n_items: int | None = None


def begin(store: Store, spark: SparkSession) -> None:
    """Say that the tables are being replaced."""
    _write(store, spark, {"state": "writing"})


def finish(store: Store, spark: SparkSession, facts: Mapping[str, str]) -> None:
    """Say that all tables are there, with what is known of them."""
    _write(store, spark, {**facts, "state": COMPLETE})


def load(store: Store) -> tuple[Tables, Summary]:
    """Return the tables for a model.

    Raises:
        JobError: they are missing, or preprocessing was interrupted while it wrote them.
    """
    facts = {row["key"]: row["value"] for row in store.rows("summary")}
    if facts.get("state") != COMPLETE:
        raise JobError(
            "preprocessing was interrupted while it wrote its tables, so they may not belong together: "
            "run it again (make preprocess DATASET=...)"
        )
    tables = Tables(
        ratings=store.read("ratings"),
        items=store.read("items"),
        users=store.read("users").select("user", "key"),
    )
    return tables, Summary(
        facts["dataset"],
        json.loads(facts["dataset_options"]),
        facts["data_digest"],
        parse_scale(facts["scale"]),
        *(int(facts[name]) if name in facts else None for name in ("n_users", "n_items")),
    )


def parse_scale(text: str) -> tuple[float, float, float] | None:
    """Read a scale as preprocessing writes it: "0.5,5.0,0.5", or nothing."""
    if not text:
        return None
    low, high, step = (float(part) for part in text.split(","))
    return low, high, step


def _write(store: Store, spark: SparkSession, facts: Mapping[str, str]) -> None:
    store.write("summary", spark.createDataFrame(sorted(facts.items()), _SCHEMA).coalesce(1))
