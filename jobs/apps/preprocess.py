"""Clean a source's rows and store the tables that models read; count every dropped row by its reason."""

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from core.errors import JobError, UsageError
from core.options import parse
from datasets.dataset import Dataset, find
from datasets.source import Raw
from jobs.prepare import stored
from jobs.prepare.build import Cleaned, clean, statistics
from jobs.prepare.cleaning import Limits
from jobs.prepare.stored import RATINGS
from jobs.runtime.concurrent_actions import run_concurrently
from jobs.runtime.context import Context, JobKind
from jobs.runtime.request import Result

_SHOWN_REASONS = 20
_SAMPLE_STEPS = 1_000_000


@dataclass(frozen=True)
class PreprocessParams:
    """Parameters of cleaning.

    Attributes:
        k_core: drop users and items with fewer ratings, repeatedly; part of the protocol; 0 keeps all.
        max_rejected_share: largest share of rows that may be unreadable or out of range.
        min_rating: lowest accepted rating; None takes it from the variant's scale.
        max_rating: highest accepted rating; None takes it from the variant's scale.
        sample: share of the users that are read, chosen by a hash of their key: fewer rows and users, the same
            items. The users of a smaller share are also in a larger one.
    """

    k_core: int = 0
    max_rejected_share: float = 0.01
    min_rating: float | None = None
    max_rating: float | None = None
    sample: float = 1.0

    def __post_init__(self) -> None:
        if self.k_core < 0:
            raise UsageError(f"k_core must be 0 or more, got {self.k_core}")
        if not 0 <= self.max_rejected_share <= 1:
            raise UsageError(f"max_rejected_share must lie between 0 and 1, got {self.max_rejected_share}")
        if not 0 < self.sample <= 1:
            raise UsageError(
                f"sample (a share of the users) must be above 0 and at most 1, got {self.sample}"
            )


class Preprocess:
    """Phases: read_clean (read, check, deduplicate, number), write (all tables)."""

    kind: JobKind = "passes"

    def parameters(self) -> frozenset[str]:
        return frozenset(field.name for field in dataclasses.fields(PreprocessParams))

    def run(self, context: Context) -> Result:
        request = context.request
        params = parse(PreprocessParams, request.params, "parameters of preprocess")
        dataset = find(request.dataset, request.dataset_options)
        limits = _limits(params, dataset)
        path = Path(request.dataset_path)
        result: Result | None = None
        for _ in context.passes():
            with context.phases.phase("read_clean"):
                raw = dataset.read(context.spark, path)
                if raw.ratings is None:
                    raise JobError(
                        f"{dataset.name} has items only, no ratings, so no model can be trained on it: choose a data set "
                        "with interactions (python -m datasets list)"
                    )
                cleaned = clean(
                    _sampled(raw, params.sample),
                    limits,
                    params.k_core,
                    params.max_rejected_share,
                    request.dataset_path or dataset.name,
                    advise=partial(dataset.advise, path),
                )
            for text in cleaned.warnings:
                context.warn(text)
            facts = {
                "dataset": dataset.name,
                "dataset_options": json.dumps(dict(request.dataset_options), sort_keys=True),
                "data_digest": cleaned.digest,
                "scale": _scale(limits, cleaned),
                "k_core": str(params.k_core),
            }
            with context.phases.phase("write"):
                _write(context, cleaned, facts)
            cleaned.release()
            result = _result(cleaned, facts)
        assert result is not None
        return result


def _sampled(raw: Raw, share: float) -> Raw:
    """Leave out the ratings of the users that are not in the sample; rows without a user stay, to be rejected."""
    if share == 1 or raw.ratings is None:
        return raw
    place = F.pmod(F.xxhash64("user", F.lit("sample")), F.lit(_SAMPLE_STEPS)) < int(share * _SAMPLE_STEPS)
    kept = F.col("user").isNull() | place
    records = None if raw.records is None else raw.records.where(kept)
    return raw._replace(ratings=raw.ratings.where(kept), records=records)


def _limits(params: PreprocessParams, dataset: Dataset) -> Limits:
    low, high, step = dataset.description.scale or (None, None, None)
    if params.min_rating is not None:
        low, step = params.min_rating, None
    if params.max_rating is not None:
        high = params.max_rating
    return Limits(low, high, step)


def _scale(limits: Limits, cleaned: Cleaned) -> str:
    """Write the scale as "lowest,highest,step": what was set, else what was seen (step 0); "" without ratings."""
    if cleaned.observed is None:
        return ""
    low = cleaned.observed[0] if limits.low is None else limits.low
    high = cleaned.observed[1] if limits.high is None else limits.high
    return f"{low},{high},{limits.step or 0.0}"


def _write(context: Context, cleaned: Cleaned, facts: Mapping[str, str]) -> None:
    store = context.store
    tables = {
        "ratings": cleaned.ratings.select(*RATINGS.fieldNames()),
        "users": _in_one_file(cleaned.users.select("user", "key"), "user"),
        "items": _in_one_file(cleaned.items, "item"),
        "user_stats": _in_one_file(statistics(cleaned.ratings, "user"), "user"),
        "item_stats": _in_one_file(statistics(cleaned.ratings, "item"), "item"),
        "rejected": cleaned.rejected.select("file", "line", "text", "reason").orderBy("file", "line", "text"),
    }
    written = run_concurrently(*(partial(store.write, name, frame) for name, frame in tables.items()))
    counts = {"n_users": str(cleaned.n_users), "n_items": str(cleaned.n_items)}
    stored.finish(store, context.spark, {**facts, **counts}, dict(zip(tables, written, strict=True)))


def _in_one_file(frame: DataFrame, key: str) -> DataFrame:
    """Sort in the one task that writes; a sort by ranges would make Spark compute the rows twice, once to find the ranges."""
    return frame.repartition(1).sortWithinPartitions(key)


def _result(cleaned: Cleaned, facts: Mapping[str, str]) -> Result:
    ordered = sorted(cleaned.dropped.items(), key=lambda reason: (-reason[1], reason[0]))
    shown, rest = ordered[:_SHOWN_REASONS], ordered[_SHOWN_REASONS:]
    if rest:
        shown.append((f"{len(rest)} other reasons", sum(count for _, count in rest)))
    counts = {
        "rows_in": cleaned.rows_in,
        "rows_out": cleaned.rows_out,
        "users": cleaned.n_users,
        "items": cleaned.n_items,
        "items_rated": cleaned.rated_items,
        "k_core_rounds": cleaned.rounds,
    }
    for reason, count in shown:
        name = f"dropped.{_slug(reason)}"
        counts[name] = counts.get(name, 0) + count
    table: list[list[Any]] = [
        ["rows", "count"],
        ["in", cleaned.rows_in],
        *([f"dropped: {reason}", count] for reason, count in shown),
        ["out", cleaned.rows_out],
        ["users", cleaned.n_users],
        ["items", cleaned.n_items],
    ]
    return Result(job="preprocess", status="ok", counts=counts, info=dict(facts), table=table)


def _slug(reason: str) -> str:
    """Turn a reason into text that a metric's name may contain."""
    return re.sub(r"[^a-z0-9]+", "_", reason.lower()).strip("_")[:60] or "unnamed"


JOB = Preprocess()
