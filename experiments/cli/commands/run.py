"""`run`: an experiment, as far as it is not finished."""

import logging
from argparse import ArgumentParser, Namespace
from pathlib import Path

from cluster import configuration
from cluster.settings import Settings
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.report.show import finish, show
from experiments.run.progress import Progress
from experiments.run.runner import Sweep
from experiments.spec import loading as spec
from experiments.spec.experiment import Experiment

logger = logging.getLogger(__name__)


def _run(arguments: Namespace) -> int:
    settings = configuration.load(arguments.cluster_set)
    experiment = spec.with_effort(spec.load(arguments.name), arguments.applications, arguments.repeats)
    path = Path(arguments.name) if arguments.name.endswith(".toml") else spec.SPECS / f"{arguments.name}.toml"
    if experiment.search is not None:
        return _search(experiment, settings, path.read_text(encoding="utf-8"))
    sweep = Sweep(experiment, settings, Progress(), path.read_text(encoding="utf-8"))
    status = sweep.run()
    return finish(sweep, status, allow_model_change=arguments.allow_model_change)


def _search(experiment: Experiment, settings: Settings, text: str) -> int:
    from experiments.studies.search.run import Searching  # noqa: PLC0415 - it imports MLflow: see `open_recorder`

    searching = Searching(experiment, settings, Progress(), text)
    status = searching.run()
    print()
    show(settings, experiment)
    for problem in searching.problems:
        logger.error(problem)
    return 0 if status == "ok" and not searching.problems else 1


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    shared.effort(parser, may_share=True)
    shared.allow_model_change(parser)
    shared.name(parser)


COMMAND = Command("run what is not finished of an experiment", _run, _arguments)
