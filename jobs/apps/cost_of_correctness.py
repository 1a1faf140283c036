"""Times a stream, ways that guarantee less, and a batch of the same messages, in turns."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from core.errors import JobError, UsageError
from core.options import nearest, parse
from datasets.topics.connection import Connection
from jobs.guarantees import feedback_sides, lake_sides
from jobs.guarantees.backlog import sent
from jobs.guarantees.draining import Bench, Drain, batch_times
from jobs.guarantees.ladders import FEEDBACK, LAKE
from jobs.runtime.context import Context, JobKind
from jobs.runtime.request import Result

_SIDES: Mapping[str, Mapping[str, Callable[[Bench], None]]] = {
    LAKE: lake_sides.SIDES,
    FEEDBACK: feedback_sides.SIDES,
}
_WHOLE: Mapping[str, Drain] = {LAKE: lake_sides.WHOLE, FEEDBACK: feedback_sides.WHOLE}
_LEAST_BATCHES = 30


@dataclass(frozen=True)
class CostParams:
    """Parameters of the job.

    Attributes:
        brokers: host:port of Kafka's brokers.
        stream: lake or feedback.
        orders: names of the sides in the order in which they take their turns, a list for each measured pass.
        rows: messages, which are sent before.
        bad: share of them that cannot be read.
        most: of one micro-batch.
        batches: small ones, in which the stream reads all messages once more at the end, to see whether batches become slower; 0 for none.
    """

    brokers: tuple[str, ...]
    stream: str
    orders: tuple[tuple[str, ...], ...]
    rows: int = 1_000_000
    bad: float = 0.0
    most: int = 500_000
    batches: int = 0


class CostOfCorrectness:
    """A phase for each side, in each pass; of a stream from the start of its queries to their end, when it has read everything."""

    kind: JobKind = "passes"

    def parameters(self) -> frozenset[str]:
        return frozenset(field.name for field in fields(CostParams))

    def run(self, context: Context) -> Result:
        params = parse(CostParams, context.request.params, "parameters of cost_of_correctness")
        sides = _asked(params)
        context.ready()
        connection = Connection.of(params.brokers)
        backlog = sent(context.spark, connection, params.rows, params.bad)
        bench = Bench(context, connection, backlog, params.most)
        for number in context.passes():
            for name in params.orders[(number - context.request.warmups) % len(params.orders)]:
                sides[name](bench)
        counts = {"rows": backlog.rows, "bad": backlog.bad}
        later = _later(bench, _WHOLE[params.stream], params.batches) if params.batches else {}
        return Result(job="cost_of_correctness", status="ok", metrics=later, counts=counts)


def _asked(params: CostParams) -> Mapping[str, Callable[[Bench], None]]:
    """Return the sides of the stream.

    Raises:
        UsageError: there is no such stream or side, or too few batches or messages for them.
    """
    what = "parameters of cost_of_correctness"
    if params.stream not in _SIDES:
        raise UsageError(f"unknown stream {params.stream!r} in {what}: {nearest(params.stream, _SIDES)}")
    sides = _SIDES[params.stream]
    for name in (name for order in params.orders for name in order):
        if name not in sides:
            raise UsageError(f"unknown side {name!r} in {what}: {nearest(name, sides)}")
    if not params.orders or params.most < 1:
        raise UsageError(
            f"{what} need one order or more, and most=1 or more; got {len(params.orders)} and {params.most}"
        )
    if params.batches and not _LEAST_BATCHES <= params.batches <= params.rows:
        raise UsageError(
            f"batches in {what} must be 0, or {_LEAST_BATCHES} to the number of messages ({params.rows:,}); got {params.batches:,}"
        )
    return sides


def _later(bench: Bench, whole: Drain, batches: int) -> dict[str, float]:
    """Return the 95th percentile of the seconds of early and of late small batches, and their ratio.

    Of a thousand those are 101 to 200 and 901 to 1,000: the first hundred are not warm.
    """
    times = batch_times(replace(bench, most=max(1, bench.backlog.rows // batches)), whole)
    if len(times) < batches:
        raise JobError(
            f"{len(times)} batches came of the messages, and {batches} were asked for: send more (rows)"
        )
    tenth = batches // 10
    early, late = (_p95(times[begin : begin + tenth]) for begin in (tenth, batches - tenth))
    return {"early_p95_s": early, "late_p95_s": late, "late_of_early": late / early}


def _p95(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[94]


JOB = CostOfCorrectness()
