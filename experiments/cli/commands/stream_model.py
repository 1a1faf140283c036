"""`stream-model`: from the lake to recommendations that a BI tool opens."""

import shutil
import tomllib
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cluster import configuration
from cluster.settings import Settings
from core.errors import JobError
from core.files import write_whole
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.report.show import finish
from experiments.results.outcome import Outcome
from experiments.run.harness import Harness
from experiments.run.progress import Progress
from experiments.run.runner import Sweep
from experiments.spec import loading as spec
from experiments.spec.experiment import Experiment
from jobs.modelling.delivery import NAME as FILES

NAME = "stream_model"


@dataclass(frozen=True)
class Trained:
    """Outcome of a training on the lake.

    Attributes:
        code: exit code.
        outcome: of the trial that ended well, None without one.
        files: recommendations, as CSV and as Parquet.
    """

    code: int
    outcome: Outcome | None = None
    files: Sequence[Path] = ()


def stream_model(settings: Settings, given: Mapping[str, Any], *, once: bool = False) -> Trained:
    """Train on the lake as it is now unless that was done, print the report, and publish the recommendations.

    Args:
        settings: where the cluster is.
        given: values in place of the spec's own, by their dotted names.
        once: whether this is all that Spark will be asked for, so that it is not made to start faster later.
    """
    text = (spec.SPECS / f"{NAME}.toml").read_text(encoding="utf-8")
    sweep = Sweep(changed(text, given), settings, Progress(), text, adds=True)
    with Harness(settings, records_classes=not once) as harness:
        ended = sweep.within(harness)
    code = finish(sweep, ended, only={key for key, _ in sweep.keyed})
    if code:
        return Trained(code)
    (outcome,) = (item for item in sweep.kept() if item.status == "ok")
    files = published(outcome, settings.run_dir)
    print("\n".join(f"recommendations: {path}" for path in files))
    return Trained(code, outcome, files)


def changed(text: str, given: Mapping[str, Any], name: str = NAME) -> Experiment:
    """Return the experiment of a spec of this name with values, by their dotted names, in place of its own."""
    values = tomllib.loads(text)
    for key, value in given.items():
        table, _, own = key.partition(".")
        values.setdefault(table, {})[own] = value
    return spec.read(name, values)


def published(outcome: Outcome, run_dir: Path) -> list[Path]:
    """Put the files of a trial into the folder `recommendations`, each whole or not at all.

    Raises:
        JobError: they are gone.
    """
    kept = outcome.folder(run_dir) / f"app-{outcome.measured[-1].number}"
    target = run_dir / FILES
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for kind in ("csv", "parquet"):
        source = kept / f"{FILES}.{kind}"
        if not source.is_file():
            raise JobError(
                f"{source} is gone, though its trial counts as finished: remove its run in MLflow, and train again"
            )
        write_whole(target / source.name, partial(shutil.copyfile, source))
        written.append(target / source.name)
    return written


def _run(arguments: Namespace) -> int:
    settings = configuration.load([*shared.shape_sets(arguments), *arguments.cluster_set])
    return stream_model(settings, shared.read_sets(arguments.set)).code


def _arguments(parser: ArgumentParser) -> None:
    shared.cluster(parser)
    shared.shape(parser)
    shared.sets(parser)


COMMAND = Command("from the lake to a model, its RMSE and recommendations.csv", _run, _arguments)
