"""`history`: Spark's own pages of the applications that ran."""

from argparse import Namespace

from cluster import configuration
from cluster.lifecycle import Cluster
from core.errors import UsageError
from experiments.cli import arguments as shared
from experiments.cli.command import Command
from experiments.telemetry.history import link


def _run(arguments: Namespace) -> int:
    settings = configuration.load(arguments.cluster_set)
    applications = link(settings.run_dir)
    if not applications:
        raise UsageError(
            f"there are no event logs under {settings.run_dir}: run an experiment first (make experiment NAME=demo)"
        )
    (address,) = Cluster(settings).ensure("history")
    print(
        f"Spark's history of {applications} application(s): {address}  (stop it with `make down`; again after further runs)"
    )
    return 0


COMMAND = Command("Spark's history server on the event logs of every application", _run, shared.cluster)
