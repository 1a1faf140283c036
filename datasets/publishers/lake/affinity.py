"""Ratings that follow from what people say they like and what titles are, in five parts.

A user and a title are compared by genres, directors, actors, decade and age rating. Each part is a number from 0 to 1, weighted
by WEIGHTS; a part that one of the two says nothing of does not count. The rating is 1 + 4 x the weighted mean, in half steps.

Genres, directors and actors: the overlap coefficient, which is the number of common entries / that of the shorter list (M. K.
Vijaymeena, K. Kavitha, "A Survey on Similarity Measures in Text Mining", MLAIJ 3(1), 2016). Decade: 1 if it is one of the
user's, else 0. Age rating: 1 if it is not above the user's, else 0; of ratings that AGES lacks, 1 if both are equal.
"""

from functools import reduce
from operator import add, or_
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from datasets.source import ITEMS

USER = ("generos", "directores", "actores", "decadas_favoritas", "clasificacion")
"""Columns in which a user says what they like."""

TITLE = ("titulo", "generos", "directores", "actores", "decada_lanzamiento", "clasificacion")
"""Columns in which the table of movies, and that of series, says what a title is."""

WEIGHTS = {"genres": 0.40, "directors": 0.15, "actors": 0.20, "decade": 0.15, "age_rating": 0.10}
"""Weight of each part."""

LOW, HIGH, STEP = 1.0, 5.0, 0.5
"""The scale of the ratings."""

AGES = {
    "g": 0,
    "pg": 8,
    "pg-13": 13,
    "r": 17,
    "nc-17": 18,
    "tv-y": 0,
    "tv-g": 0,
    "tv-y7": 7,
    "tv-pg": 8,
    "tv-14": 14,
    "tv-ma": 17,
}
"""Years from which on a title of this age rating is meant to be seen: films' ratings, and those of television."""

_LISTS = ("generos", "directores", "actores")
_PARTS = ("genres", "directors", "actors")
_PLACE = ("at", "partition", "offset")


class Rated(NamedTuple):
    """Ratings (user, item, rating, at), items of the schema ITEMS, and rejected rows (file, text, reason)."""

    ratings: DataFrame
    items: DataFrame
    rejected: DataFrame


def rated(users: DataFrame, movies: DataFrame, series: DataFrame, candidates: int, seed: int) -> Rated:
    """Rate for each user some of the titles, or all where there are no more than `candidates`.

    The same rows give the same ratings, in whatever order and partitions they come. A rating's time is that of the user's or the
    title's last message, whichever is later. Pairs of which no part is known have no rating.

    Args:
        users: table of the lake, of which each user's last message counts.
        movies: table of the lake; each title's last message counts.
        series: as `movies`.
        candidates: titles drawn for each user by a hash of user and seed; one that is drawn twice counts once.
        seed: another one draws others.
    """
    people = _last(users, USER)
    films, shows = _last(movies, TITLE), _last(series, TITLE)
    twice = shows.join(films.select("id"), "id", "left_semi")
    titles = films.unionByName(shows.join(films.select("id"), "id", "left_anti"))
    says = reduce(or_, (_known(name) for name in USER))
    pairs = _candidates(people.where(says), titles, candidates, seed)
    rejected = [
        _rejected(people.where(~says), "users", "says nothing of what they like"),
        _rejected(twice, "series", "has the id of a movie"),
    ]
    return Rated(_scored(pairs), _described(titles), reduce(DataFrame.unionByName, rejected))


def _last(table: DataFrame, columns: tuple[str, ...]) -> DataFrame:
    """Return the last message of each id: (id, at, columns), all texts as they are compared but for the title's."""
    row = F.struct(F.col("at"), *(_as_compared(name) for name in columns))
    newest = table.groupBy("id").agg(F.max_by(row, F.struct(*_PLACE)).alias("row"))
    return newest.select("id", "row.*")


def _as_compared(name: str) -> Column:
    if name == "titulo":
        return F.col(name)
    if name in (*_LISTS, "decadas_favoritas"):
        plain = F.transform(F.col(name), _plain)
        return F.array_distinct(F.filter(plain, lambda text: text != "")).alias(name)
    return F.nullif(_plain(F.col(name)), F.lit("")).alias(name)


def _plain(text: Column) -> Column:
    return F.lower(F.trim(text.cast("string")))


def _known(name: str) -> Column:
    if name.endswith("clasificacion"):
        return F.col(name).isNotNull()
    return F.coalesce(F.size(name) > 0, F.lit(False))


def _candidates(users: DataFrame, titles: DataFrame, candidates: int, seed: int) -> DataFrame:
    """Return pairs with both sides' columns, a user's as `u_...`."""
    people = users.select(*(F.col(name).alias(f"u_{name}") for name in users.columns))
    count = titles.count()
    if count <= candidates:
        return people.crossJoin(F.broadcast(titles))
    places = F.transform(
        F.sequence(F.lit(0), F.lit(candidates - 1)),
        lambda draw: F.pmod(F.xxhash64(F.lit(seed), F.col("u_id"), draw), F.lit(count)).cast("int"),
    )
    drawn = people.withColumn("place", F.explode(F.array_distinct(places)))
    numbered = titles.withColumn("place", F.row_number().over(Window.orderBy("id")) - 1)
    return drawn.join(F.broadcast(numbered), "place").drop("place")


def _scored(pairs: DataFrame) -> DataFrame:
    """Return (user, item, rating, at) of pairs of which a part is known.

    Each part is a column before it is used, so Spark computes it once; and pairs without one are left out by what they say, as
    a condition on the rating would be computed from the parts again.
    """
    parts = {part: _overlap(name) for part, name in zip(_PARTS, _LISTS, strict=True)}
    parts["decade"] = F.array_contains("u_decadas_favoritas", F.col("decada_lanzamiento")).cast("double")
    parts["age_rating"] = F.coalesce(
        _age("clasificacion") <= _age("u_clasificacion"), F.col("clasificacion") == F.col("u_clasificacion")
    ).cast("double")
    says = {part: _known(f"u_{name}") & _known(name) for part, name in zip(_PARTS, _LISTS, strict=True)}
    says["decade"] = _known("u_decadas_favoritas") & F.col("decada_lanzamiento").isNotNull()
    says["age_rating"] = _known("u_clasificacion") & _known("clasificacion")
    columns = [F.when(says[name], parts[name]).alias(name) for name in WEIGHTS]
    compared = pairs.where(reduce(or_, says.values())).select(
        F.col("u_id").alias("user"), F.col("id").alias("item"), F.greatest("u_at", "at").alias("at"), *columns
    )
    weighed = reduce(add, (F.coalesce(name, F.lit(0.0)) * weight for name, weight in WEIGHTS.items()))
    known = reduce(
        add, (F.when(F.col(name).isNotNull(), weight).otherwise(0.0) for name, weight in WEIGHTS.items())
    )
    rating = LOW + F.round(weighed / known * ((HIGH - LOW) / STEP)) * STEP
    return compared.select("user", "item", rating.cast("float").alias("rating"), "at")


def _age(name: str) -> Column:
    """Return the years of an age rating, null for an unknown one."""
    known = F.create_map(*(F.lit(value) for pair in AGES.items() for value in pair))
    return known[F.col(name)]


def _overlap(name: str) -> Column:
    """Return the overlap coefficient of a list of the user's and one of the title's: common entries / the shorter list."""
    return F.size(F.array_intersect(f"u_{name}", name)) / F.least(F.size(f"u_{name}"), F.size(name))


def _described(titles: DataFrame) -> DataFrame:
    """Return titles in the schema ITEMS; of the year the decade is known."""
    decade = F.regexp_extract("decada_lanzamiento", r"(\d{4})", 1)
    own = {
        "item": F.col("id"),
        "title": F.nullif(F.trim("titulo"), F.lit("")),
        "year": F.nullif(decade, F.lit("")),
        "genres": F.col("generos"),
        "people": F.array_distinct(
            F.concat(
                *(F.coalesce(name, F.array().cast("array<string>")) for name in ("directores", "actores"))
            )
        ),
    }
    return titles.select(
        *(own.get(field.name, F.lit(None)).cast(field.dataType).alias(field.name) for field in ITEMS)
    )


def _rejected(frame: DataFrame, table: str, reason: str) -> DataFrame:
    text = F.to_json(F.struct(*frame.columns))
    return frame.select(F.lit(table).alias("file"), text.alias("text"), F.lit(reason).alias("reason"))
