"""`train`: one trial."""

from argparse import ArgumentParser, Namespace

from cluster import configuration
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.report.show import SINGLE, TRAIN, finish
from experiments.run.progress import Progress
from experiments.run.runner import Sweep
from experiments.spec import loading as spec
from experiments.spec.dotted_names import in_spec
from experiments.spec.tables import DATA, MODEL


def _run(arguments: Namespace) -> int:
    settings = configuration.load([*shared.shape_sets(arguments), *arguments.cluster_set])
    given = shared.read_sets(arguments.set)
    shared.refuse_twice(given, {MODEL: "--model", DATA: "--dataset"})
    values = {MODEL: arguments.model, DATA: arguments.dataset, **given}
    effort = {"applications": arguments.applications or 1, "repeats": arguments.repeats or 1, "warmups": 1}
    experiment = spec.read(TRAIN, {"question": SINGLE, **values, **effort})
    shown = "".join(in_spec(key, value) + "\n" for key, value in values.items())
    sweep = Sweep(experiment, settings, Progress(), shown, adds=True)
    status = sweep.run()
    return finish(sweep, status, only={key for key, _ in sweep.keyed})


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    shared.effort(parser)
    shared.shape(parser)
    shared.sets(parser)
    parser.add_argument("--model", required=True, help="for example als")
    parser.add_argument("--dataset", required=True, help="source/variant, for example movielens/1m")


COMMAND = Command("run one trial", _run, _arguments)
