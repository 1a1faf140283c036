"""`history`: Spark's own pages of the applications that ran."""

import os
from argparse import Namespace
from pathlib import Path

from cluster import configuration
from cluster.lifecycle import Cluster
from cluster.services.history import FOLDER
from core.errors import UsageError
from experiments.cli import arguments as shared
from experiments.cli.commands import Command


def link(run_dir: Path) -> int:
    """Link every event log under the run folder into one folder of it, and return how many there are.

    The links are relative, so that they hold wherever the run folder is mounted. Those to logs that are gone are
    removed. Of two logs of one name the newer is linked.
    """
    folder = run_dir / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    logs = {path.name: path for path in sorted(_logs(run_dir), key=lambda path: path.stat().st_mtime)}
    for old in folder.iterdir():
        if old.is_symlink() and (old.name not in logs or not old.exists()):
            old.unlink()
    for name, log in logs.items():
        target = Path(os.path.relpath(log, folder))
        new = folder / name
        if new.is_symlink() and new.readlink() == target:
            continue
        new.unlink(missing_ok=True)
        new.symlink_to(target)
    return len(logs)


def _logs(run_dir: Path) -> list[Path]:
    """Return files, and the folders of rolling logs; hidden ones are checksums."""
    found = (run_dir / "experiments").glob("**/eventlog/*")
    return [path for path in found if not path.name.startswith(".")]


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
