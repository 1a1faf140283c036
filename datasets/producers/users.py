"""People who subscribe, with what they like; invented."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from datasets.producer import Asked, Supply
from datasets.sending.documents import documents
from datasets.sending.invented import RATINGS, Inventor


@dataclass(frozen=True)
class Users:
    """A user likes one to three genres, a few of their directors and actors, and one to three decades."""

    about: ClassVar[str] = "people who subscribe, with what they like; invented"
    topics: ClassVar[tuple[str, ...]] = ("users",)
    poisson: ClassVar[bool] = False
    replays: ClassVar[bool] = False

    def supply(self, asked: Asked) -> Supply:
        def fields(start_ms: int) -> Iterator[dict[str, Any]]:
            inventor = Inventor(asked.language, asked.seed, "users")
            pools = (
                inventor.names,
                _days_before(start_ms),
                inventor.tastes,
                RATINGS,
                inventor.sets_of_decades(),
            )
            for name, day, (genres, directors, actors), rating, decades in inventor.drawn(*pools):
                yield {
                    "type": "user",
                    "nombre_usuario": name,
                    "fecha_suscripcion": day,
                    "generos": genres,
                    "directores": directors,
                    "actores": actors,
                    "clasificacion": rating,
                    "decadas_favoritas": decades,
                }

        return documents(self.topics, "user", asked.seed, fields)


def _days_before(ms: int) -> list[str]:
    """Return the days of three years before a time."""
    last = datetime.fromtimestamp(ms / 1000, UTC).date()
    return [(last - timedelta(days=days)).isoformat() for days in range(1095)]


PRODUCER = Users
