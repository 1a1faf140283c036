"""Spotify: tracks in people's playlists, and tables of tracks with their audio features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import SparkSession

from core.errors import UsageError
from datasets.fetch.download import locate
from datasets.formats.records import check_columns
from datasets.publishers.spotify import sample as spotify_sample
from datasets.publishers.spotify.items import Item
from datasets.publishers.spotify.mpd import SLICES, read_slices, slices
from datasets.publishers.spotify.tables import NEEDED, TRACKS, read_songs, read_tracks
from datasets.source import Raw, Variant

_FILES = {"playlists": "spotify_songs.csv", "tracks": "tracks.csv"}


@dataclass(frozen=True)
class Options:
    """Reading options.

    Attributes:
        item: what is recommended: "track", or "artist" for the artists of the tracks; `spotify/tracks` has tracks only.
    """

    item: Item = "track"


class Spotify:
    """Playlists as users, with their tracks or artists as items. There are no ratings: every rating is null."""

    variants: Mapping[str, Variant] = {
        "playlists": Variant(
            "471 playlists of 28,356 tracks with audio features and genres (TidyTuesday, 2020-01-21)",
            "spotify",
            32_833,
            url="https://raw.githubusercontent.com/rfordatascience/tidytuesday/main/data/2020/2020-01-21/spotify_songs.csv",
            files=(_FILES["playlists"],),
        ),
        "tracks": Variant(
            "600 thousand tracks of 1921-2020 with audio features; items only",
            "spotify",
            files=(_FILES["tracks"],),
            page="https://www.kaggle.com/datasets/yamaerenay/spotify-dataset-19212020-600k-tracks",
            has_ratings=False,
        ),
        "mpd": Variant(
            "Million Playlist Dataset: 1,000,000 playlists, 2,262,292 tracks; as many slices as there are",
            "spotify",
            66_346_428,
            files=(SLICES,),
            page="https://www.aicrowd.com/challenges/spotify-million-playlist-dataset-challenge",
        ),
    }
    options = Options
    citation = (
        "playlists: TidyTuesday, 2020-01-21, from Spotify's API by Charlie Thompson, Josiah Parry, Donal Phipps and Tom "
        "Wolff. tracks: Yamac Eren Ay, Spotify Dataset 1921-2020. mpd: Ching-Wei Chen, Paul Lamere, Markus Schedl and "
        "Hamed Zamani. 2018. RecSys Challenge 2018: Automatic Music Playlist Continuation. RecSys '18. "
        "https://doi.org/10.1145/3240323.3240342"
    )
    licence = "playlists: not stated by TidyTuesday; tracks: see its page on Kaggle; mpd: research only, no redistribution"

    def fetch(self, variant: str, options: Options, data: Path | None, cache: Path) -> Path:
        """Return the file, or the folder of slices, from `data`, `cache` or (playlists only) the publisher."""
        _check(variant, options)
        folder = locate(self.variants[variant], data, cache)
        return folder / _FILES[variant] if variant in _FILES else folder

    def check(self, variant: str, options: Options, path: Path) -> Sequence[str]:
        """Check that the file is there and names the columns that are read, or that there are slices."""
        _check(variant, options)
        if variant == "mpd":
            slices(path)
        else:
            check_columns(path, TRACKS if variant == "tracks" else NEEDED)
        return ()

    def read(self, spark: SparkSession, variant: str, options: Options, path: Path) -> Raw:
        """Read interactions, if the variant has any, tracks or artists, and rejected records."""
        _check(variant, options)
        if variant == "tracks":
            return read_tracks(spark, path)
        return (read_songs if variant == "playlists" else read_slices)(spark, path, options.item)

    def sample(self, variant: str, folder: Path) -> Path:
        """Write invented rows in the publisher's layout."""
        return spotify_sample.write(variant, folder / self.variants[variant].folder)


def _check(variant: str, options: Options) -> None:
    if variant == "tracks" and options.item != "track":
        raise UsageError(
            f"item must be track for spotify/tracks, got item={options.item}; set item=track, or use spotify/playlists or "
            "spotify/mpd, which have artists, too"
        )


SOURCE = Spotify()
