"""Lists from what people of a window of time did and how tracks sound, without a model: neighbours, clusters of people, sound.

Neighbours are those of memory-based collaborative filtering with cosines (J. Breese, D. Heckerman, C. Kadie, "Empirical analysis of
predictive algorithms for collaborative filtering", UAI 1998); clusters are k-means of people's tastes, the mean sound of what they like.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from core.errors import UsageError
from jobs.engine.clusters import Clusters, cluster
from jobs.engine.neighbours import Csr
from jobs.engine.personal import Entry, Recommended
from jobs.engine.reasons import MOST, POPULAR
from jobs.engine.sounds import Sounds, units

NEIGHBOURS, CLUSTER, SOUND = "neighbours", "cluster", "sound"
"""Codes of reasons: people of like actions like it; those of the same cluster do; it sounds like the named track."""

_CODES = (NEIGHBOURS, CLUSTER, SOUND, POPULAR)
_ITERATIONS = 50
_SEED = 1
_DIGITS = 6
"""Of scores: more depend on the order in which tracks came."""

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Settings:
    """Numbers of lists.

    Attributes:
        near: neighbours of a person.
        clusters: of people.
        neighbours, cluster, sound, popular: weights of the parts, each of which is from 0 to 1 for the best item.
    """

    near: int = 20
    clusters: int = 8
    neighbours: float = 0.45
    cluster: float = 0.2
    sound: float = 0.3
    popular: float = 0.05

    def __post_init__(self) -> None:
        if self.near < 1 or self.clusters < 1:
            raise UsageError(
                f"near and clusters must be 1 or more, got near={self.near}, clusters={self.clusters}"
            )
        if not all(weight >= 0 and math.isfinite(weight) for weight in self.weights) or not sum(self.weights):
            raise UsageError(
                f"the weights {', '.join(_CODES)} must be 0 or more and not all 0, got {self.weights}"
            )

    @property
    def weights(self) -> tuple[float, float, float, float]:
        """Weights in the order of the parts."""
        return self.neighbours, self.cluster, self.sound, self.popular


class Tastes:
    """Makes lists from one window."""

    def __init__(
        self, preferences: Mapping[str, Mapping[str, float]], sounds: Sounds, settings: Settings
    ) -> None:
        """Prepare.

        Args:
            preferences: of each person of the window for items, as `jobs.engine.meanings` has them.
            sounds: tracks that may be recommended, beside the window's items.
            settings: numbers.
        """
        self._settings, self._sounds = settings, sounds
        self._users = {user: row for row, user in enumerate(sorted(preferences))}
        self._others: dict[str, int] = {}
        self._other_keys: list[str] = []
        self._matrix = self._placed(preferences)
        self._lengths = np.sqrt(self._matrix.multiply(self._matrix).sum(axis=1))
        self._liked = self._matrix.maximum(0)
        self._popular = np.asarray(self._liked.sum(axis=0))
        self.clusters = self._clustered()
        self._of_cluster = self._sums()

    @property
    def _items(self) -> int:
        return self._sounds.size + len(self._other_keys)

    def _placed(self, preferences: Mapping[str, Mapping[str, float]]) -> csr_array:
        rows, columns, values = [], [], []
        for user, row in self._users.items():
            for item, value in sorted(preferences[user].items()):
                if value:
                    rows.append(row)
                    columns.append(self._place(item))
                    values.append(value)
        return csr_array(
            (np.array(values, dtype=np.float64), (rows, columns)), shape=(len(self._users), self._items)
        )

    def _place(self, item: str) -> int:
        """Return the place of an item of the window; those without a sound come behind all tracks."""
        found = self._known(item)
        if found is None:
            found = self._others[item] = self._items
            self._other_keys.append(item)
        return found

    def _known(self, item: str) -> int | None:
        found = self._sounds.place(item)
        return self._others.get(item) if found is None else found

    def _key(self, place: int) -> str:
        return (
            self._sounds.keys[place]
            if place < self._sounds.size
            else self._other_keys[place - self._sounds.size]
        )

    def _clustered(self) -> Clusters:
        sounds = self._sounds.vectors.astype(np.float64)
        tastes = units(
            self._liked[:, : self._sounds.size] @ sounds
        )  # the direction of the mean sound of what each likes
        has = np.any(tastes != 0, axis=1)
        features = tastes.shape[1]
        offsets = np.concatenate([[0], np.cumsum(has * features, dtype=np.int64)])
        columns = np.tile(np.arange(features, dtype=np.int32), int(has.sum()))
        return cluster(
            Csr(offsets, columns, tastes[has].ravel()), features, self._settings.clusters, seed=_SEED, iterations=_ITERATIONS
        )  # fmt: skip

    def _sums(self) -> Scores:
        """Return what each cluster's people like, added up, [clusters, items]."""
        (people,) = np.nonzero(self.clusters.of_item >= 0)
        shape = max(len(self.clusters.sizes), 1), len(self._users)
        member = csr_array((np.ones(len(people)), (self.clusters.of_item[people], people)), shape=shape)
        sums: Scores = (member @ self._liked).toarray()
        return sums

    def recommend(self, user: str, own: Mapping[str, float], k: int) -> Recommended:
        """Return the list of one person, best first, ties by key.

        Args:
            user: their key; they are no neighbour of theirs.
            own: their preference for everything that they ever had, which may be more than the window has; nothing of it comes back.
            k: length of the list; it is shorter where nothing speaks for more items.
        """
        places = {item: place for item in own if (place := self._known(item)) is not None}
        values = {place: own[item] for item, place in places.items() if own[item]}
        parts = self._parts(self._users.get(user, -1), values)
        weighed = parts * np.array(self._settings.weights)[:, None]
        scores = weighed.sum(axis=0)
        scores[list(places.values())] = 0.0
        scores = scores.round(_DIGITS)
        best = self._best(scores, k)
        liked = sorted(place for place, value in values.items() if value > 0 and place < self._sounds.size)
        entries = tuple(
            Entry(self._key(place), float(scores[place]), self._why(weighed[:, place], place, liked))
            for place in best
        )
        return Recommended(entries, len(places), len(own) - len(places))

    def _parts(self, row: int, values: Mapping[int, float]) -> Scores:
        """Return the four parts of a person's scores, [4, items]."""
        own = np.zeros(self._items)
        own[list(values)] = list(values.values())
        parts = np.zeros((len(_CODES), self._items))
        parts[0] = self._by_neighbours(row, own)
        if row >= 0 and (number := int(self.clusters.of_item[row])) >= 0:
            own_row = slice(*self._liked.indptr[row : row + 2])
            parts[1] = self._of_cluster[number]
            parts[1, self._liked.indices[own_row]] -= self._liked.data[own_row]
        liked = sorted(place for place, value in values.items() if value > 0 and place < self._sounds.size)
        taste = np.array([values[place] for place in liked]) @ self._sounds.vectors[liked]
        parts[2, : self._sounds.size] = self._sounds.vectors @ units(taste[None, :])[0]
        parts[3] = self._popular
        np.maximum(parts, 0, out=parts)
        most = parts[[0, 1, 3]].max(axis=1, initial=0.0)
        # Cosines have a largest value of their own.
        parts[[0, 1, 3]] /= np.where(most > 0, most, 1.0)[:, None]
        return parts

    def _by_neighbours(self, row: int, own: Scores) -> Scores:
        """Return the sums of the nearest people's preferences times their cosines with `own`."""
        over = self._lengths * math.sqrt(float((own[own != 0] ** 2).sum()))
        cosines = np.divide(self._matrix @ own, over, out=np.zeros_like(over), where=over > 0)
        if row >= 0:
            cosines[row] = 0.0
        found = _highest(cosines, self._settings.near)
        near = found[np.argsort(-cosines[found], kind="stable")][: self._settings.near]
        sums: Scores = cosines[near] @ self._matrix[near]
        return sums

    def _best(self, scores: Scores, k: int) -> list[int]:
        """Return the places of the `k` highest scores above 0, ties by key."""
        found = _highest(scores, k).tolist()
        return sorted(found, key=lambda place: (-scores[place], self._key(place)))[:k]

    def _why(
        self, weighed: Scores, place: int, liked: list[int]
    ) -> tuple[tuple[str, str | None, float], ...]:
        """Return up to MOST reasons, the weightiest first, with their share of the score."""
        total = float(weighed.sum())
        order = sorted(
            (number for number in range(len(_CODES)) if weighed[number] > 0), key=lambda one: -weighed[one]
        )
        return tuple(
            (
                _CODES[one],
                self._alike(place, liked) if _CODES[one] == SOUND else None,
                round(float(weighed[one]) / total, 4),
            )
            for one in order[:MOST]
        )

    def _alike(self, place: int, liked: list[int]) -> str:
        """Return the liked track that sounds most like this one."""
        vectors = self._sounds.vectors
        return self._key(liked[int(np.argmax(vectors[liked] @ vectors[place]))])


def _highest(scores: Scores, n: int) -> npt.NDArray[np.intp]:
    """Return the places of the `n` highest scores above 0 and of all that are equal to the last of them, in ascending order."""
    (found,) = np.nonzero(scores > 0)
    if len(found) <= n:
        return found
    values = scores[found]
    highest: npt.NDArray[np.intp] = found[values >= np.partition(values, len(found) - n)[len(found) - n]]
    return highest
