"""Invented people, films and series, in Spanish or English, all drawn from a seed."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import UsageError
from core.options import nearest

LANGUAGES = ("es", "en")

RATINGS = ("G", "PG", "PG-13", "R", "NC-17")
"""Age ratings, from the mildest."""

_POOL, _BLOCK = 4096, 1024
_DECADES = tuple(f"{year}s" for year in range(1950, 2030, 10))


@dataclass(frozen=True)
class Words:
    """Words of one language, between blanks, and the form of a title."""

    genres: str
    first: str
    last: str
    things: str
    places: str
    title: str


_WORDS = {
    "es": Words(
        genres="acción aventura comedia drama terror romance suspenso fantasía animación documental musical misterio",
        first="Lucía Mateo Sofía Diego Valeria Tomás Elena Bruno Inés Andrés Carla Hugo Marta Iván",
        last="Arroyo Beltrán Castaño Duarte Escobar Fuentes Galindo Herrera Ibarra Lozano Medina Nieto",
        things="farol naranjo reloj tren puente faro espejo jardín piano cometa mapa volcán molino silencio",
        places="invierno medianoche abril niebla arena domingo papel agosto cristal otoño lluvia piedra",
        title="El {thing} de {place}",
    ),
    "en": Words(
        genres="action adventure comedy drama horror romance thriller fantasy animation documentary musical mystery",
        first="Nora Owen Grace Felix Hazel Simon Ivy Ralph Daisy Miles Wren Oscar Tess Victor",
        last="Ashby Barlow Crane Dawson Elwood Farrow Granger Holt Irwin Keaton Langley Mercer",
        things="lantern orchard clock train bridge lighthouse mirror garden piano kite map volcano mill silence",
        places="Winter Midnight April Fog Sand Sunday Paper August Glass Autumn Rain Stone",
        title="The {thing} of {place}",
    ),
}


def language(given: str) -> str:
    """Return a language that there are words of.

    Raises:
        UsageError: there are none.
    """
    if given not in _WORDS:
        raise UsageError(f"LANGUAGE={given} is unknown: {nearest(given, LANGUAGES)}")
    return given


class Inventor:
    """Values of one language.

    Pools of names, titles and tastes are drawn once; a message then costs a few random numbers. Directors and actors belong
    to a genre each, so that who likes what can be learnt.
    """

    def __init__(self, language: str, seed: int, kind: str) -> None:
        words = _WORDS[language]
        self._draw = random.Random(f"{kind} {seed}")  # noqa: S311 - not for secrets
        self._numbers = np.random.default_rng([seed % 2**64, *kind.encode()])
        first, last = words.first.split(), words.last.split()
        self.names = [f"{one} {other}" for other in last for one in first]
        self._directors, self._actors = self.names[::3], self.names[1::3] + self.names[2::3]
        self.titles = [
            words.title.format(thing=thing, place=place)
            for thing in words.things.split()
            for place in words.places.split()
        ]
        self._genres = words.genres.split()
        self.tastes = [self._taste() for _ in range(_POOL)]
        self.decades = [self._decade() for _ in range(_POOL)]

    def drawn(self, *pools: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """Yield draws from pools, one of each, without end."""
        while True:
            yield from zip(
                *(
                    [pool[at] for at in self._numbers.integers(len(pool), size=_BLOCK).tolist()]
                    for pool in pools
                ),
                strict=True,
            )

    def works(self) -> Iterator[dict[str, Any]]:
        """Yield the fields that films and series share."""
        for title, decade, (genres, directors, actors), rating in self.drawn(
            self.titles, self.decades, self.tastes, RATINGS
        ):
            yield {
                "titulo": title,
                "decada_lanzamiento": decade,
                "generos": genres,
                "directores": directors,
                "actores": actors,
                "clasificacion": rating,
            }

    def sets_of_decades(self) -> list[list[str]]:
        """Return a pool of one to three decades each, in order."""
        return [sorted({self._decade() for _ in range(self._upto(3))}) for _ in range(_POOL)]

    def _taste(self) -> tuple[list[str], list[str], list[str]]:
        """Draw one to three genres, and directors and actors most of whom belong to them."""
        genres = list(dict.fromkeys(self._one(self._genres) for _ in range(self._upto(3))))
        return genres, self._people(self._directors, genres, 2), self._people(self._actors, genres, 4)

    def _decade(self) -> str:
        """Draw a decade, the newer ones more often."""
        return _DECADES[int(len(_DECADES) * self._draw.random() ** 0.5)]

    def _upto(self, most: int) -> int:
        return 1 + int(self._draw.random() * most)

    def _one(self, values: Sequence[str]) -> str:
        return values[int(self._draw.random() * len(values))]

    def _people(self, people: Sequence[str], genres: Sequence[str], most: int) -> list[str]:
        """Draw people: one in four anyone, the others from those of one of the genres."""
        found = []
        for _ in range(self._upto(most)):
            own = self._genres.index(self._one(genres))
            anyone = self._draw.random() < 0.25
            found.append(self._one(people if anyone else people[own :: len(self._genres)]))
        return list(dict.fromkeys(found))
