"""Audio features of tracks, as vectors whose products say how alike two tracks sound."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jobs.engine.arrays import Floats

FEATURES = ("danceability", "energy", "loudness", "speechiness", "acousticness", "instrumentalness", "liveness",
            "valence", "tempo")  # fmt: skip
"""Features that are amounts. Key and mode are none: no key lies between two others."""


class Track(NamedTuple):
    """Message about a track.

    Attributes:
        id: of the track.
        at_us: time of the message, in microseconds since 1970.
        features: FEATURES, None where one is not told.
    """

    id: str
    at_us: int
    features: Sequence[float | None]


class Sounds(NamedTuple):
    """Tracks at one moment.

    Attributes:
        keys: of the tracks, by place; more may have been appended since.
        places: place of each key, of which some may be `size` or above.
        vectors: float32 [size, features], of length 1, or 0 where no feature of a track is known.
    """

    keys: Sequence[str]
    places: Mapping[str, int]
    vectors: Floats

    @property
    def size(self) -> int:
        """Number of tracks."""
        return len(self.vectors)

    def place(self, key: str) -> int | None:
        """Return the place of a track, None for an unknown one."""
        found = self.places.get(key)
        return found if found is not None and found < self.size else None


class Catalogue:
    """The tracks that came so far: one thread adds, another one reads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: list[str] = []
        self._places: dict[str, int] = {}
        self._at_us: list[int] = []
        self._features = np.zeros((0, len(FEATURES)), dtype=np.float32)
        self._sounds: Sounds | None = None

    def add(self, tracks: Iterable[Track]) -> None:
        """Take up tracks; of two messages of one track the later counts, of two of one time either."""
        with self._lock:
            for track in tracks:
                place = self._places.setdefault(track.id, len(self._keys))
                if place == len(self._keys):
                    self._keys.append(track.id)
                    self._at_us.append(-1)
                    self._room(place)
                if track.at_us > self._at_us[place]:
                    self._at_us[place] = track.at_us
                    self._features[place] = [np.nan if value is None else value for value in track.features]
                    self._sounds = None

    def _room(self, place: int) -> None:
        if place >= len(self._features):
            wider = np.full((max(1024, 2 * place), len(FEATURES)), np.nan, dtype=np.float32)
            wider[:place] = self._features[:place]
            self._features = wider

    def sounds(self) -> Sounds:
        """Return the tracks of now.

        A feature counts by how many standard deviations of all tracks it lies from their mean; one that is not told counts as the mean.
        """
        with self._lock:
            if self._sounds is None:
                self._sounds = Sounds(self._keys, self._places, _vectors(self._features[: len(self._keys)]))
            return self._sounds


def _vectors(features: Floats) -> Floats:
    known = np.isfinite(features)
    counts = np.maximum(known.sum(axis=0), 1)
    values = np.where(known, features, 0.0).astype(np.float64)
    mean = values.sum(axis=0) / counts
    shifted = np.where(known, values - mean, 0.0)
    deviation = np.sqrt((shifted**2).sum(axis=0) / counts)
    return units(np.divide(shifted, deviation, out=np.zeros_like(shifted), where=deviation > 0))


def units(vectors: np.ndarray) -> Floats:
    """Return rows of length 1 as float32; those without a direction stay zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    found: Floats = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 1e-9).astype(
        np.float32
    )
    return found
