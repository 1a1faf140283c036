"""Tracks of Spotify with their audio features: a data set's, or invented ones."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson

from datasets.producer import Asked, Message, Supply
from datasets.publishers.spotify.items import FEATURES
from datasets.sending.documents import documents
from datasets.sending.invented import Inventor
from datasets.sending.replays import Replay, items

_WHOLE = ("duration_ms",)
_YEARS = (1960, 2024)


@dataclass(frozen=True)
class Tracks:
    """The tracks of the data set that is named (spotify/tracks, spotify/playlists, or the items of another), each once; else invented ones."""

    about: ClassVar[str] = "tracks with their audio features: a data set's, or invented"
    topics: ClassVar[tuple[str, ...]] = ("tracks",)
    poisson: ClassVar[bool] = False
    replays: ClassVar[bool] = False

    def supply(self, asked: Asked) -> Supply:
        (topic,) = self.topics
        if asked.dataset is None:
            return documents(
                topic, "track", asked.seed, _invented(Inventor(asked.language, asked.seed, "tracks"))
            )
        replay = items(asked, asked.dataset)

        def messages(start_ms: int, times: Iterator[float]) -> Iterator[Message]:
            for found, due in zip(_described(replay), times, strict=False):
                found["timestamp"] = start_ms + int(due * 1000)
                yield topic, found["id"].encode(), orjson.dumps(found), due, []

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


def _invented(inventor: Inventor) -> Any:
    draw = inventor.draw.random

    def fields(_: int) -> Mapping[str, Any]:
        share = [round(draw(), 3) for _ in range(7)]
        return {
            "name": inventor.title(),
            "artists": list(dict.fromkeys(inventor.name() for _ in range(1 + int(1.3 * draw())))),
            "album": inventor.title(),
            "genres": inventor.genres(2),
            "year": _YEARS[0] + int((_YEARS[1] - _YEARS[0]) * draw() ** 0.5),
            "duration_ms": 120_000 + int(180_000 * draw()),
            "popularity": int(100 * draw() ** 2),
            "explicit": draw() < 0.1,
            "danceability": share[0],
            "energy": share[1],
            "key": int(12 * draw()),
            "loudness": round(-20.0 * draw(), 2),
            "mode": int(2 * draw()),
            "speechiness": share[2],
            "acousticness": share[3],
            "instrumentalness": share[4],
            "liveness": share[5],
            "valence": share[6],
            "tempo": round(60 + 120 * draw(), 1),
        }

    return fields


PRODUCER = Tracks
