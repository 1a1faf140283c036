"""Readers of the two tables of tracks: TidyTuesday's, with playlists, and Kaggle's, without."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from datasets.formats.fields import given, key, numbers, python_literal, texts, year
from datasets.formats.lines import rejected, shaped
from datasets.formats.records import accepted, read_records, reject_repeats, rejected_of
from datasets.publishers.spotify.items import ENTRY, FEATURES, Item, interactions, items
from datasets.source import ITEMS, Raw

SONGS = (
    *("track_id", "track_name", "track_artist", "track_popularity", "track_album_id", "track_album_name"),
    *("track_album_release_date", "playlist_name", "playlist_id", "playlist_genre", "playlist_subgenre"),
    *FEATURES,
)
"""The columns of spotify_songs.csv."""

NEEDED = tuple(name for name in SONGS if name not in ("track_popularity", "track_album_id", "playlist_name"))
"""Those of them that are read."""

TRACKS = (
    *("id", "name", "popularity", "duration_ms", "explicit", "artists", "id_artists", "release_date"),
    *(feature for feature in FEATURES if feature != "duration_ms"),
    "time_signature",
)
"""The columns of tracks.csv."""

_NA = ("NA",)  # how R writes what is missing
_MEASURED = (*FEATURES, "time_signature", "popularity", "explicit")


def read_songs(spark: SparkSession, path: Path, item: Item) -> Raw:
    """Read spotify_songs.csv: a line is a track in a playlist.

    Keys are `playlist_id`, `track_id` and, of artists, `track_artist` (the file has no other; a line without one is
    rejected where artists are the items). Genres are those of the playlists that hold a track, genre and
    subgenre. They follow from the interactions, test rows included, so they are not an independent description.
    """
    nameless = F.when(F.col(item).isNull(), "track_artist is empty")
    records = read_records(spark, path, NEEDED, song, ENTRY).withColumn(
        "reason", F.coalesce("reason", nameless)
    )
    entries, order = accepted(records), F.col("line")
    return Raw(
        interactions(entries, item, order),
        items(entries, item, order),
        rejected(spark, rejected_of(records, path)),
    )


def song(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return an entry (ENTRY) from a record of spotify_songs.csv."""
    artist = given(fields["track_artist"], _NA)
    genres = (given(fields[name], _NA) for name in ("playlist_genre", "playlist_subgenre"))
    return {
        "user": key(fields["playlist_id"], "playlist_id", _NA),
        "track": key(fields["track_id"], "track_id", _NA),
        "artist": artist,
        "title": given(fields["track_name"], _NA),
        "artist_name": artist,
        "album": given(fields["track_album_name"], _NA),
        "year": year(fields["track_album_release_date"], "track_album_release_date", _NA),
        "genres": [genre for genre in genres if genre],
        "features": numbers(fields, FEATURES, _NA),
    }


def read_tracks(spark: SparkSession, path: Path) -> Raw:
    """Read tracks.csv: a line is a track; there are no interactions.

    Features are the audio features, `time_signature`, `popularity` (0 to 100, of the year 2021) and `explicit` (0, 1).
    A track that is listed again with the same line is taken once; with another line, the later ones are rejected.
    """
    records = reject_repeats(read_records(spark, path, TRACKS, track, ITEMS), "item")
    return Raw(None, shaped(accepted(records), ITEMS), rejected(spark, rejected_of(records, path)))


def track(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return an item (ITEMS) from a record of tracks.csv."""
    title = given(fields["name"])
    people = texts(fields["artists"], "artists", python_literal)
    return {
        "item": key(fields["id"], "id"),
        "title": title,
        "text": " ".join([*([title] if title else []), *people]) or None,
        "year": year(fields["release_date"], "release_date"),
        "people": people,
        "features": numbers(fields, _MEASURED),
    }
