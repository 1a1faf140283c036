"""Medians of measured points, and their ratios to the base point of the same round: whether they can be told from it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from experiments.stats.intervals import LEAST_FOR_INTERVAL, ratio
from experiments.stats.summaries import Spread, spread_of
from experiments.studies.stream_scaling.measured import Measured
from experiments.studies.stream_scaling.points import Plan, Point, counted

OVERSUBSCRIBED = "oversubscribed"
"""Tag of workers with more cores than the host has, of which nothing is claimed."""

_CLEAN = "clean"


@dataclass(frozen=True)
class Ratio:
    """Drained messages a second over those of the base point.

    Attributes:
        middle: geometric mean of the rounds.
        least, most: of the rounds.
        low, high: 95% interval; None with fewer than five rounds.
        rounds: how many there are.
    """

    middle: float
    least: float
    most: float
    low: float | None
    high: float | None
    rounds: int

    @property
    def told(self) -> int:
        """1 if it is above 1 and -1 if below, by the interval or, without one, in each of several rounds; 0 if it cannot be told."""
        if self.rounds < 2:
            return 0
        low, high = (
            (self.least, self.most) if self.low is None or self.high is None else (self.low, self.high)
        )
        return int(low > 1) - int(high < 1)


@dataclass(frozen=True)
class Place:
    """A point on an axis.

    Attributes:
        value: on the axis; ideal: ratio if the rate went with it.
        rates: drained messages a second; None if nothing was measured.
        ratio: to the base point; None for the base itself, where no round has both, and where nothing is claimed.
        tag: how far a time on its workers may be trusted; empty if nothing was measured.
    """

    axis: str
    value: int
    point: Point
    ideal: float
    rates: Spread | None
    ratio: Ratio | None
    tag: str

    @property
    def claimed(self) -> bool:
        """Whether its rate may be drawn as one of scaling."""
        return self.rates is not None and self.tag != OVERSUBSCRIBED


@dataclass(frozen=True)
class Scaled:
    """Results of a plan.

    Attributes:
        stream: name of the query.
        plan: what was to be measured; rounds: how often.
        backlog: messages that were to be drained.
        measured: what was.
    """

    stream: str
    plan: Plan
    rounds: int
    backlog: int
    measured: tuple[Measured, ...]

    @property
    def base(self) -> Spread | None:
        """Messages a second that the base point drained."""
        return _rates(self._at(self.plan.base).values())

    @property
    def complete(self) -> bool:
        """Whether every point was measured in every round, and everything was found where it belongs."""
        wanted = len(self.plan.points) * self.rounds
        return len(self.measured) == wanted and all(one.good for one in self.measured)

    def along(self, axis: str) -> list[Place]:
        """Return the points of an axis, the lowest number first."""
        return [self._place(axis, value) for value in self.plan.axes[axis]]

    def _place(self, axis: str, value: int) -> Place:
        base = self.plan.base
        point = base.at(axis, value)
        found = self._at(point)
        tag = next((one.tag for one in found.values()), "")
        compared = None if point == base or tag == OVERSUBSCRIBED else ratio_of(found, self._at(base))
        return Place(axis, value, point, value / base.on(axis), _rates(found.values()), compared, tag)

    def _at(self, point: Point) -> dict[int, Measured]:
        """Return the measurements of a point by round; those that were not reconciled do not count."""
        return {one.round: one for one in self.measured if one.point == point and one.good}


def ratio_of(found: Mapping[int, Measured], base: Mapping[int, Measured]) -> Ratio | None:
    """Return the ratio of two points over the rounds that have both; None if there is none."""
    rounds = sorted(found.keys() & base.keys())
    if not rounds:
        return None
    above, below = ([side[number].per_s for number in rounds] for side in (found, base))
    middle, low, high = ratio(above, below, paired=True)
    each = [one / other for one, other in zip(above, below, strict=True)]
    return Ratio(middle, min(each), max(each), low, high, len(rounds))


def answer(scaled: Scaled) -> str:
    """Return the answer in a sentence."""
    base = scaled.base
    if base is None:
        return f"Nothing is known of {scaled.stream}: its base point ({scaled.plan.base}) was not measured."
    clauses = "; ".join(clause(axis, scaled.along(axis)) for axis in scaled.plan.axes)
    return f"{scaled.stream} drains {base.median:,.0f} messages a second with {_listed(scaled.plan.base)}: {clauses}."


def clause(axis: str, places: Sequence[Place]) -> str:
    """Say what another number on an axis brings."""
    known = [(one, one.ratio) for one in places if one.ratio is not None]
    better = [(one, found) for one, found in known if found.told > 0]
    if better:
        best, found = max(better, key=lambda pair: pair[1].middle)
        return f"with {counted(best.value, axis)} {found.middle:.2f} times as fast"
    if not known:
        return f"of other numbers of {axis} nothing can be said"
    shown = ", ".join(f"{one.value}: {found.middle:.2f} times as fast" for one, found in known)
    if all(found.told < 0 for _, found in known):
        return f"no other number of {axis} is as fast ({shown})"
    return f"no other number of {axis} is faster by a difference that can be told ({shown})"


def notes(scaled: Scaled, cores: int) -> Iterable[str]:
    """Yield what a reader must know of these numbers.

    Args:
        scaled: results.
        cores: of the host.
    """
    yield (
        f"rates are those of draining a backlog, without its first batch; {scaled.rounds} round(s), in each of which every point is measured "
        "once, on a cluster of its own. Values are medians, in brackets the least and the most; ratios are to the base point of the same "
        "round"
    )
    if scaled.rounds < LEAST_FOR_INTERVAL:
        yield f"fewer than {LEAST_FOR_INTERVAL} rounds are a look, without intervals: a difference is told if all rounds show it"
    yield from _of_hosts(scaled, cores)
    yield from _of_rounds(scaled)
    for one in scaled.measured:
        yield from (f"{one.point}, round {one.round}, left out: {two}" for two in one.differences)
    missing = len(scaled.plan.points) * scaled.rounds - len(scaled.measured)
    if missing:
        yield f"{missing} measurement(s) failed; the same command measures them and no others"


def _of_hosts(scaled: Scaled, cores: int) -> Iterable[str]:
    """Yield where points share what they would have for themselves on machines of their own."""
    tags = {one.point.workers: one.tag for one in scaled.measured}
    for workers, tag in sorted(tags.items()):
        if tag == OVERSUBSCRIBED:
            yield (
                f"{counted(workers, 'workers')} of one core are more than the host's {cores} cores: they cannot help, nothing is claimed of "
                f"them, and they are not drawn ({tag})"
            )
        elif tag != _CLEAN:
            yield (
                f"{counted(workers, 'workers')} of one core take all of the host's {cores} cores, which the stream's driver and the brokers "
                f"need too ({tag}): on machines of their own they may bring more"
            )
    brokers = [number for number in scaled.plan.axes.get("brokers", ()) if number > 1]
    if brokers:
        yield (
            f"all brokers share one host and its disk, and {brokers[0]} or more keep three copies of each message: what brokers on machines "
            "of their own bring is not seen here"
        )
    if "partitions" in scaled.plan.axes:
        workers = scaled.plan.base.workers
        yield (
            f"a task reads a partition, and the stream has {counted(workers, 'workers')} of one core: it reads further partitions one after "
            "another, so that they are not expected to be faster"
        )


def _of_rounds(scaled: Scaled) -> Iterable[str]:
    """Yield the rounds that are not of one go."""
    for number in sorted({one.round for one in scaled.measured}):
        mine = [one for one in scaled.measured if one.round == number]
        if len({one.attempt for one in mine}) > 1:
            hours = (max(one.ended_at for one in mine) - min(one.ended_at for one in mine)) / 3600
            yield (
                f"round {number} was broken off and gone on with, over {hours:.1f} h: its ratios are not of points that were measured side "
                "by side"
            )


def _rates(measured: Iterable[Measured]) -> Spread | None:
    return spread_of([[one.per_s] for one in measured])


def _listed(point: Point) -> str:
    *most, last = (counted(value, axis) for axis, value in vars(point).items())
    return f"{', '.join(most)} and {last}"
