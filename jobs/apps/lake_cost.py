"""Times the lake against Spark's plain batch read of the same messages, and what each of its guarantees costs."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, fields

from core.errors import JobError, UsageError
from core.options import nearest, parse
from datasets.topics.connection import Connection
from jobs.guarantees.backlog import filled
from jobs.guarantees.draining import drained
from jobs.guarantees.lake_sides import SIDES, plainly_parsed
from jobs.runtime.context import Context, JobKind
from jobs.runtime.phases import consume
from jobs.runtime.request import Result
from jobs.streaming import kafka


@dataclass(frozen=True)
class CostParams:
    """Parameters of the job.

    Attributes:
        brokers: host:port of Kafka's brokers.
        rows: messages, which are sent before.
        most: of one micro-batch.
        sides: what is timed, besides the batch read: lake, not_idempotent (Delta without numbers of batches and without
            dead letters), parquet (the same as plain Parquet).
        batches: small ones, in which the lake reads all messages once more at the end, to see whether batches become slower; 0 for none.
    """

    brokers: tuple[str, ...]
    rows: int = 1_000_000
    most: int = 500_000
    sides: tuple[str, ...] = ("lake",)
    batches: int = 0


class LakeCost:
    """Phase `parse`: a batch read of all messages, each parsed. The streams are timed beside it, from start to end."""

    kind: JobKind = "passes"

    def parameters(self) -> frozenset[str]:
        return frozenset(field.name for field in fields(CostParams))

    def run(self, context: Context) -> Result:
        params = parse(CostParams, context.request.params, "parameters of lake_cost")
        for side in params.sides:
            if side not in SIDES:
                raise UsageError(f"unknown side {side!r} in parameters of lake_cost: {nearest(side, SIDES)}")
        context.ready()
        connection = Connection.of(params.brokers)
        ranges = filled(context, connection, params.rows)
        seconds: dict[str, list[float]] = {side: [] for side in params.sides}
        for number in context.passes():
            turn = params.sides if number % 2 == 0 else params.sides[::-1]
            with context.phases.phase("parse"):
                consume(plainly_parsed(kafka.again(context.spark, connection, ranges, headers=False)))
            for side in turn:
                seconds[side].append(drained(context, connection, SIDES[side], params.rows, params.most)[0])
        later = _later(context, connection, params) if params.batches else {}
        return _result(context, params.rows, seconds, later)


def _later(context: Context, connection: Connection, params: CostParams) -> dict[str, float]:
    """Return the 95th percentile of the times of early and of late small batches, and their ratio."""
    most = max(1, params.rows // params.batches)
    _, times = drained(context, connection, SIDES["lake"], params.rows, most)
    if len(times) < params.batches:
        raise JobError(
            f"{len(times)} batches were timed instead of {params.batches}: the queries were looked at too seldom"
        )
    tenth = params.batches // 10
    early, late = (_p95(times[begin : begin + tenth]) for begin in (tenth, params.batches - tenth))
    return {"batch_p95_s.early": early, "batch_p95_s.late": late, "late_of_early": late / early}


def _p95(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[94]


def _result(context: Context, rows: int, seconds: dict[str, list[float]], later: dict[str, float]) -> Result:
    measured = [one for one in context.phases.times if one.kind == "repeat"]
    skip = len(context.phases.times) - len(measured)
    sides = {
        "parse": [one.seconds for one in measured],
        **{side: found[skip:] for side, found in seconds.items()},
    }
    medians = {side: statistics.median(found) for side, found in sides.items()}
    return Result(
        job="lake_cost",
        status="ok",
        metrics={
            **{f"rows_per_s.{side}": rows / median for side, median in medians.items()},
            **{f"of_parse.{side}": medians["parse"] / medians[side] for side in seconds},
            **later,
        },
        counts={"rows": rows},
        table=[
            ["side", "rows/s", "of the batch read", "seconds"],
            *(
                [
                    side,
                    round(rows / medians[side]),
                    round(medians["parse"] / medians[side], 2),
                    " ".join(f"{one:.1f}" for one in found),
                ]
                for side, found in sides.items()
            ),
            *([name, round(value, 3), "", ""] for name, value in later.items()),
        ],
    )


JOB = LakeCost()
