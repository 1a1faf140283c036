"""Texts of a capacity model and its predictions."""

from collections.abc import Iterator

from core.text_tables import WIDTH, hanging, wrapped
from core.units import MIB, count_text, memory_text, time_text
from experiments.studies.capacity.fit import LEAST_DEGREES
from experiments.studies.capacity.model import Estimate, Model, Prediction
from experiments.studies.capacity.points import growth

UNKNOWN = (
    "the interval contains the spread of the runs, but not what may change beyond them: memory that fills up and spills, "
    "a network between real machines, a slower disk"
)
_NAMES = 18  # characters of the column of names
_WIDE = 2.0
_OVERHEAD = 0.1
_LEAST_OVERHEAD = 384 * MIB


def prediction_lines(model: Model, prediction: Prediction) -> Iterator[str]:
    """Yield the predicted time and memory of a job, and the notes on them."""
    load = prediction.load
    yield (
        f"{count_text(load.rows)} rows on {count_text(load.workers)} worker(s), {count_text(load.cores)} core(s) in all"
    )
    yield ""
    yield _row("wall time", _time(prediction.wall))
    yield _row("  one warm pass", _time(prediction.work))
    yield _row(
        "  all else",
        _time(prediction.overhead),
        "starting, reading, the extra time of a first pass, judging",
    )
    yield from _memory_lines(prediction)
    yield ""
    yield from (wrapped(f"note: {line}") for line in notes(model, prediction))


def notes(model: Model, prediction: Prediction | None = None) -> Iterator[str]:
    """Yield how the numbers were computed, and how far they hold."""
    yield interval_note(model)
    if prediction is not None and prediction.wall.upper > _WIDE * prediction.wall.value:
        yield "the interval is wide: few runs, or runs on a busy machine; more of them (plan with a larger budget) narrow it"
    yield f"this holds for {growth(model.points.all)}"
    yield from model.time.terms.notes
    if model.memory is not None:
        yield from model.memory.terms.notes
    yield from model.points.left_out
    if any(point.full for point in model.points.all):
        yield "some runs filled or spilled their memory, so the need may be larger than predicted"
    if any(point.tag == "shared-host" for point in model.points.all):
        yield "some runs used all cores of the host (shared-host), which driver and servers need, too: they look slower than on machines of their own"
    yield checked(model)
    if prediction is not None and prediction.beyond:
        yield from (f"beyond what was measured: {line}" for line in prediction.beyond)
        yield UNKNOWN


def interval_note(model: Model) -> str:
    """Return which kind of interval it is, or why there is none."""
    degrees = model.time.fit.degrees
    runs, terms = len(model.points.training), ", ".join(model.time.terms.names)
    if degrees < LEAST_DEGREES:
        return f"no interval: {runs} runs leave {degrees} degree(s) of freedom for {terms}; run make plan with a larger budget"
    return (
        f"95% prediction interval for one further run: parametric bootstrap of the relative errors of {runs} runs about "
        f"the terms {terms} ({degrees} degrees of freedom), the fit repeated for each draw; it widens with the distance from the runs"
    )


def checked(model: Model) -> str:
    """Return which runs the model was fitted to and checked on."""
    points = model.points
    rows, cores = (
        sorted({getattr(point.load, name) for point in points.training}) for name in ("rows", "cores")
    )
    learnt = f"learnt from {count_text(rows[0])} to {count_text(rows[-1])} rows on {', '.join(map(count_text, cores))} core(s)"
    if not points.held_out:
        return f"{learnt}; not checked on any larger run (plan --validate does)"
    found = sorted(point.load.rows for point in points.held_out)
    errors = [abs(error) for error in errors_of(model)]
    return (
        f"{learnt}; checked on {len(found)} held-out run(s) of up to {count_text(found[-1])} rows, where it was wrong by "
        f"{max(errors):.0%} at most"
    )


def errors_of(model: Model) -> list[float]:
    """Return predicted / measured wall time - 1 of each held-out run."""
    held_out = model.points.held_out
    predicted = model.predict([point.load for point in held_out])
    return [item.wall.value / point.wall_s - 1.0 for item, point in zip(predicted, held_out, strict=True)]


def _memory_lines(prediction: Prediction) -> Iterator[str]:
    if prediction.heap is None:
        what = "the runs did not measure it for so many workers (see the note, and the spark settings in specs/capacity.toml)"
        yield _row("executor memory", "unknown", what)
        return
    what = "spark.executor.memory that holds the peak of Spark's managed memory"
    yield _row("executor memory", _size(prediction.heap), what)
    if prediction.python is not None:
        what = "resident memory of one executor's Python workers"
        yield _row("  Python beside", _size(prediction.python), what)
        what = "both (upper ends, where there are any), and a tenth for the JVM itself"
        yield _row("  a worker needs", memory_text(room_of(prediction)), what)


def _row(name: str, value: str, what: str = "") -> str:
    """Write a name, its value and what the value is; the last goes below where the line would be too long."""
    line = f"{name:<{_NAMES}}{value}"
    if not what or len(line) + 3 + len(what) <= WIDTH:
        return f"{line}   {what}".rstrip()
    return f"{line}\n{hanging('', what, _NAMES)}"


def room_of(prediction: Prediction) -> float:
    """Return the bytes that a worker's machine needs for its executor: heap, the JVM's own memory, Python."""
    assert prediction.heap is not None
    heap = prediction.heap.upper
    return (
        heap
        + max(_LEAST_OVERHEAD, _OVERHEAD * heap)
        + (prediction.python.upper if prediction.python else 0.0)
    )


def _time(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return time_text(estimate.value)
    return f"{time_text(estimate.value)}  [{time_text(estimate.low)} to {time_text(estimate.high)}]"


def _size(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return memory_text(estimate.value)
    return f"{memory_text(estimate.value)}  [{memory_text(estimate.low)} to {memory_text(estimate.high)}]"
