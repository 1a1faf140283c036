"""`report`: an experiment's tables, pictures and page, from the record."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from cluster import configuration
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.report.show import SINGLE, TRAIN, show
from experiments.spec import loading as spec
from experiments.spec.experiment import Experiment


def _run(arguments: Namespace) -> int:
    settings = configuration.load(arguments.cluster_set)
    known = Path(arguments.name).stem
    experiment = Experiment(TRAIN, SINGLE) if known == TRAIN else spec.load(arguments.name)
    show(settings, experiment, allow_model_change=arguments.allow_model_change)
    return 0


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    shared.allow_model_change(parser)
    shared.name(parser)


COMMAND = Command("tables, pictures and one page from the record", _run, _arguments)
