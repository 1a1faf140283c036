"""Tables of a preprocessing in a store, and the summary that names the versions which belong together.

The table `summary` is written last and names the version of every other table. So readers get all tables of the same
preprocessing: of the one before if the last was interrupted or still runs, and never a mixture of two.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from jobs.prepare.profile import Profile
from jobs.prepare.summary import COMPLETE, SUMMARY, facts_of, versions_of
from jobs.store import Store

_SCHEMA = "key string, value string"

RATINGS = T.StructType(
    [
        T.StructField("user", T.IntegerType(), nullable=False),
        T.StructField("item", T.IntegerType(), nullable=False),
        T.StructField("rating", T.FloatType()),
        T.StructField("at", T.TimestampType()),
        T.StructField("fold", T.StringType()),
    ]
)
"""Cleaned interactions: one row a (user, item) pair, ids dense from 0."""


READ = ("ratings", "items", "users")
"""Names of the tables that a model is fitted to."""


class Tables(NamedTuple):
    """Stored tables. `users` is (user int, key string); `items` is (item int, key string, ...ITEMS).

    `profile` is the profile of `ratings`; None if it is not known.
    """

    ratings: DataFrame
    items: DataFrame
    users: DataFrame
    profile: Profile | None = None


@dataclass(frozen=True)
class Summary:
    """Summary of the stored tables; `scale` is (lowest, highest, step), None without a rating scale.

    `dataset` and `options` name the data set that the tables were made from. `n_users` and `n_items` are the rows of the
    tables of users and items; they are None for tables of an older version of recscale, which may also have several ratings
    of a pair. `versions` has the version of each table that belongs to this preprocessing.
    """

    dataset: str
    options: Mapping[str, Any]
    digest: str
    scale: tuple[float, float, float] | None
    n_users: int | None = None
    n_items: int | None = None
    versions: Mapping[str, int] = field(default_factory=dict)


def finish(store: Store, spark: SparkSession, facts: Mapping[str, str], versions: Mapping[str, int]) -> None:
    """Write the summary: all tables are there in these versions, with these facts about them."""
    named = json.dumps(dict(versions), sort_keys=True)
    rows = sorted({**facts, "state": COMPLETE, "versions": named}.items())
    store.write(SUMMARY, spark.createDataFrame(rows, _SCHEMA).coalesce(1))


def load(store: Store) -> tuple[Tables, Summary]:
    """Return the tables for a model.

    Raises:
        JobError: tables are missing, or do not belong together.
    """
    facts = facts_of(store.rows(SUMMARY))
    versions = versions_of(facts)
    ratings, items, users = (store.read(name, versions[name]) for name in READ)
    tables = Tables(ratings=ratings, items=items, users=users.select("user", "key"))
    return tables, Summary(
        facts["dataset"],
        json.loads(facts["dataset_options"]),
        facts["data_digest"],
        parse_scale(facts["scale"]),
        int(facts["n_users"]) if "n_users" in facts else None,
        int(facts["n_items"]) if "n_items" in facts else None,
        versions,
    )


def parse_scale(text: str) -> tuple[float, float, float] | None:
    """Parse a scale as preprocessing writes it, for example "0.5,5.0,0.5"; None for an empty text."""
    if not text:
        return None
    low, high, step = (float(part) for part in text.split(","))
    return low, high, step
