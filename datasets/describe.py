"""Description of a data set as a page of text."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from datasets.dataset import Dataset
from datasets.fetch.check import rows_remark
from datasets.source import Raw

_BAR = 40


class Facts(NamedTuple):
    """Counts of a data set; `histogram` is rating -> rows, `rejected` is (file, reason) -> lines, rows None means items only."""

    rows: int | None
    users: int
    items: int
    mean: float | None
    first: str | None
    last: str | None
    histogram: dict[float | None, int]
    folds: dict[str, int]
    described: int | None
    rejected: dict[tuple[str, str], int]


def count(raw: Raw) -> Facts:
    """Count what a source has read."""
    described = None if raw.items is None else raw.items.count()
    rejected = {
        (row.file, row.reason): row["count"]
        for row in raw.rejected.groupBy("file", "reason").count().collect()
    }
    if raw.ratings is None:
        return Facts(None, 0, 0, None, None, None, {}, {}, described, rejected)
    ratings = raw.ratings.persist()
    try:
        total = ratings.agg(
            F.count("*").alias("rows"),
            F.countDistinct("user").alias("users"),
            F.countDistinct("item").alias("items"),
            F.avg("rating").alias("mean"),
            _utc(F.min("at")).alias("first"),
            _utc(F.max("at")).alias("last"),
        ).first()
        histogram = _by(ratings, "rating")
        folds = {fold: rows for fold, rows in _by(ratings, "fold").items() if fold is not None}
    finally:
        ratings.unpersist()
    assert total is not None
    return Facts(**total.asDict(), histogram=histogram, folds=folds, described=described, rejected=rejected)


def text(dataset: Dataset, facts: Facts) -> str:
    """Return the page."""
    return "\n".join(_lines(dataset, facts)) + "\n"


def _lines(dataset: Dataset, facts: Facts) -> Iterator[str]:
    variant = dataset.description
    yield f"{dataset.name}: {variant.description}"
    yield ""
    if facts.rows is None:
        yield "ratings   none: this data set describes items only"
        yield f"items     {facts.described or 0:,} described"
    else:
        yield from _ratings(facts, facts.rows, variant.rows)
    yield from _rejected(facts)
    yield ""
    yield f"licence   {dataset.source.licence}"
    yield f"citation  {dataset.source.citation}"


def _ratings(facts: Facts, rows: int, published: int | None) -> Iterator[str]:
    yield f"ratings   {rows:,} ({rows_remark(rows, published)})"
    yield f"users     {facts.users:,}"
    described = "" if facts.described is None else f" rated, {facts.described:,} described"
    yield f"items     {facts.items:,}{described}"
    if facts.users and facts.items:
        yield f"sparsity  {1 - rows / (facts.users * facts.items):.3%} of the pairs have no rating"
        yield f"          {rows / facts.users:.1f} ratings a user, {rows / facts.items:.1f} an item"
    yield f"time      {facts.first} to {facts.last} UTC" if facts.first else "time      not given"
    if facts.folds:
        yield "folds     " + ", ".join(f"{fold} {rows:,}" for fold, rows in sorted(facts.folds.items()))
    yield from _histogram(facts, rows)


def _histogram(facts: Facts, total: int) -> Iterator[str]:
    if not facts.histogram:
        return
    yield ""
    mean = "" if facts.mean is None else f", mean {facts.mean:.3f}"
    yield f"rating{mean}"
    most = max(facts.histogram.values())
    for rating, rows in sorted(facts.histogram.items(), key=lambda pair: (pair[0] is not None, pair[0])):
        label = "none" if rating is None else f"{rating:g}"
        yield f"{label:>8}  {'#' * round(_BAR * rows / most):<{_BAR}}  {rows:>11,}  {rows / total:6.1%}"


def _rejected(facts: Facts) -> Iterator[str]:
    yield ""
    yield f"rejected  {sum(facts.rejected.values()):,} lines"
    for (file, reason), lines in sorted(facts.rejected.items()):
        yield f"{lines:>8,}  {file}: {reason}"


def _by(frame: DataFrame, column: str) -> dict[Any, int]:
    return {row[column]: row["count"] for row in frame.groupBy(column).count().collect()}


def _utc(column: Any) -> Any:
    """Format a time in UTC to the second, whatever the session's time zone."""
    return F.date_format(F.to_utc_timestamp(column, F.current_timezone()), "yyyy-MM-dd HH:mm:ss")
