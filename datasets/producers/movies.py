"""Films that enter the catalogue; invented."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

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
        def fields(_: int) -> Iterator[dict[str, Any]]:
            for work in Inventor(asked.language, asked.seed, "movies").works():
                yield {"type": "movie", **work}

        return documents(self.topics, "movie", asked.seed, fields)


PRODUCER = Movies
