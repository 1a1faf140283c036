"""Weights of factors, content and popularity in a person's list, by how much is known of the person."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from core.errors import UsageError
from jobs.engine.arrays import Floats

PARTS = ("factors", "content", "popularity")


class Band(NamedTuple):
    """Weights of PARTS for users of whom `least` likings or more are known, and fewer than the next band's."""

    least: int
    weights: tuple[float, float, float]


@dataclass(frozen=True)
class Blend:
    """Bands by ascending `least`, of which the first is 0."""

    bands: tuple[Band, ...]

    def __post_init__(self) -> None:
        least = [band.least for band in self.bands]
        if not least or least[0] != 0 or least != sorted(set(least)):
            raise UsageError(f"the bands of a blend must begin with 0 and rise, got {least}")
        for band in self.bands:
            if min(band.weights) < 0 or not max(band.weights) > 0 or not math.isfinite(sum(band.weights)):
                raise UsageError(
                    f"the weights of {', '.join(PARTS)} must be 0 or more and one of them above 0, got {band.weights} "
                    f"for {band.least} likings or more"
                )

    @classmethod
    def parse(cls, text: str) -> "Blend":
        """Read what `str` gives, as "0:0/0/1 5:0.7/0.2/0.1": of each band its least, then the weights of PARTS.

        Raises:
            UsageError: the text is none, or its values are not allowed.
        """
        bands = []
        for part in text.split():
            least, _, given = part.partition(":")
            try:
                factors, content, popularity = (float(weight) for weight in given.split("/"))
                bands.append(Band(int(least), (factors, content, popularity)))
            except ValueError:
                raise UsageError(
                    f"a band of a blend must be likings:factors/content/popularity, got {part!r}; write for example "
                    '"0:0/0/1 5:0.7/0.2/0.1"'
                ) from None
        return cls(tuple(bands))

    def __str__(self) -> str:
        return " ".join(
            f"{band.least}:{'/'.join(f'{weight:g}' for weight in band.weights)}" for band in self.bands
        )

    def of(self, known: npt.NDArray[np.int64]) -> Floats:
        """Return the weights for numbers of known likings [users], float32 [users, 3]."""
        table = np.array([band.weights for band in self.bands], dtype=np.float32)
        return table[np.searchsorted([band.least for band in self.bands], known, side="right") - 1]
