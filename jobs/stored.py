"""The tables that preprocessing leaves in a store, and how the next job knows that they belong together.

Each table is replaced whole or not at all, but there are several. `summary` is written after the last of them and names
the version of each, so that readers find those of one preprocessing together: of the one before where the last was
interrupted or still runs, and never a mixture of two that run at the same time.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import SparkSession

from jobs.errors import JobError
from jobs.model import Tables
from jobs.store import Store

SUMMARY = "summary"
_COMPLETE = "complete"
_SCHEMA = "key string, value string"


@dataclass(frozen=True)
class Summary:
    """Summary of the stored tables; `scale` is (lowest, highest, step), None without a rating scale.

    `dataset` and `options` are those that the tables were made from. `n_users` and `n_items` are the rows of the tables
    of users and items; None in tables of an older version, of which nobody has made sure either that each pair of user
    and item has one rating. `versions` are those of all tables that belong together.
    """

    dataset: str
    options: Mapping[str, Any]
    digest: str
    scale: tuple[float, float, float] | None
    n_users: int | None = None
    n_items: int | None = None
    versions: Mapping[str, int] = field(default_factory=dict)


def finish(store: Store, spark: SparkSession, facts: Mapping[str, str], versions: Mapping[str, int]) -> None:
    """Say that all tables are there in these versions, with what is known of them."""
    named = json.dumps(dict(versions), sort_keys=True)
    rows = sorted({**facts, "state": _COMPLETE, "versions": named}.items())
    store.write(SUMMARY, spark.createDataFrame(rows, _SCHEMA).coalesce(1))


def facts_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return what a summary says, by its keys."""
    return {row["key"]: row["value"] for row in rows}


def versions_of(facts: Mapping[str, str]) -> dict[str, int]:
    """Return the version of each table that a summary names.

    Raises:
        JobError: it names none, as of an interrupted preprocessing of an older version.
    """
    if facts.get("state") != _COMPLETE or "versions" not in facts:
        raise JobError(
            "preprocessing was interrupted while it wrote its tables, or is of an older version, so they may not belong "
            "together: run it again (make preprocess DATASET=...)"
        )
    return {name: int(version) for name, version in json.loads(facts["versions"]).items()}


def named(summaries: Iterable[Iterable[Mapping[str, Any]]], table: str) -> set[int]:
    """Return the versions of a table that any of some summaries names: a reader of that summary will ask for it."""
    found = set()
    for rows in summaries:
        with suppress(JobError):
            found |= {number for name, number in versions_of(facts_of(rows)).items() if name == table}
    return found


def load(store: Store) -> tuple[Tables, Summary]:
    """Return the tables for a model.

    Raises:
        JobError: they are missing, or do not belong together.
    """
    facts = facts_of(store.rows(SUMMARY))
    versions = versions_of(facts)
    ratings, items, users = (store.read(name, versions[name]) for name in ("ratings", "items", "users"))
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
    """Read a scale as preprocessing writes it: "0.5,5.0,0.5", or nothing."""
    if not text:
        return None
    low, high, step = (float(part) for part in text.split(","))
    return low, high, step
