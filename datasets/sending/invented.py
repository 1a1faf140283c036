"""Invented people, films and series, in Spanish or English, all drawn from a seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from core.errors import UsageError
from core.options import nearest

LANGUAGES = ("es", "en")

RATINGS = ("G", "PG", "PG-13", "R", "NC-17")
"""Age ratings, from the mildest."""

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
    """Values of one language, drawn one after the other.

    Directors and actors are few, each with a genre and a decade of their own, so that who likes what can be learnt.
    """

    def __init__(self, language: str, seed: int, kind: str) -> None:
        words = _WORDS[language]
        self._genres, self._first, self._last = words.genres.split(), words.first.split(), words.last.split()
        self._things, self._places, self._title = words.things.split(), words.places.split(), words.title
        self.draw = random.Random(f"{kind} {seed}")  # noqa: S311 - not for secrets
        names = [f"{first} {last}" for last in self._last for first in self._first]
        self._directors, self._actors = names[::3], names[1::3] + names[2::3]

    def name(self) -> str:
        """Return a person's name."""
        return f"{self._one(self._first)} {self._one(self._last)}"

    def title(self) -> str:
        """Return a title."""
        return self._title.format(thing=self._one(self._things), place=self._one(self._places))

    def genres(self, most: int) -> list[str]:
        """Return one or more genres."""
        return self._some(self._genres, most)

    def directors(self, genres: Sequence[str], most: int) -> list[str]:
        """Return directors, most of whom work in these genres."""
        return self._people(self._directors, genres, most)

    def actors(self, genres: Sequence[str], most: int) -> list[str]:
        """Return actors, most of whom play in these genres."""
        return self._people(self._actors, genres, most)

    def work(self) -> dict[str, Any]:
        """Return the fields that films and series share."""
        title, genres = self.title(), self.genres(3)
        return {
            "titulo": title,
            "decada_lanzamiento": self.decade(),
            "generos": genres,
            "directores": self.directors(genres, 2),
            "actores": self.actors(genres, 4),
            "clasificacion": self.rating(),
        }

    def decade(self) -> str:
        """Return a decade, the newer ones more often."""
        return _DECADES[int(len(_DECADES) * self.draw.random() ** 0.5)]

    def decades(self, most: int) -> list[str]:
        """Return one or more decades, in order."""
        return sorted({self.decade() for _ in range(1 + int(self.draw.random() * most))})

    def rating(self) -> str:
        """Return an age rating."""
        return self._one(RATINGS)

    def day_before(self, ms: int) -> str:
        """Return a day of the three years before a time."""
        at = datetime.fromtimestamp(ms / 1000, UTC) - timedelta(days=int(self.draw.random() * 1095))
        return at.date().isoformat()

    def _one(self, values: Sequence[str]) -> str:
        return values[int(self.draw.random() * len(values))]

    def _some(self, values: Sequence[str], most: int) -> list[str]:
        return list(dict.fromkeys(self._one(values) for _ in range(1 + int(self.draw.random() * most))))

    def _people(self, people: Sequence[str], genres: Sequence[str], most: int) -> list[str]:
        """Draw people: one in four anyone, the others from the part of the list that belongs to one of the genres."""
        found = []
        for _ in range(1 + int(self.draw.random() * most)):
            if self.draw.random() < 0.25:
                found.append(self._one(people))
            else:
                own = self._genres.index(self._one(genres))
                found.append(self._one(people[own :: len(self._genres)]))
        return list(dict.fromkeys(found))
