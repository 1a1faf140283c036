"""Sets of offsets as ranges: a million consecutive offsets are one range, so that sets of any size are compared at once."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

BITS = 64
"""Offsets in one word, a number of Spark's type bigint."""

_SHOWN = 5

Offsets = npt.NDArray[np.int64]


class Place(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


@dataclass(frozen=True)
class Ranges:
    """Offsets of one partition.

    Attributes:
        starts: first offset of each range, ascending; ends: the offset after its last. Ranges neither touch nor overlap.
    """

    starts: Offsets
    ends: Offsets

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int]]) -> "Ranges":
        """Return the offsets in ranges from `first` to before `end`, in any order; they may overlap."""
        found = np.array([pair for pair in pairs if pair[0] < pair[1]], dtype=np.int64).reshape(-1, 2)
        return _swept(found[:, 0], found[:, 1], np.ones(len(found), np.int64), lambda depth: depth > 0)

    @classmethod
    def of_offsets(cls, offsets: npt.ArrayLike) -> "Ranges":
        """Return these offsets, in any order."""
        found = np.unique(np.asarray(offsets, np.int64))
        breaks = np.flatnonzero(np.diff(found) != 1)
        return cls(
            found[np.concatenate([[0], breaks + 1])] if found.size else found,
            found[np.concatenate([breaks, [-1]])] + 1 if found.size else found,
        )

    @classmethod
    def of_words(cls, numbers: Offsets, words: Offsets) -> "Ranges":
        """Return the offsets of words of BITS bits: bit b of word n is the offset n * BITS + b."""
        order = np.argsort(numbers)
        bits = np.unpackbits(words[order].astype("<i8").view(np.uint8), bitorder="little")
        at = np.flatnonzero(bits)
        return cls.of_offsets(numbers[order][at // BITS] * BITS + at % BITS)

    def __or__(self, other: "Ranges") -> "Ranges":
        return self._with(other, 1, lambda depth: depth > 0)

    def __and__(self, other: "Ranges") -> "Ranges":
        return self._with(other, 1, lambda depth: depth > 1)

    def __sub__(self, other: "Ranges") -> "Ranges":
        return self._with(other, -2, lambda depth: depth == 1)

    def __bool__(self) -> bool:
        return bool(self.starts.size)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Ranges)
            and np.array_equal(self.starts, other.starts)
            and np.array_equal(self.ends, other.ends)
        )

    def __hash__(self) -> int:
        return hash((self.starts.tobytes(), self.ends.tobytes()))

    def __iter__(self) -> Iterator[tuple[int, int]]:
        yield from zip(self.starts.tolist(), self.ends.tolist(), strict=True)

    def __str__(self) -> str:
        shown = [str(first) if first + 1 == end else f"{first}-{end - 1}" for first, end in self][:_SHOWN]
        more = self.starts.size - len(shown)
        return ", ".join(shown) + (f" and {more:,} more ranges" if more else "")

    @property
    def count(self) -> int:
        """Number of offsets."""
        return int((self.ends - self.starts).sum())

    @property
    def end(self) -> int:
        """Offset after the last one; 0 if there is none."""
        return int(self.ends[-1]) if self else 0

    def _with(
        self, other: "Ranges", weight: int, wanted: Callable[[Offsets], npt.NDArray[np.bool_]]
    ) -> "Ranges":
        weights = np.repeat(np.array([1, weight], np.int64), [self.starts.size, other.starts.size])
        starts, ends = np.concatenate([self.starts, other.starts]), np.concatenate([self.ends, other.ends])
        return _swept(starts, ends, weights, wanted)


def _swept(
    starts: Offsets, ends: Offsets, weights: Offsets, wanted: Callable[[Offsets], npt.NDArray[np.bool_]]
) -> Ranges:
    """Return where the sum of the weights of the ranges that cover an offset is a wanted one."""
    edges, at = np.unique(np.concatenate([starts, ends]), return_inverse=True)
    change = np.zeros(edges.size, np.int64)
    np.add.at(change, at, np.concatenate([weights, -weights]))
    inside = wanted(np.cumsum(change)).astype(np.int8)
    turns = np.diff(inside, prepend=np.int8(0))
    return Ranges(edges[turns == 1], edges[turns == -1])


NONE = Ranges.of(())
"""No offsets."""
