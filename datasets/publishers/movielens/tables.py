"""Reader of MovieLens files, giving the frames that every source gives."""

from collections import Counter
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from core.errors import DataError
from datasets.formats.lines import LATIN1, Layout, match_lines, reject, shaped, split_lines, unquoted
from datasets.publishers.movielens.layouts import GENRES_100K, Edition
from datasets.source import ITEMS, RAW

_YEAR = r"\((\d{4})(?:[-\u2013]\s?\d{0,4})?\)\s*(?:\([^()]*\)\s*)?$"
_NO_GENRES = ("(no genres listed)", "unknown", "")


def read_ratings(spark: SparkSession, folder: Path, edition: Edition) -> tuple[DataFrame, list[DataFrame]]:
    """Read the ratings with their published fold, and the rejected lines of each file."""
    fields, bad = split_lines(spark, folder / edition.ratings.file, edition.ratings)
    typed = fields.select(
        "user",
        "item",
        F.col("rating").cast("float").alias("rating"),
        F.timestamp_seconds(F.col("at").cast("long")).alias("at"),
    )
    if not edition.folds:
        return shaped(typed.withColumn("fold", F.lit(None).cast("string")), RAW), [bad]
    _check_folds(folder, edition)
    parts = [split_lines(spark, folder / fold.file, fold) for fold in edition.folds]
    tests = [
        part.select("user", "item", F.lit(Path(fold.file).stem).alias("fold"))
        for (part, _), fold in zip(parts, edition.folds, strict=True)
    ]
    folds = tests[0]
    for test in tests[1:]:
        folds = folds.union(test)
    one = folds.groupBy("user", "item").agg(F.min("fold").alias("fold"))
    joined = typed.join(F.broadcast(one), ["user", "item"], "left")
    return shaped(joined, RAW), [bad, *(part_bad for _, part_bad in parts)]


def read_items(spark: SparkSession, folder: Path, edition: Edition) -> tuple[DataFrame, list[DataFrame]]:
    """Read the movies with their tags, and the rejected lines of each file."""
    path = folder / edition.items.file
    fields, bad = match_lines(spark, path, edition.items)
    bare = fields.select("line", "item", unquoted("title").alias("title"), _genres(fields).alias("genres"))
    first = Window.partitionBy("item").orderBy("line")
    numbered = bare.withColumn("n", F.row_number().over(first))
    movies = numbered.where("n = 1").drop("n")
    twice = reject(numbered.where("n > 1"), path, "item is listed twice")
    year = F.regexp_extract("title", _YEAR, 1)
    dated = movies.withColumn("year", F.when(year != "", year.cast("int")))
    if edition.tags is None:
        return _complete(dated.withColumn("tags", F.lit(None).cast("map<string,int>"))), [bad, twice]
    tags, tags_bad = _read_tags(spark, folder, edition.tags, movies)
    return _complete(dated.join(tags, "item", "left")), [bad, twice, *tags_bad]


def _complete(frame: DataFrame) -> DataFrame:
    absent = {
        field.name: F.lit(None).cast(field.dataType) for field in ITEMS if field.name not in frame.columns
    }
    return shaped(frame.withColumns(absent), ITEMS)


def _genres(fields: DataFrame) -> Column:
    if "genres" in fields.columns:
        listed = F.split(unquoted("genres"), r"\|")
    else:
        flags = [F.when(F.col(f"genre{n}") == "1", name) for n, name in enumerate(GENRES_100K)]
        listed = F.array_compact(F.array(*flags))
    return F.filter(listed, lambda genre: ~genre.isin(*_NO_GENRES))


def _read_tags(
    spark: SparkSession, folder: Path, layout: Layout, movies: DataFrame
) -> tuple[DataFrame, list[DataFrame]]:
    path = folder / layout.file
    fields, bad = match_lines(spark, path, layout)
    named = fields.withColumn("tag", F.trim(unquoted("tag")))
    known = named.join(movies.select("item"), "item", "left_semi").where("tag != ''")
    counted = known.groupBy("item", "tag").agg(F.count("*").cast("int").alias("n"))
    maps = counted.groupBy("item").agg(
        F.map_from_entries(F.sort_array(F.collect_list(F.struct("tag", "n")))).alias("tags")
    )
    stray = reject(named.join(movies, "item", "left_anti"), path, "item is not among the movies")
    blank = named.join(movies, "item", "left_semi").where("tag = ''")
    return maps, [bad, stray, reject(blank, path, "tag is empty")]


def _check_folds(folder: Path, edition: Edition) -> None:
    """Check that every rating is in exactly one of the published test parts."""
    whole = _lines(folder / edition.ratings.file)
    tests: Counter[str] = Counter()
    for fold in edition.folds:
        tests += _lines(folder / fold.file)
    for line, what in ((whole - tests, "in none of"), (tests - whole, "more often in")):
        if line:
            example = next(iter(line))
            names = f"{edition.folds[0].file} to {edition.folds[-1].file}"
            raise DataError(
                f"{folder}: {line.total()} rows of {edition.ratings.file} are {what} the published folds "
                f"{names}, for example {example!r}; unpack the publisher's archive again"
            )


def _lines(path: Path) -> Counter[str]:
    fields = (line.split("\t") for line in path.read_text(encoding=LATIN1).splitlines())
    return Counter("\t".join(parts) for parts in fields if len(parts) == 4 and all(map(_numeric, parts)))


def _numeric(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()
