"""Takes the terms by which items can be compared out of the catalogue: words, genres, tags, people and numbers.

Only the catalogue is read, never a rating. A number counts as two terms, the knots on either side of it: knots stand at
equal shares of the items that have the number, and a number that lies a share t of the way from one to the next has
the terms with sqrt(1 - t) and sqrt(t). So equal numbers have a cosine of 1, near ones less, and those more than a knot
apart 0, whatever the number's unit and however skewed it is.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from datasets.errors import UsageError
from jobs.errors import JobError
from jobs.kernels import Ints
from jobs.vectors import Vectors, vectors

GROUPS = ("text", "genres", "tags", "people", "features")
_KINDS = ("word", "genre", "tag", "person", "")  # how a term of each group is called in a reason
_NO_WORD = r"[^\p{L}\p{M}\p{N}]+"
_YEAR_IN_TITLE = r"\(\d{4}\)"


class Catalogue(NamedTuple):
    """What is known of the items.

    `ids` are int32 [m], ascending; `names` are texts for people, one for each term of `vectors`, as "genre Comedy".
    """

    ids: Ints
    vectors: Vectors
    names: list[str]


class Weights(NamedTuple):
    """How much each of GROUPS counts; 0 leaves it out."""

    text: float
    genres: float
    tags: float
    people: float
    features: float


def check_options(weights: Weights, min_items: int, knots: int) -> None:
    """Refuse what makes no vectors.

    Raises:
        UsageError: names the value and what it must be.
    """
    if min(weights) < 0 or max(weights) <= 0:
        raise UsageError(
            f"weights {dict(zip(GROUPS, weights, strict=True))}: none may be negative, and one must count"
        )
    if min_items < 1 or knots < 2:
        raise UsageError(
            f"min_items={min_items}, knots={knots}: min_items must be at least 1, knots at least 2"
        )


def catalogue(
    items: DataFrame, rated: npt.NDArray[Any], weights: Weights, min_items: int, knots: int
) -> Catalogue:
    """Make the items' vectors.

    Args:
        items: the table of items.
        rated: ids of the items that have ratings; one that is not in the table has a vector of length 0.
        weights: of the groups.
        min_items: terms of fewer items are left out: what one item alone has tells nothing of another.
        knots: at most so many for each number.

    Raises:
        JobError: the table is empty, or no two items have a term in common.
    """
    listed = items.select("item").toPandas()["item"].to_numpy(dtype=np.int32)
    if not len(listed):
        raise JobError(
            "the catalogue is empty, and a content model knows items by nothing else: preprocess a data set that "
            "describes its items, or use a model of ratings alone (als, knn)"
        )
    ids = np.union1d(listed, rated).astype(np.int32)
    names, groups, entries = _collect(items, min_items, knots)
    used = np.asarray(weights)[groups] > 0
    if not used.any():
        raise JobError(
            f"no {min_items} of the {len(listed):,} items in the catalogue have a word, genre, tag, person or number "
            "in common that counts: a content model has nothing to go by; use a data set that describes its items, "
            "lower min_items, or use a model of ratings alone (als, knn)"
        )
    matrix = vectors(
        np.searchsorted(ids, entries["item"].to_numpy()).astype(np.int32),
        entries["term"].to_numpy(dtype=np.int32),
        entries["n"].to_numpy(dtype=np.float64),
        groups=groups,
        weights=np.asarray(weights, dtype=np.float64),
        m=len(ids),
    )
    return Catalogue(ids, matrix, names)


def _collect(items: DataFrame, min_items: int, knots: int) -> tuple[list[str], npt.NDArray[np.int64], Any]:
    """Return the names and groups of the terms, and the entries (item, term, n)."""
    at = _knots(items, knots)
    summed = _tokens(items, at).groupBy("item", "group", "token").agg(F.sum("n").alias("n"))
    tokens = summed.persist(StorageLevel.MEMORY_AND_DISK)
    counted = tokens.groupBy("group", "token").count().where(F.col("count") >= min_items)
    number = F.row_number().over(Window.orderBy("group", "token")) - 1
    terms = counted.select(number.alias("term"), "group", "token").persist()
    try:
        rows = terms.orderBy("term").toPandas()
        often = F.col("group").isin(GROUPS.index("text"), GROUPS.index("tags"))
        n = F.when(often, 1 + F.log("n")).otherwise(F.col("n"))
        entries = tokens.join(terms, ["group", "token"]).select("item", "term", n.alias("n")).toPandas()
    finally:
        terms.unpersist()
        tokens.unpersist()
    places = {(name, place): value for name, values in at for place, value in enumerate(values, 1)}
    names = [_name(group, token, places) for group, token in zip(rows["group"], rows["token"], strict=True)]
    return names, rows["group"].to_numpy(dtype=np.int64), entries


def _name(group: int, token: str, places: dict[tuple[str, int], float]) -> str:
    if GROUPS[group] != "features":
        return f"{_KINDS[group]} {token}"
    name, _, place = token.rpartition(" ")
    return f"{name} about {float(f'{places[name, int(place)]:.4g}'):g}"


def _tokens(items: DataFrame, at: list[tuple[str, list[float]]]) -> DataFrame:
    """Return (item, group, token, n) of all groups; a token may come several times."""
    title = F.regexp_replace(F.coalesce("title", F.lit("")), _YEAR_IN_TITLE, " ")
    words = F.split(F.lower(F.concat_ws(" ", title, "text")), _NO_WORD)
    found = [
        _entries(items.select("item", F.explode(words).alias("token")), "text"),
        *(
            _entries(items.select("item", F.explode(F.array_distinct(name)).alias("token")), name)
            for name in ("genres", "people")
        ),
        _entries(
            items.select("item", F.explode("tags").alias("token", "n")), "tags", F.lower("token"), F.col("n")
        ),
    ]
    if at:
        found.append(_numbers(items, at))
    result = found[0]
    for frame in found[1:]:
        result = result.unionByName(frame)
    return result


def _entries(frame: DataFrame, group: str, token: Column | None = None, n: Column | None = None) -> DataFrame:
    number = F.lit(GROUPS.index(group)).alias("group")
    name = F.trim(F.col("token") if token is None else token).alias("token")
    times = (F.lit(1.0) if n is None else n).cast("double").alias("n")
    return frame.select("item", number, name, times).where("token != '' and n > 0")


def _melted(items: DataFrame) -> DataFrame:
    """Return all numbers as (item, name, value)."""
    year = items.select("item", F.lit("year").alias("name"), F.col("year").cast("double").alias("value"))
    others = items.select("item", F.explode("features").alias("name", "value"))
    value = F.col("value").cast("double")
    both = year.unionByName(others.where("name != 'year'").select("item", "name", value.alias("value")))
    return both.where(F.abs("value") < F.lit(float("inf")))  # NaN is larger than infinity to Spark


def _knots(items: DataFrame, knots: int) -> list[tuple[str, list[float]]]:
    """Return the knots of each number, ascending; a number that is the same everywhere tells nothing."""
    shares = [place / (knots - 1) for place in range(knots)]
    values = F.array_distinct(F.percentile("value", F.array(*map(F.lit, shares))))
    rows = _melted(items).groupBy("name").agg(values.alias("knots")).where(F.size("knots") > 1)
    return sorted((row["name"], list(row["knots"])) for row in rows.collect())


def _numbers(items: DataFrame, at: list[tuple[str, list[float]]]) -> DataFrame:
    known = items.sparkSession.createDataFrame(at, "name string, knots array<double>")
    rows = _melted(items).join(F.broadcast(known), "name")
    below = F.size(F.filter("knots", lambda knot: knot <= F.col("value")))
    placed = rows.withColumn("at", F.least(below, F.size("knots") - 1))
    low, high = F.element_at("knots", F.col("at")), F.element_at("knots", F.col("at") + 1)
    shared = placed.withColumn("share", (F.col("value") - low) / (high - low))
    terms = F.array(
        F.struct(F.col("at").alias("place"), F.sqrt(1 - F.col("share")).alias("n")),
        F.struct((F.col("at") + 1).alias("place"), F.sqrt("share").alias("n")),
    )
    each = shared.select("item", "name", F.explode(terms).alias("term"))
    token = F.concat_ws(" ", "name", F.col("term.place").cast("string"))
    return _entries(
        each.select("item", token.alias("token"), F.col("term.n").alias("n")), "features", n=F.col("n")
    )
