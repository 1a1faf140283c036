"""Explores a data set: aggregates for pictures, computed where the data lies."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark import StorageLevel
from pyspark.sql import DataFrame

from core.errors import JobError
from core.options import parse
from datasets.dataset import find
from jobs.prepare import explore, stored
from jobs.runtime.context import Context, JobKind
from jobs.runtime.request import Result


@dataclass(frozen=True)
class EdaParams:
    """Exploring needs no parameters."""


class Eda:
    """Phases: interactions (where there are any), catalogue. The answer is JSON under "aggregates" in the result's info.

    A data set with ratings is read from the store, as preprocessing left it; one of items only from its source.
    """

    kind: JobKind = "passes"

    def parameters(self) -> frozenset[str]:
        return frozenset()

    def run(self, context: Context) -> Result:
        request = context.request
        parse(EdaParams, request.params, "parameters of eda")
        dataset = find(request.dataset, request.dataset_options)
        counts: dict[str, int] = {}
        found: dict[str, Any] = {}
        for _ in context.passes():
            if dataset.description.has_ratings:
                counts, found = _rated(context)
            else:
                raw = dataset.read(context.spark, Path(request.dataset_path))
                assert raw.items is not None  # a source has ratings or items
                unrated = raw.items.selectExpr("*", "cast(null as int) as n", "cast(null as float) as mean")
                with context.phases.phase("catalogue"):
                    counts, found = _catalogue(unrated)
                    counts["rejected"] = raw.rejected.count()
            if not counts["items"]:
                raise JobError(
                    f"{dataset.name} has no items, so there is nothing to explore: check its files (python -m datasets describe "
                    f"{dataset.name})"
                )
        return Result(job="eda", status="ok", counts=counts, info={"aggregates": json.dumps(found)})


def _rated(context: Context) -> tuple[dict[str, int], dict[str, Any]]:
    tables, summary = stored.load(context.store)
    users, items = (
        context.store.read(name, summary.versions[name])
        .select(key, "n", "mean")
        .persist(StorageLevel.MEMORY_AND_DISK)
        for name, key in (("user_stats", "user"), ("item_stats", "item"))
    )
    try:
        with context.phases.phase("interactions"):
            catalogue = tables.items.count()
            interactions: dict[str, Any] = {
                "ratings": explore.ratings(tables.ratings),
                "users": explore.activity(users),
                "items": explore.activity(items),
                "intervals": explore.by_interval(items, catalogue),
            }
            rows = tables.ratings.count()
        described = tables.items.drop("n", "mean").join(items, "item", "left")
        with context.phases.phase("catalogue"):
            counts, found = _catalogue(described)
    finally:
        for frame in (users, items):
            frame.unpersist()
    return {**counts, "rows": rows, "users": interactions["users"]["count"]}, {**interactions, **found}


def _catalogue(items: DataFrame) -> tuple[dict[str, int], dict[str, Any]]:
    """Explore items: (year, genres, tags, features as in ITEMS; n int and mean float, null without ratings)."""
    held = items.select("year", "genres", "tags", "features", "n", "mean").persist(
        StorageLevel.MEMORY_AND_DISK
    )
    try:
        found = {
            "genres": explore.genres(held),
            "decades": explore.decades(held),
            "tags": explore.tags(held),
            "features": explore.features(held),
        }
        return {"items": held.count()}, found
    finally:
        held.unpersist()


JOB = Eda()
