"""Take the terms by which items can be compared out of the catalogue: words, genres, tags, people and numbers.

Only the catalogue is read, never a rating. A number counts as two terms, the knots on either side of it: knots stand at
equal shares of the items that have the number, and a number that lies a share t of the way from one to the next has
the terms with sqrt(1 - t) and sqrt(t). So equal numbers have a cosine of 1, near ones less, and those more than a knot
apart 0, whatever the number's unit and however skewed it is.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from core.errors import JobError, UsageError
from jobs.engine.arrays import Ints
from jobs.engine.vectors import Vectors, vectors

GROUPS = ("text", "genres", "tags", "people", "features")
_KINDS = ("word", "genre", "tag", "person")  # how a term of each group is called in a reason
_NO_WORD = r"[^\p{L}\p{M}\p{N}]+"
_BETWEEN = 4  # so many items with a number ask for another knot
_YEAR_IN_TITLE = r"\(\d{4}\)"


class Catalogue(NamedTuple):
    """Vectors of the items, and the names of their terms.

    `ids` are int32 [m], ascending; `names` are texts for people, one for each term of `vectors`, as "genre Comedy".
    """

    ids: Ints
    vectors: Vectors
    names: list[str]


class Weights(NamedTuple):
    """Weight of each of GROUPS; 0 leaves it out."""

    text: float
    genres: float
    tags: float
    people: float
    features: float


def check_options(weights: Weights, min_items: int, knots: int) -> None:
    """Refuse options from which no vectors can be made.

    Raises:
        UsageError: with the values and the allowed ones.
    """
    if min(weights) < 0 or max(weights) <= 0:
        raise UsageError(
            f"weights must be 0 or more, and at least one above 0, got {dict(zip(GROUPS, weights, strict=True))}"
        )
    if min_items < 1 or knots < 2:
        raise UsageError(
            f"min_items must be 1 or more and knots 2 or more, got min_items={min_items}, knots={knots}"
        )


class UndescribedError(JobError):
    """Nothing is known of the items by which they could be compared."""


def catalogue(
    items: DataFrame, rated: npt.NDArray[Any], weights: Weights, min_items: int, knots: int
) -> Catalogue:
    """Make the items' vectors.

    Args:
        items: the table of items.
        rated: ids of the items that have ratings; one that is not in the table has a vector of length 0.
        weights: of the groups.
        min_items: terms of fewer items are left out: what one item alone has tells nothing of another.
        knots: at most so many for each number; fewer for one that few items have.

    Raises:
        UndescribedError: the table is empty, or no two items have a term in common.
    """
    listed = _listed(items)
    if listed.empty:
        raise UndescribedError(
            "the catalogue is empty, and a content model needs descriptions of items: preprocess a data set that "
            "describes its items, or use a model of ratings only (als, knn)"
        )
    ids = np.union1d(listed["item"].to_numpy(), rated).astype(np.int32)
    names, groups, entries = _terms(listed, min_items, knots)
    used = np.asarray(weights)[groups] > 0
    if not used.any():
        raise UndescribedError(
            f"no {min_items} of the {listed['item'].nunique():,} items in the catalogue have a word, genre, tag, person or number "
            "in common with a weight above 0, so a content model cannot compare them: use a data set that describes its items, "
            "lower min_items, or use a model of ratings only (als, knn)"
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


def _listed(items: DataFrame) -> Any:
    """Return all that items have as (item, group, token, n), in one pass; an item that has nothing has a null token.

    A token may come several times for an item; of a number, `n` is the value.
    """
    title = F.regexp_replace(F.coalesce("title", F.lit("")), _YEAR_IN_TITLE, " ")
    words = F.split(F.lower(F.concat_ws(" ", title, "text")), _NO_WORD)
    once = F.lit(1.0)
    year = F.array(F.struct(F.lit("year").alias("key"), F.col("year").alias("value")))
    parts = [
        _part("text", words, lambda word: (word, once)),
        *(
            _part(name, F.array_distinct(name), lambda token: (F.trim(token), once))
            for name in ("genres", "people")
        ),
        _part("tags", F.map_entries("tags"), lambda tag: (F.lower(F.trim(tag["key"])), tag["value"])),
        _part("features", F.map_entries("features"), lambda number: (number["key"], number["value"])),
        _part("features", year, lambda number: (number["key"], number["value"])),
    ]
    rows = items.select("item", F.explode_outer(F.concat(*parts)).alias("row"))
    return rows.select("item", "row.group", "row.token", "row.n").toPandas()


def _part(group: str, values: Column, entry: Callable[[Column], tuple[Column, Column]]) -> Column:
    def struct(value: Column) -> Column:
        token, n = entry(value)
        number = F.lit(GROUPS.index(group)).alias("group")
        return F.struct(number, token.alias("token"), n.cast("double").alias("n"))

    none = F.array().cast("array<struct<group:int,token:string,n:double>>")
    return F.coalesce(F.transform(values, struct), none)


def _terms(listed: Any, min_items: int, knots: int) -> tuple[list[str], npt.NDArray[np.int64], Any]:
    """Return the names and groups of the terms, and the entries (item, term, n)."""
    finite = listed[np.isfinite(listed["n"]) & (listed["token"] != "")]
    numeric = finite["group"] == GROUPS.index("features")
    rows = finite[~numeric & (finite["n"] > 0)].groupby(["item", "group", "token"], as_index=False)["n"].sum()
    often = rows["group"].isin([GROUPS.index("text"), GROUPS.index("tags")])
    rows["n"] = np.where(often, 1 + np.log(rows["n"]), rows["n"])
    rows["name"] = [
        f"{_KINDS[group]} {token}" for group, token in zip(rows["group"], rows["token"], strict=True)
    ]
    numbers = finite[numeric].drop_duplicates(["item", "token"])
    both = [rows, *(_knotted(part, name, knots) for name, part in numbers.groupby("token"))]
    entries = pd.concat(both, ignore_index=True)[["item", "group", "name", "n"]]
    counted = entries.groupby(["group", "name"], as_index=False).size()
    terms = counted[counted["size"] >= min_items].reset_index(drop=True)
    terms["term"] = terms.index
    found = entries.merge(terms, on=["group", "name"])
    return terms["name"].to_list(), terms["group"].to_numpy(dtype=np.int64), found[["item", "term", "n"]]


def _knotted(rows: Any, name: str, knots: int) -> Any:
    """Return a number's entries: those of the knots on either side of each value; none if all values are the same."""
    values = rows["n"].to_numpy()
    some = min(knots, 1 + -(-len(values) // _BETWEEN))
    at = np.unique(np.quantile(values, np.linspace(0.0, 1.0, some)))
    if len(at) < 2:
        return rows.head(0).assign(name="")
    low = np.minimum(np.searchsorted(at, values, side="right") - 1, len(at) - 2)
    share = (values - at[low]) / (at[low + 1] - at[low])
    names = np.array([f"{name} about {float(f'{knot:.4g}'):g}" for knot in at], dtype=object)
    sides = [
        rows.assign(name=names[low], n=np.sqrt(1 - share)),
        rows.assign(name=names[low + 1], n=np.sqrt(share)),
    ]
    # Knots that read the same are one.
    return pd.concat(sides).query("n > 0").groupby(["item", "group", "name"], as_index=False)["n"].sum()
