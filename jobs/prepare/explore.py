"""Aggregates of a data set; their size does not grow with the data.

Counts are put into bins of powers of two: bin 0 holds 0, bin b from 1 holds 2^(b-1) to 2^b - 1. An answer is plain JSON;
what the data set lacks is None.
"""

from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

INTERVALS = ((0, 49), (50, 99), (100, 200), (201, None))
"""Number of ratings of an item, both ends included; None is no end. Every count is in exactly one."""

QUANTILES = (0.1, 0.5, 0.9)
FEATURE_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MOST_VALUES = 40  # so many different ratings are counted one by one
MOST_GENRES = 25
MOST_TAGS = 15
MOST_FEATURES = 30
MOST_DECADES = 60
BINS = 30
_ACCURACY = 10_000


def log_bin(count: Column) -> Column:
    """Return the bin of a count; exact, as logarithms of floating point are not."""
    return F.when(count <= 0, 0).otherwise(F.length(F.bin(count.cast("long"))))


def bin_range(number: int) -> tuple[int, int]:
    """Return the smallest and the largest count of a bin."""
    return (0, 0) if number == 0 else (2 ** (number - 1), 2**number - 1)


def interval(count: Column) -> Column:
    """Return which of `INTERVALS` a count is in, from 0."""
    found = F.lit(0)
    for number, (least, _) in enumerate(INTERVALS):
        found = F.when(count >= least, number).otherwise(found)
    return found


def ratings(frame: DataFrame) -> dict[str, Any] | None:
    """Describe the ratings (rating float); None if no row has a rating.

    Returns:
        n, mean, sd, low, high, and `values`: [from, to, count] for each rating that occurs, or for each of `BINS` parts of
        the scale where there are more than `MOST_VALUES` of them (`to` is excluded, except in the last part).
    """
    rated = frame.where(F.col("rating").isNotNull())
    total = rated.agg(
        F.count("*").alias("n"),
        F.mean("rating").alias("mean"),
        F.stddev_samp("rating").alias("sd"),
        F.min("rating").alias("low"),
        F.max("rating").alias("high"),
    ).first()
    assert total is not None
    if not total["n"]:
        return None
    single = rated.groupBy("rating").count().limit(MOST_VALUES + 1).collect()
    if len(single) <= MOST_VALUES:
        values = [[row["rating"], row["rating"], row["count"]] for row in sorted(single)]
    else:
        low, high = float(total["low"]), float(total["high"])
        rows = rated.groupBy(_part(F.col("rating"), F.lit(low), F.lit(high)).alias("bin")).count().collect()
        values = [[*_edges(low, high, row["bin"]), row["count"]] for row in sorted(rows)]
    return {**total.asDict(), "values": values}


def activity(stats: DataFrame) -> dict[str, Any]:
    """Describe how many ratings users or items have, and what they average.

    Args:
        stats: (n int, mean float), one row a user or item with ratings; mean is null if the data has no ratings.

    Returns:
        count, least, median, most (of n), and `bins`: see `_averages`, by number of ratings.
    """
    row = stats.agg(
        F.count("*").alias("count"),
        F.min("n").alias("least"),
        F.percentile_approx("n", 0.5, _ACCURACY).alias("median"),
        F.max("n").alias("most"),
    ).first()
    assert row is not None
    return {**row.asDict(), "bins": _averages(stats, F.col("n"))}


def by_interval(stats: DataFrame, catalogue: int) -> list[dict[str, int]]:
    """Count items and their ratings in each of `INTERVALS`; items that nobody rated are in the first.

    Args:
        stats: as of `activity`, of items.
        catalogue: how many items there are, with and without ratings.

    Returns:
        items, ratings and unrated of each interval, in order.
    """
    rows = stats.groupBy(interval(F.col("n")).alias("at")).agg(
        F.count("*").alias("items"), F.sum("n").alias("ratings")
    )
    found = {row["at"]: row for row in rows.collect()}
    rated = sum(row["items"] for row in found.values())
    counted = [
        {"items": found[at]["items"], "ratings": int(found[at]["ratings"]), "unrated": 0}
        if at in found
        else {"items": 0, "ratings": 0, "unrated": 0}
        for at in range(len(INTERVALS))
    ]
    counted[0]["unrated"] = catalogue - rated
    counted[0]["items"] += catalogue - rated
    return counted


def tags(items: DataFrame) -> dict[str, Any] | None:
    """Describe tags; a tag that an item got twice counts twice.

    Args:
        items: (tags map<string,int>, n int, mean float); n and mean are null for an item without ratings.

    Returns:
        items (with a tag), uses, `histogram`: [bin, items] by number of tags, `averages`: see `_averages`, by number of
        tags over items with an average, and `top`: [tag, uses]. None if no item has a tag.
    """
    uses = F.coalesce(
        F.aggregate(F.map_values("tags"), F.lit(0).cast("long"), lambda total, value: total + value),
        F.lit(0).cast("long"),
    )
    counted = items.select("tags", uses.alias("uses"), "mean")
    histogram = counted.groupBy(log_bin(F.col("uses")).alias("bin")).agg(
        F.count("*").alias("items"), F.sum("uses").alias("uses")
    )
    rows = sorted(histogram.collect())
    total = int(sum(row["uses"] for row in rows))
    if not total:
        return None
    each = (
        counted.select(F.explode("tags").alias("tag", "uses")).groupBy("tag").agg(F.sum("uses").alias("uses"))
    )
    top = each.orderBy(F.desc("uses"), "tag").limit(MOST_TAGS).collect()
    return {
        "items": sum(row["items"] for row in rows if row["bin"]),
        "uses": total,
        "histogram": [[row["bin"], row["items"]] for row in rows],
        "averages": _averages(counted.where(F.col("mean").isNotNull()), F.col("uses")),
        "top": [[row["tag"], row["uses"]] for row in top],
    }


def genres(items: DataFrame) -> dict[str, Any] | None:
    """Count the items, and their ratings, of each genre; an item may have several.

    Returns:
        without (items that have none), others (genres beyond those shown) and `top`: [genre, items, ratings, mean rating or
        None], most items first. None if no item has a genre.
    """
    listed = items.select(
        F.explode(F.array_distinct("genres")).alias("genre"), F.coalesce("n", F.lit(0)).alias("n"), "mean"
    )
    each = listed.groupBy("genre").agg(
        F.count("*").alias("items"),
        F.sum("n").alias("ratings"),
        (F.sum(F.col("n") * F.col("mean")) / F.sum(F.when(F.col("mean").isNotNull(), F.col("n")))).alias(
            "mean"
        ),
    )
    top = each.orderBy(F.desc("items"), "genre").limit(MOST_GENRES).collect()
    if not top:
        return None
    without = items.where(F.coalesce(F.size("genres"), F.lit(0)) <= 0).count()
    return {
        "without": without,
        "others": max(0, each.count() - len(top)),
        "top": [[row["genre"], row["items"], int(row["ratings"]), row["mean"]] for row in top],
    }


def decades(items: DataFrame) -> list[list[int]] | None:
    """Count items by decade: [first year, items], oldest first; None if no item has a year."""
    decade = (F.floor(F.col("year") / 10) * 10).cast("int")
    rows = items.where("year is not null").groupBy(decade.alias("decade")).count()
    found = sorted(rows.orderBy(F.desc("count")).limit(MOST_DECADES).collect())
    return [[row["decade"], row["count"]] for row in found] or None


def features(items: DataFrame) -> dict[str, Any] | None:
    """Describe each numeric feature by its quantiles and a histogram of `BINS` equal parts of its range.

    Returns:
        left_out (features beyond those shown) and `each`: name -> n, mean, sd, low, high, quantiles (of
        `FEATURE_QUANTILES`) and counts (of the parts). None if no item has a feature.
    """
    values = items.select(F.explode("features").alias("name", "value")).where(
        "value is not null and not isnan(value)"
    )
    summed = values.groupBy("name").agg(
        F.count("*").alias("n"),
        F.mean("value").alias("mean"),
        F.stddev_samp("value").alias("sd"),
        F.min("value").alias("low"),
        F.max("value").alias("high"),
        F.percentile_approx("value", list(FEATURE_QUANTILES), _ACCURACY).alias("quantiles"),
    )
    kept = summed.orderBy(F.desc("n"), "name").limit(MOST_FEATURES).collect()
    if not kept:
        return None
    each = {row["name"]: {**row.asDict(), "counts": [0] * BINS} for row in sorted(kept)}
    ranges = items.sparkSession.createDataFrame(
        [(row["name"], float(row["low"]), float(row["high"])) for row in kept],
        "name string, low double, high double",
    )
    binned = values.join(F.broadcast(ranges), "name").groupBy(
        "name", _part(F.col("value"), F.col("low"), F.col("high")).alias("bin")
    )
    for row in binned.count().collect():
        each[row["name"]]["counts"][row["bin"]] = row["count"]
    return {"left_out": max(0, summed.count() - len(kept)), "each": each}


def _averages(frame: DataFrame, count: Column) -> list[dict[str, Any]]:
    """Describe the averages (mean float) of users or items by a count: bin, n, mean and quantiles (of `QUANTILES`)."""
    rows = frame.groupBy(log_bin(count).alias("bin")).agg(
        F.count("*").alias("n"),
        F.mean("mean").alias("mean"),
        F.percentile_approx("mean", list(QUANTILES), _ACCURACY).alias("quantiles"),
    )
    return [row.asDict() for row in sorted(rows.collect(), key=lambda row: row["bin"])]


def _part(value: Column, low: Column, high: Column) -> Column:
    """Return which of `BINS` equal parts of a range a value is in, the upper end in the last."""
    share = (value - low) / F.when(high > low, high - low).otherwise(1.0)
    return F.least(F.floor(share * BINS), F.lit(BINS - 1)).cast("int")


def _edges(low: float, high: float, number: int) -> list[float]:
    step = (high - low) / BINS
    return [low + number * step, low + (number + 1) * step]
