"""Films that enter the catalogue; invented."""

from dataclasses import dataclass
from typing import ClassVar

from datasets.producer import Asked, Supply
from datasets.sending.documents import documents
from datasets.sending.invented import Inventor


@dataclass(frozen=True)
class Movies:
    """A film has one to three genres, most of its directors and actors from those."""

    about: ClassVar[str] = "films as they enter the catalogue; invented"
    topics: ClassVar[tuple[str, ...]] = ("movies",)
    poisson: ClassVar[bool] = False
    replays: ClassVar[bool] = False

    def supply(self, asked: Asked) -> Supply:
        inventor = Inventor(asked.language, asked.seed, "movies")
        return documents(*self.topics, "movie", asked.seed, lambda _: {"type": "movie", **inventor.work()})


PRODUCER = Movies
