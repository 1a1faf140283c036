"""`predict`: time and memory of a job that was never run, from the runs that `plan` recorded."""

from argparse import ArgumentParser, Namespace

from cluster import configuration
from cluster.shape import Shape
from core.units import count
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.studies.capacity.record import model_of
from experiments.studies.capacity.sentences import prediction_lines
from experiments.studies.capacity.terms import Load

SPEC = "capacity"
_ANY = "1g"  # memory is what is asked for


def _run(arguments: Namespace) -> int:
    settings = configuration.load(arguments.cluster_set)
    rows = count(arguments.rows, "rows")
    shape = Shape(arguments.workers, arguments.cores, _ANY)
    model = model_of(settings, arguments.of)
    (found,) = model.predict([Load.of(rows, shape)])
    print("\n".join(prediction_lines(model, found)))
    return 0


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    parser.add_argument("--rows", required=True, help="ratings, for example 33e6")
    parser.add_argument("--workers", type=int, required=True, help="how many workers")
    parser.add_argument("--cores", type=int, default=1, help="cores of each worker (default 1)")
    parser.add_argument(
        "--of", default=SPEC, metavar="SPEC", help=f"whose runs to learn from (default {SPEC})"
    )


COMMAND = Command("how long a job would take, and how much memory an executor needs", _run, _arguments)
