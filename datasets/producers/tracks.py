"""Tracks of Spotify with their audio features: a data set's, or invented ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson

from datasets.producer import Asked, Message, Supply
from datasets.publishers.spotify.items import FEATURES
from datasets.sending.documents import documents
from datasets.sending.invented import Inventor
from datasets.sending.replays import Replay, items

_WHOLE = ("duration_ms",)
_SHARES = (
    *("danceability", "energy", "speechiness", "acousticness", "instrumentalness", "liveness", "valence"),
)


@dataclass(frozen=True)
class Tracks:
    """The tracks of the data set that is named (spotify/tracks, spotify/playlists, or the items of another), each once; else invented ones."""

    about: ClassVar[str] = "tracks with their audio features: a data set's, or invented"
    topics: ClassVar[tuple[str, ...]] = ("tracks",)
    poisson: ClassVar[bool] = False
    replays: ClassVar[bool] = False

    def supply(self, asked: Asked) -> Supply:
        if asked.dataset is None:
            return documents(self.topics, "track", asked.seed, lambda _: _invented(asked))
        replay = items(asked, asked.dataset)
        (topic,) = self.topics

        def messages(start_ms: int, times: Iterator[float]) -> Iterator[Message]:
            for found, due in zip(_described(replay), times, strict=False):
                found["timestamp"] = start_ms + int(due * 1000)
                yield topic, found["id"].encode(), orjson.dumps(found), due, [], None

        return Supply(replay.count, messages)


def _described(replay: Replay) -> Iterator[dict[str, Any]]:
    """Yield the tracks; what the data set does not give is missing."""
    for item, title, year, genres, people, features in replay.rows(
        "item", "title", "year", "genres", "people", "features"
    ):
        known = dict(features or ())
        found: dict[str, Any] = {
            "id": item,
            "name": title or item,
            "artists": people,
            "genres": genres,
            "year": year,
            "popularity": known.get("popularity"),
            "explicit": None if known.get("explicit") is None else bool(known["explicit"]),
            **{name: known.get(name) for name in FEATURES},
        }
        for name in _WHOLE:
            if found[name] is not None:
                found[name] = round(found[name])
        yield {name: value for name, value in found.items() if value is not None}


def _invented(asked: Asked) -> Iterator[dict[str, Any]]:
    inventor = Inventor(asked.language, asked.seed, "tracks")
    shares = [number / 1000 for number in range(1001)]
    pools: dict[str, Sequence[Any]] = {
        "name": inventor.titles,
        "artists": [[name] for name in inventor.names],
        "album": inventor.titles,
        "genres": [genres for genres, _, _ in inventor.tastes],
        "year": range(1960, 2025),
        "duration_ms": range(120_000, 300_000),
        "popularity": range(101),
        "explicit": [False] * 9 + [True],
        "key": range(12),
        "mode": range(2),
        "loudness": [-number / 100 for number in range(2000)],
        "tempo": [number / 10 for number in range(600, 1800)],
        **dict.fromkeys(_SHARES, shares),
    }
    return (dict(zip(pools, row, strict=True)) for row in inventor.drawn(*pools.values()))


PRODUCER = Tracks
