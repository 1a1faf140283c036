"""Interface of a producer: a kind of messages that is sent to Kafka, made from a seed or read from a source."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol

from datasets.dataset import Dataset

Header = tuple[str, bytes]

Message = tuple[str, bytes | None, bytes, float, list[Header], str | None]
"""Topic, key, value, seconds after the start at which it is due, headers, and its kind if it is bad on purpose, which producers
leave None. A plain tuple: one is made for every message."""


@dataclass(frozen=True)
class Asked:
    """Wishes of a command about what is sent.

    Attributes:
        seed: of all that is invented or drawn.
        language: of invented values, "es" or "en".
        dataset: that is replayed or drawn from; None for the producer's own choice.
        data: folder of publishers' data sets, or None.
        cache: folder for downloads.
        speed: how many times as fast as it happened a source is replayed; None for other times.
        run: folder of what is kept between commands.
    """

    seed: int
    language: str
    dataset: Dataset | None
    data: Path | None
    cache: Path
    speed: float | None
    run: Path


class Supply(NamedTuple):
    """Messages that wait to be sent.

    Attributes:
        rows: how many there are; None if there is no end to them.
        messages: makes them from the time of the first (milliseconds since 1970) and the seconds after it at which each is
            due. Equal arguments give equal messages.
        times: their own times of those; None where the rate decides.
    """

    rows: int | None
    messages: Callable[[int, Iterator[float]], Iterator[Message]]
    times: Callable[[], Iterator[float]] | None = None


class Producer(Protocol):
    """A frozen dataclass whose fields are its options. One file in `datasets/producers` binds the class to PRODUCER."""

    about: ClassVar[str]
    """The messages, in a line."""

    topics: ClassVar[tuple[str, ...]]
    """Topics that it sends to."""

    poisson: ClassVar[bool]
    """Whether messages arrive at random, as people do, and not evenly."""

    replays: ClassVar[bool]
    """Whether its messages have times of their own, which may be sped up."""

    def supply(self, asked: Asked) -> Supply:
        """Return the messages, of which none is made yet.

        Raises:
            UsageError: an option or the data set does not fit.
            DataError: the data set cannot be read.
        """
