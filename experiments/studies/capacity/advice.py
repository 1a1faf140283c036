"""Choice of the cheapest cluster shape that ends before a deadline."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from cluster.shape import Shape
from core.errors import UsageError
from core.units import count_text, memory_text, time_text
from experiments.page.tables import NONE, Table
from experiments.studies.capacity.model import Model, Prediction
from experiments.studies.capacity.terms import Load

MOST_WORKERS = 64
_HOUR = 3600.0


@dataclass(frozen=True)
class Offer:
    """One shape with its predicted time and its cost.

    Attributes:
        cost: workers times price times predicted wall time; cost_at_most: the same for the upper end of the interval.
        meets: whether the upper end is within the deadline.
        fits: whether a worker has the memory that an executor may need; None where memory is left out of the choice.
    """

    prediction: Prediction
    cost: float
    cost_at_most: float
    meets: bool
    fits: bool | None

    @property
    def workers(self) -> int:
        """Number of workers."""
        return self.prediction.load.workers

    @property
    def suitable(self) -> bool:
        """Whether it meets the deadline and, as far as is known, has enough memory."""
        return self.meets and self.fits is not False


@dataclass(frozen=True)
class Advice:
    """All offers, the cheapest suitable one, and the reason if there is none."""

    offers: tuple[Offer, ...]
    best: Offer | None
    why_not: str = ""

    def table(self) -> Table:
        """Return one row for each of some shapes: the first ones, powers of two, the best and its neighbours."""
        header = ["shape", "time", "95% interval", "executor memory", "cost", "up to", "deadline"]
        return Table(header, [_row(offer) for offer in self._shown()])

    def _shown(self) -> list[Offer]:
        near = {self.best.workers + step for step in (-1, 0, 1)} if self.best else set()
        powers = {2**step for step in range(12)} | {3, len(self.offers)}
        return [offer for offer in self.offers if offer.workers in powers | near]


@dataclass(frozen=True)
class Wanted:
    """A question to the model.

    Attributes:
        rows: of the data.
        deadline: seconds for a whole job of one pass; the upper end of the interval has to keep it.
        price: of one worker for an hour, billed for the time that is used.
        worker: the size of each worker; its number of workers does not matter.
        most: the largest number of workers that is considered.
        memory: bytes that a worker can give to its executor; None leaves memory out of the choice.
    """

    rows: int
    deadline: float
    price: float
    worker: Shape
    most: int = MOST_WORKERS
    memory: float | None = None


def advise(model: Model, wanted: Wanted) -> Advice:
    """Predict every number of workers and choose the cheapest suitable one.

    Raises:
        UsageError: all recorded runs had the same number of cores, or there are too few for intervals, or memory is
            to be considered and was not measured.
    """
    if model.time.terms.only is not None:
        raise UsageError(
            f"all recorded runs had {model.time.terms.only:g} cores, so other shapes cannot be predicted; add workers or "
            "cores to the grid of the spec and run make plan again"
        )
    shapes = [dataclasses.replace(wanted.worker, workers=workers) for workers in range(1, wanted.most + 1)]
    predictions = model.predict([Load.of(wanted.rows, shape) for shape in shapes])
    if predictions[0].wall.high is None:
        raise UsageError(
            "there are too few runs for an interval, whose upper end has to meet the deadline; run make plan with a larger budget"
        )
    offers = tuple(_offer(item, wanted) for item in predictions)
    unknown = [item for item in predictions if item.heap is None]
    if wanted.memory is not None and unknown:
        raise UsageError(
            f"the runs did not measure the memory that {count_text(unknown[0].load.workers)} worker(s) need, so --memory cannot "
            "be considered: leave it out, or measure memory (the spark settings in specs/capacity.toml) and run make plan again"
        )
    best = min((offer for offer in offers if offer.suitable), key=lambda offer: offer.cost, default=None)
    return Advice(offers, best, "" if best else _why_not(offers, wanted.deadline))


def _offer(prediction: Prediction, wanted: Wanted) -> Offer:
    hourly = prediction.load.workers * wanted.price
    need = prediction.heap
    return Offer(
        prediction,
        hourly * prediction.wall.value / _HOUR,
        hourly * prediction.wall.upper / _HOUR,
        prediction.wall.upper <= wanted.deadline,
        None if need is None or wanted.memory is None else need.upper <= wanted.memory,
    )


def _why_not(offers: Sequence[Offer], deadline: float) -> str:
    fastest = min(offers, key=lambda offer: offer.prediction.wall.upper)
    wall = fastest.prediction.wall
    said = (
        f"no shape of 1 to {len(offers)} workers surely ends within {time_text(deadline)}: the fastest, {fastest.workers} "
        f"workers, takes {time_text(wall.value)} and up to {time_text(wall.upper)}"
    )
    if any(offer.meets for offer in offers):
        least = min(offer.prediction.heap.upper for offer in offers if offer.meets and offer.prediction.heap)
        return (
            f"the shapes that end within {time_text(deadline)} need more memory than a worker has: executors of at least "
            f"{memory_text(least)}"
        )
    if fastest.workers == len(offers) and wall.upper > 0:
        return f"{said}; try more workers (--max-workers) or a later deadline"
    return f"{said}; more workers make it slower, so set a later deadline"


def _row(offer: Offer) -> list[str]:
    wall, heap = offer.prediction.wall, offer.prediction.heap
    word = "kept" if offer.meets else "missed"
    if offer.fits is False:
        word += ", too little memory"
    if offer.prediction.beyond:
        word += " *"
    assert wall.low is not None and wall.high is not None  # noqa: PT018 - advise refuses models without intervals
    return [
        f"{count_text(offer.workers)} worker{'s' if offer.workers > 1 else ''}",
        time_text(wall.value),
        f"{time_text(wall.low)} to {time_text(wall.high)}",
        memory_text(heap.upper) if heap else NONE,
        money(offer.cost),
        money(offer.cost_at_most),
        word,
    ]


def money(value: float) -> str:
    """Write a cost to the cent, or small ones to three digits."""
    if value >= 1 or value == 0:
        return f"{value:,.2f}"
    return f"{value:.{2 - math.floor(math.log10(value))}f}"
