"""Readers of the two sets of films with TMDB's descriptions: The Movies Dataset and TMDB 5000."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from datasets.formats.fields import (
    Parse,
    distinct,
    entries,
    given,
    json_value,
    key,
    number,
    python_literal,
    year,
)
from datasets.formats.lines import Field, Layout, check_header, match_lines, rejected, shaped
from datasets.formats.records import (
    accepted,
    check_columns,
    read_records,
    reject_repeats,
    reject_unknown,
    rejected_of,
)
from datasets.publishers.movielens.layouts import COMMAS
from datasets.publishers.movielens.tables import read_ratings
from datasets.source import ITEMS, Raw

KAGGLE = ("movies_metadata.csv", "keywords.csv", "credits.csv", "links.csv")
"""The files of The Movies Dataset that describe films."""
MOVIES, CREDITS = "tmdb_5000_movies.csv", "tmdb_5000_credits.csv"
"""The files of TMDB 5000; the second may be missing."""

LINKS = Layout(
    "links.csv",
    ",",
    (
        Field("movieId", r"\d{1,9}", "a number"),
        Field("imdbId", r"\d{0,9}", "a number or empty"),
        Field("tmdbId", r"(?:\d{1,9}(?:\.0)?)?", "a number or empty"),
    ),
    header="movieId,imdbId,tmdbId",
)
"""MovieLens' numbers of films and those of IMDb and TMDB."""

_FEATURES = ("budget", "revenue", "runtime", "popularity", "vote_average", "vote_count")
_UNKNOWN_IF_ZERO = ("budget", "revenue", "runtime")
_FILM = (
    *("id", "genres", "original_title", "overview", "release_date", "tagline", "title"),
    *_FEATURES,
)
_KEYWORDS = ("id", "keywords")
_CREDITS, _CREDITS_5000 = ("id", "cast", "crew"), ("movie_id", "cast", "crew")
_CAST = 10
_STRAY = "id is not among the movies"


def _part(*names: str) -> T.StructType:
    return T.StructType([field for field in ITEMS if field.name in names])


_KEY = T.StructField("id", T.StringType())
_SAID = T.StructType([_KEY, *_part("title", "text", "year", "genres", "tags", "features")])
_TAGS = T.StructType([_KEY, *_part("tags")])
_PEOPLE = T.StructType([_KEY, *_part("people")])


def check_kaggle(folder: Path, ratings_file: str) -> None:
    """Check that the files of The Movies Dataset name the columns that are read.

    Raises:
        DataError: names the file and what it lacks.
    """
    check_header(folder / ratings_file, COMMAS.ratings)
    check_header(folder / LINKS.file, LINKS)
    for file, columns in zip(KAGGLE, (_FILM, _KEYWORDS, _CREDITS), strict=False):
        check_columns(folder / file, columns)


def check_tmdb5000(folder: Path) -> None:
    """Check that the files of TMDB 5000 name the columns that are read.

    Raises:
        DataError: names the file and what it lacks.
    """
    check_columns(folder / MOVIES, (*_FILM, "keywords"))
    if (folder / CREDITS).is_file():
        check_columns(folder / CREDITS, _CREDITS_5000)


def read_kaggle(spark: SparkSession, folder: Path, ratings_file: str) -> Raw:
    """Read The Movies Dataset: MovieLens' ratings, and TMDB's descriptions of the films.

    Items have MovieLens' `movieId`; links.csv leads from it to TMDB's number. Records that describe no film with both
    numbers are rejected, so that they are counted: a link without a TMDB number or to a film without description, a
    description that no link leads to, keywords and credits of a film that is not described.
    """
    ratings, bad = read_ratings(
        spark, folder, COMMAS._replace(ratings=COMMAS.ratings._replace(file=ratings_file))
    )
    links, bad_links = _links(spark, folder / LINKS.file)
    films, keywords, people = (folder / file for file in KAGGLE[:3])
    film = partial(described, python_literal, keywords=False)
    said = _table(spark, films, _FILM, film, _SAID)
    tags = _table(spark, keywords, _KEYWORDS, partial(tagged, python_literal), _TAGS)
    named = _table(spark, people, _CREDITS, partial(credited, python_literal, "id"), _PEOPLE)
    known, linked = accepted(said), accepted(links)
    items = (
        linked.select(F.col("movieId").alias("item"), "id")
        .join(known.drop("line", "record", "tags"), "id")
        .join(accepted(tags).select("id", "tags"), "id", "left")
        .join(accepted(named).select("id", "people"), "id", "left")
    )
    return Raw(
        ratings,
        shaped(items, ITEMS),
        rejected(
            spark,
            *bad,
            bad_links,
            rejected_of(
                reject_unknown(links, known, "id", "tmdbId is not among the movies"), folder / LINKS.file
            ),
            rejected_of(reject_unknown(said, linked, "id", "no movieId leads to it"), films),
            rejected_of(reject_unknown(tags, known, "id", _STRAY), keywords),
            rejected_of(reject_unknown(named, known, "id", _STRAY), people),
        ),
    )


def read_tmdb5000(spark: SparkSession, folder: Path) -> Raw:
    """Read TMDB 5000: films only, by TMDB's number; people only where the file of credits is there."""
    film = partial(described, json_value, keywords=True)
    said = _table(spark, folder / MOVIES, (*_FILM, "keywords"), film, _SAID)
    known, bad = accepted(said), [rejected_of(said, folder / MOVIES)]
    if (folder / CREDITS).is_file():
        convert = partial(credited, json_value, "movie_id")
        named = _table(spark, folder / CREDITS, _CREDITS_5000, convert, _PEOPLE)
        bad.append(rejected_of(reject_unknown(named, known, "id", _STRAY), folder / CREDITS))
        items = known.join(accepted(named).select("id", "people"), "id", "left")
    else:
        items = known.withColumn("people", F.lit(None).cast("array<string>"))
    return Raw(None, shaped(items.withColumnRenamed("id", "item"), ITEMS), rejected(spark, *bad))


def described(parse: Parse, fields: Mapping[str, str], *, keywords: bool) -> dict[str, Any]:
    """Return the description in a record of a table of films.

    The text is the tagline and the overview. Features are `budget` and `revenue` (dollars), `runtime` (minutes), each
    left out where it is 0, which means unknown, `popularity`, `vote_average` (0 to 10) and `vote_count` of TMDB's
    members. Tags are the keywords, each with the count 1.
    """
    values = ((name, number(fields[name], name)) for name in _FEATURES)
    parts = (given(fields[name]) for name in ("tagline", "overview"))
    genres = entries(fields["genres"], "genres", parse)
    return {
        "id": _id(fields["id"], "id"),
        "title": given(fields["title"]) or given(fields["original_title"]),
        "text": " ".join(part for part in parts if part) or None,
        "year": year(fields["release_date"], "release_date"),
        "genres": distinct((entry["name"] for entry in genres), "genres"),
        "tags": _tags(fields, parse) if keywords else None,
        "features": [
            (name, value)
            for name, value in values
            if value is not None and not (value == 0 and name in _UNKNOWN_IF_ZERO)
        ],
    }


def tagged(parse: Parse, fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the keywords of a film as tags, each with the count 1."""
    return {"id": _id(fields["id"], "id"), "tags": _tags(fields, parse)}


def credited(parse: Parse, column: str, fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the people of a film: its directors, then the first ten of the cast."""
    crew = entries(fields["crew"], "crew", parse)
    cast = entries(fields["cast"], "cast", parse)
    directors = [entry["name"] for entry in crew if entry.get("job") == "Director"]
    names = [*directors, *(entry["name"] for entry in cast[:_CAST])]
    return {"id": _id(fields[column], column), "people": distinct(names, "cast or crew")}


def _tags(fields: Mapping[str, str], parse: Parse) -> list[tuple[str, int]] | None:
    keywords = entries(fields["keywords"], "keywords", parse)
    return [(name, 1) for name in distinct((entry["name"] for entry in keywords), "keywords")] or None


def _id(text: str, column: str) -> str:
    found = key(text, column)
    if not (found.isascii() and found.isdecimal()):
        raise ValueError(f"{column} is not a number")
    return str(int(found))


def _table(
    spark: SparkSession, path: Path, needed: tuple[str, ...], convert: Any, schema: T.StructType
) -> DataFrame:
    """Read the records of a table that has one for each film."""
    return reject_repeats(read_records(spark, path, needed, convert, schema), "id")


def _links(spark: SparkSession, path: Path) -> tuple[DataFrame, DataFrame]:
    """Read the links from `movieId` to TMDB's number `id`, in the form of `read_records`, and the unreadable lines."""
    fields, bad = match_lines(spark, path, LINKS)
    number = F.regexp_extract("tmdbId", r"^0*(\d+)", 1)
    empty = F.when(number == "", "tmdbId is empty")
    records = fields.select(
        "line", F.col("line").alias("record"), empty.alias("reason"), "movieId", number.alias("id")
    )
    return reject_repeats(records, "movieId").withColumn("line", F.lit(None).cast("long")), bad
