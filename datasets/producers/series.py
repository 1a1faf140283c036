"""Series that enter the catalogue; invented."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from datasets.producer import Asked, Supply
from datasets.sending.documents import documents
from datasets.sending.invented import Inventor


@dataclass(frozen=True)
class Series:
    """A series is described as a film is, and has one to nine seasons, each of as many episodes: six to twenty-three."""

    about: ClassVar[str] = "series as they enter the catalogue; invented"
    topics: ClassVar[tuple[str, ...]] = ("series",)
    poisson: ClassVar[bool] = False
    replays: ClassVar[bool] = False

    def supply(self, asked: Asked) -> Supply:
        def fields(_: int) -> Iterator[dict[str, Any]]:
            inventor = Inventor(asked.language, asked.seed, "series")
            sizes = inventor.drawn(range(1, 10), range(6, 24))
            for work, (seasons, episodes) in zip(inventor.works(), sizes, strict=False):
                yield {
                    "type": "series",
                    **work,
                    "numero_temporadas": seasons,
                    "numero_episodios": seasons * episodes,
                }

        return documents(self.topics, "series", asked.seed, fields)


PRODUCER = Series
