"""`recommend`: the cheapest cluster that ends a job before a deadline."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator

from cluster import configuration
from cluster.shape import Shape
from core.errors import GATE, UsageError
from core.text_tables import wrapped
from core.units import MIB, count, duration, mebibytes, positive, time_text
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.cli.commands.predict import SPEC
from experiments.page.text_tables import as_text
from experiments.page.wording import counted
from experiments.studies.capacity.advice import MOST_WORKERS, Advice, Wanted, advise, money
from experiments.studies.capacity.model import Model
from experiments.studies.capacity.record import model_of
from experiments.studies.capacity.sentences import notes

_ANY = "1g"


def _run(arguments: Namespace) -> int:
    """Return 0 with a recommendation, 4 if no shape keeps the deadline."""
    settings = configuration.load(arguments.cluster_set)
    wanted = _wanted(arguments)
    model = model_of(settings, arguments.of)
    advice = advise(model, wanted)
    print("\n".join(lines(model, advice, wanted)))
    return 0 if advice.best else GATE


def lines(model: Model, advice: Advice, wanted: Wanted) -> Iterator[str]:
    """Yield the answer, the table of shapes, and the notes on the shape that is recommended."""
    yield wrapped(_answer(advice, wanted))
    yield wrapped(_asked(wanted))
    yield f"\n{as_text(advice.table())}\n"
    yield "cost: workers \u00d7 price \u00d7 wall time, billed for the time that is used; up to: at the interval's upper end"
    yield "deadline: kept if the upper end of the interval is within it; * lies beyond what was measured"
    shown = advice.best or advice.offers[-1]
    yield from (wrapped(f"note: {line}") for line in notes(model, shown.prediction))


def _wanted(arguments: Namespace) -> Wanted:
    if arguments.max_workers < 1:
        raise UsageError(f"--max-workers must be at least 1, got {arguments.max_workers}")
    return Wanted(
        rows=count(arguments.rows, "rows"),
        deadline=duration(arguments.deadline, "the deadline"),
        price=positive(arguments.price_per_worker_hour, "--price-per-worker-hour"),
        worker=Shape(1, arguments.cores, arguments.memory or _ANY),
        most=arguments.max_workers,
        memory=mebibytes(arguments.memory) * MIB if arguments.memory else None,
    )


def _answer(advice: Advice, wanted: Wanted) -> str:
    """Say which shape to take, and the worst that the interval allows."""
    if advice.best is None:
        return f"cannot recommend: {advice.why_not}"
    best, wall = advice.best, advice.best.prediction.wall
    each = f"{wanted.worker.cores} core{'s' * (wanted.worker.cores > 1)}{' each' * (best.workers > 1)}"
    return (
        f"Take {counted(best.workers, 'worker')} of {each}: the job takes {time_text(wall.value)} and costs {money(best.cost)}. "
        f"The 95% interval reaches up to {time_text(wall.upper)} and {money(best.cost_at_most)}."
    )


def _asked(wanted: Wanted) -> str:
    return f"asked for: {wanted.rows:,} rows within {time_text(wanted.deadline)}, at {wanted.price:g} a worker and hour"


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    parser.add_argument("--rows", required=True, help="ratings, for example 33e6")
    parser.add_argument("--deadline", required=True, help="for the whole job, for example 30m")
    parser.add_argument("--price-per-worker-hour", required=True, help="in any currency, for example 0.40")
    parser.add_argument("--cores", type=int, default=1, help="cores of each worker (default 1)")
    parser.add_argument(
        "--memory",
        help="memory that a worker can give its executor, for example 8g; left out of the choice if not given",
    )
    parser.add_argument(
        "--max-workers", type=int, default=MOST_WORKERS, help=f"how many at the most (default {MOST_WORKERS})"
    )
    parser.add_argument(
        "--of", default=SPEC, metavar="SPEC", help=f"whose runs to learn from (default {SPEC})"
    )


COMMAND = Command("the cheapest cluster that ends a job before a deadline", _run, _arguments)
