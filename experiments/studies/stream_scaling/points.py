"""Axes of the cluster that a stream runs on, and the points along them about a base point."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.errors import UsageError
from core.options import nearest
from datasets.topics import declared


@dataclass(frozen=True)
class Point:
    """Numbers of what a stream runs on.

    Attributes:
        partitions: of its topic; workers: of one core each, all of which it uses; brokers: of Kafka.
    """

    partitions: int
    workers: int = 1
    brokers: int = 1

    def __str__(self) -> str:
        return ", ".join(counted(value, axis) for axis, value in vars(self).items())

    @property
    def slug(self) -> str:
        """It in one word, for the name of a folder."""
        return f"p{self.partitions}-w{self.workers}-b{self.brokers}"

    def at(self, axis: str, value: int) -> "Point":
        """Return the point with another number on one axis."""
        return dataclasses.replace(self, **{axis: value})

    def on(self, axis: str) -> int:
        """Return its number on an axis."""
        return int(getattr(self, axis))


AXES = tuple(field.name for field in dataclasses.fields(Point))


@dataclass(frozen=True)
class Plan:
    """Points that are measured: one axis at a time about a base point, which is one of each axis.

    Attributes:
        base: the base point.
        axes: the numbers on each axis, the lowest first.
    """

    base: Point
    axes: Mapping[str, tuple[int, ...]]

    @property
    def points(self) -> list[Point]:
        """All of them once, the base first."""
        along = [self.base.at(axis, value) for axis, values in self.axes.items() for value in values]
        return list(dict.fromkeys([self.base, *along]))

    def __str__(self) -> str:
        return " ".join(f"{axis}={','.join(map(str, values))}" for axis, values in self.axes.items())


def plan(given: Mapping[str, str], topic: str) -> Plan:
    """Return the points along the axes that are given as texts, as {"workers": "1,2"}.

    The base point has the topic's declared partitions, one worker and one broker; on an axis that does not have that number, the first
    number that is given.

    Raises:
        UsageError: an unknown axis, or numbers that cannot be.
    """
    if not given:
        raise UsageError("--over names no axis: write for example --over 'partitions=1,2,4 workers=1,2'")
    axes, base = {}, Point(declared.topic(topic).partitions)
    for axis, text in given.items():
        if axis not in AXES:
            raise UsageError(f"unknown axis {axis!r} of --over: {nearest(axis, AXES)}")
        numbers = _numbers(axis, text)
        if base.on(axis) not in numbers:
            base = base.at(axis, numbers[0])
        axes[axis] = tuple(sorted(numbers))
    return Plan(base, axes)


def counted(value: int, axis: str) -> str:
    """Write a number of what an axis counts: 1 worker, 2 workers."""
    return f"{value} {axis if value != 1 else axis[:-1]}"


def _numbers(axis: str, text: str) -> Sequence[int]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        raise UsageError(
            f"{axis} of --over must be whole numbers of 1 or more with commas between, as in {axis}=1,3, got {text!r}"
        )
    numbers = list(dict.fromkeys(map(int, words)))
    if len(numbers) < 2:
        raise UsageError(f"{axis} of --over needs two numbers or more, to be compared, got {text!r}")
    even = [number for number in numbers if number % 2 == 0]
    if axis == "brokers" and even:
        raise UsageError(
            f"brokers of --over must be odd numbers, so that more than half of them can agree, got {text!r}"
        )
    return numbers
