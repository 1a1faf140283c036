"""Interactions and items from entries of playlists, for every publisher's layout."""

from collections.abc import Callable
from typing import Literal

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from datasets.formats.lines import shaped
from datasets.source import ITEMS, RAW

Item = Literal["track", "artist"]
"""The part of an entry that is the item."""

FEATURES = (
    *("danceability", "energy", "key", "loudness", "mode", "speechiness", "acousticness", "instrumentalness"),
    *("liveness", "valence", "tempo", "duration_ms"),
)
"""Spotify's audio features: shares from 0 to 1, except key (pitch class), loudness (dB), mode (1 is major), tempo
(beats a minute) and duration (ms)."""

ENTRY = T.StructType(
    [
        T.StructField("user", T.StringType()),
        T.StructField("seconds", T.LongType()),
        T.StructField("track", T.StringType()),
        T.StructField("artist", T.StringType()),
        T.StructField("title", T.StringType()),
        T.StructField("artist_name", T.StringType()),
        T.StructField("album", T.StringType()),
        T.StructField("year", T.IntegerType()),
        T.StructField("genres", T.ArrayType(T.StringType())),
        T.StructField("features", T.MapType(T.StringType(), T.DoubleType())),
    ]
)
"""One track in one playlist: `user` is the playlist's key, `seconds` since 1970 or null, `track` and `artist` keys."""

_EXACT = "decimal(28,12)"  # a sum of doubles would depend on their order
_TITLES = 100


ENDS = (1, 5, 10)
"""Numbers of items at the end of a playlist that are a fold, for whoever hides them: `last1`, `last5` and `last10`."""


def interactions(entries: DataFrame, item: Item, order: Column) -> DataFrame:
    """Return one row of RAW for each entry, without a rating; a playlist that holds an item twice has two rows.

    `fold` names the ends of its playlist, in `order`, that a row is in: "last5|last10" is the second to the fifth from the end. An item stands
    where it comes first, and a playlist has an end if at least as many items are before it.
    """
    rows = entries.select("user", F.col(item).alias("item"), "seconds", order.alias("_order"))
    # Both windows find the rows of a playlist together.
    own = rows.repartition("user").withColumn(
        "_new", F.row_number().over(Window.partitionBy("user", "item").orderBy("_order")) == 1
    )
    counted = F.count(F.when(F.col("_new"), 1))
    playlist = Window.partitionBy("user")
    placed = own.withColumns(
        {
            "_from_end": counted.over(playlist.orderBy(F.desc("_order"))),
            "_items": counted.over(playlist),
        }
    )
    ends = F.concat_ws(
        "|",
        *(
            F.when(F.col("_new") & (F.col("_from_end") <= n) & (F.col("_items") >= 2 * n), f"last{n}")
            for n in ENDS
        ),
    )
    return shaped(
        placed.select(
            "user",
            "item",
            F.lit(None).cast("float").alias("rating"),
            F.timestamp_seconds("seconds").alias("at"),
            _filled(ends, lambda text: text != "").alias("fold"),
        ),
        RAW,
    )


def items(entries: DataFrame, item: Item, order: Column) -> DataFrame:
    """Return the tracks or artists of entries, each once (ITEMS).

    Where two entries describe a track differently the first in `order` is taken, whatever the partitioning.
    An artist's title is the name, the text the titles of the first hundred tracks by the alphabet, genres are those of
    all tracks, and features are means over tracks, each counted once. An artist has no year.
    """
    return _tracks(entries, order) if item == "track" else _artists(entries, order)


def _tracks(entries: DataFrame, order: Column) -> DataFrame:
    said = F.struct("title", "artist_name", "album", "year", "features")
    one = entries.groupBy("track").agg(F.min_by(said, order).alias("said"), _genres().alias("genres"))
    known = one.select("track", "genres", "said.*")
    words = F.concat_ws(" ", "title", "artist_name", "album")
    return shaped(
        known.select(
            F.col("track").alias("item"),
            "title",
            _filled(words, lambda text: text != "").alias("text"),
            "year",
            "genres",
            F.when(F.col("artist_name").isNotNull(), F.array("artist_name")).alias("people"),
            F.lit(None).cast("map<string,int>").alias("tags"),
            F.col("features").cast("map<string,float>").alias("features"),
        ),
        ITEMS,
    )


def _artists(entries: DataFrame, order: Column) -> DataFrame:
    said = F.struct("title", "artist_name", "features", order.alias("order"))
    tracks = entries.groupBy("artist", "track").agg(
        F.min_by(said, order).alias("said"), _genres().alias("genres")
    )
    means = [F.avg(F.col("said.features")[name].cast(_EXACT)).cast("float").alias(name) for name in FEATURES]
    titles = F.slice(F.sort_array(F.collect_set("said.title")), 1, _TITLES)
    one = tracks.groupBy("artist").agg(
        F.min_by("said.artist_name", "said.order").alias("title"),
        F.concat_ws(" ", titles).alias("text"),
        _genres().alias("genres"),
        *means,
    )
    pairs = F.filter(
        F.array(*(F.struct(F.lit(name).alias("key"), F.col(name).alias("value")) for name in FEATURES)),
        lambda pair: pair["value"].isNotNull(),
    )
    return shaped(
        one.select(
            F.col("artist").alias("item"),
            "title",
            _filled(F.col("text"), lambda text: text != "").alias("text"),
            F.lit(None).cast("int").alias("year"),
            "genres",
            F.when(F.col("title").isNotNull(), F.array("title")).alias("people"),
            F.lit(None).cast("map<string,int>").alias("tags"),
            F.map_from_entries(pairs).alias("features"),
        ),
        ITEMS,
    )


def _genres() -> Column:
    """Return all genres of a group's rows in alphabetical order, each once; null where there are none."""
    every = F.sort_array(F.array_distinct(F.flatten(F.collect_set("genres"))))
    return _filled(every, lambda genres: F.size(genres) > 0)


def _filled(column: Column, filled: Callable[[Column], Column]) -> Column:
    return F.when(filled(column), column)
