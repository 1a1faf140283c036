"""Series that enter the catalogue; invented."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from datasets.producer import Asked, Supply
from datasets.sending.documents import documents
from datasets.sending.invented import Inventor


@dataclass(frozen=True)
class Series:
    """A series is described as a film is, and has one to nine seasons of six to twenty-three episodes each."""

    about: ClassVar[str] = "series as they enter the catalogue; invented"
    topics: ClassVar[tuple[str, ...]] = ("series",)
    poisson: ClassVar[bool] = False
    replays: ClassVar[bool] = False

    def supply(self, asked: Asked) -> Supply:
        inventor = Inventor(asked.language, asked.seed, "series")
        draw = inventor.draw.random

        def fields(_: int) -> Mapping[str, Any]:
            seasons = 1 + int(9 * draw())
            episodes = sum(6 + int(18 * draw()) for _ in range(seasons))
            return {
                "type": "series",
                **inventor.work(),
                "numero_temporadas": seasons,
                "numero_episodios": episodes,
            }

        return documents(*self.topics, "series", asked.seed, fields)


PRODUCER = Series
