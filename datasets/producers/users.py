"""People who subscribe, with what they like; invented."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from datasets.producer import Asked, Supply
from datasets.sending.documents import documents
from datasets.sending.invented import Inventor


@dataclass(frozen=True)
class Users:
    """A user likes one to three genres, a few of their directors and actors, and one to three decades."""

    about: ClassVar[str] = "people who subscribe, with what they like; invented"
    topics: ClassVar[tuple[str, ...]] = ("users",)
    poisson: ClassVar[bool] = False
    replays: ClassVar[bool] = False

    def supply(self, asked: Asked) -> Supply:
        inventor = Inventor(asked.language, asked.seed, "users")

        def fields(at: int) -> Mapping[str, Any]:
            name, genres = inventor.name(), inventor.genres(3)
            return {
                "type": "user",
                "nombre_usuario": name,
                "fecha_suscripcion": inventor.day_before(at),
                "generos": genres,
                "directores": inventor.directors(genres, 2),
                "actores": inventor.actors(genres, 4),
                "clasificacion": inventor.rating(),
                "decadas_favoritas": inventor.decades(3),
            }

        return documents(*self.topics, "user", asked.seed, fields)


PRODUCER = Users
