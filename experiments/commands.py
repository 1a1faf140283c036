"""What each command does; the command line is parsed elsewhere."""

import json
import sys
import tomllib
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cluster import settings as cluster_settings
from cluster.errors import ServiceError
from cluster.lifecycle import Cluster
from cluster.settings import Settings
from datasets.errors import UsageError
from datasets.options import nearest
from experiments import spec
from experiments.analysis import summary
from experiments.columns import shown_columns
from experiments.grid import CLEANING, data_of
from experiments.harness import Harness
from experiments.outcome import Outcome
from experiments.prepare import prepare
from experiments.progress import Progress
from experiments.recorder import RecordingError
from experiments.report import Report
from experiments.runner import Sweep, open_recorder
from experiments.spec import Experiment
from experiments.tables import Table, as_text

TRAIN = "train"


def list_(_arguments: Namespace) -> int:
    """Name the experiments that ship, with their questions."""
    rows = [[name, spec.load(name).question] for name in spec.names()]
    width = max(len(name) for name, _ in rows)
    for name, question in rows:
        print(f"{name.ljust(width)}  {question}")
    return 0


def run(arguments: Namespace) -> int:
    """Run what is not finished of an experiment, then print its table."""
    settings = cluster_settings.load(arguments.cluster_set)
    experiment = spec.load(arguments.name).with_effort(arguments.applications, arguments.repeats)
    path = Path(arguments.name) if arguments.name.endswith(".toml") else spec.SPECS / f"{arguments.name}.toml"
    sweep = Sweep(experiment, settings, Progress(), path.read_text(encoding="utf-8"))
    return finish(sweep, sweep.run())


def preprocess(arguments: Namespace) -> int:
    """Fetch, clean and store one data set; print what became of its rows."""
    settings = cluster_settings.load([*_shape_sets(arguments), *arguments.cluster_set])
    values = read_sets(arguments.set)
    for key in values:
        if key not in CLEANING and not key.startswith("dataset."):
            raise UsageError(
                f"unknown key {key!r} of preprocess: {nearest(key, (*CLEANING, 'dataset.<option>'))}"
            )
    data = data_of({**values, "dataset": arguments.dataset}, "preprocess")
    assert data is not None
    progress = Progress()
    with Harness(settings, progress.say) as harness:
        data = replace(data, store=data.store or harness.default_store)
        prepared = prepare(data, harness, [harness.default_shape], progress.say)
    header, *rows = [
        [f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in prepared.table
    ]
    print(as_text(Table(header, rows)))
    print(
        f"{'stored in' if prepared.fresh else 'nothing to do, already in'} {prepared.data.store}: {prepared.root}"
    )
    return 0


def train(arguments: Namespace) -> int:
    """Run one trial and print its table."""
    settings = cluster_settings.load([*_shape_sets(arguments), *arguments.cluster_set])
    fixed = {"model": arguments.model, "dataset": arguments.dataset, **read_sets(arguments.set)}
    effort = {"applications": arguments.applications or 1, "repeats": arguments.repeats or 1, "warmups": 1}
    experiment = spec.read(TRAIN, {"question": "Single trials, one at a time.", "fixed": fixed, **effort})
    shown = "".join(f"{json.dumps(key)} = {json.dumps(value)}\n" for key, value in fixed.items())
    sweep = Sweep(experiment, settings, Progress(), f"[fixed]\n{shown}", adds=True)
    status = sweep.run()
    return finish(sweep, status, only={key for key, _ in sweep.keyed})


def report(arguments: Namespace) -> int:
    """Print an experiment's table and write its page, pictures and JSON."""
    settings = cluster_settings.load(arguments.cluster_set)
    known = Path(arguments.name).stem
    experiment = (
        Experiment(TRAIN, "Single trials, one at a time.") if known == TRAIN else spec.load(arguments.name)
    )
    _show(settings, experiment)
    return 0


def finish(sweep: Sweep, status: str, only: set[str] | None = None) -> int:
    """Print the table of a run that ended and write its report; return the exit code."""
    print()
    _show(sweep.settings, sweep.experiment, only, unrecorded=sweep.outcomes if sweep.unrecorded else [])
    for error in sweep.unrecorded:
        print(f"not recorded, but kept on disk: {error}", file=sys.stderr)
    return 0 if status == "ok" else 1


def read_sets(pairs: Sequence[str]) -> dict[str, Any]:
    """Read K=V pairs as a spec would have them: numbers, booleans and lists as in TOML, anything else as text.

    Raises:
        UsageError: a pair without "=".
    """
    values: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set {pair!r} does not read; write --set key=value")
        values[key.strip()] = _value(text.strip())
    return values


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        pass
    try:
        return json.loads(text)
    except ValueError:
        return text


def _shape_sets(arguments: Namespace) -> list[str]:
    given = {key: getattr(arguments, key) for key in ("workers", "cores", "memory")}
    return [f"spark.{key}={value}" for key, value in given.items() if value is not None]


def _show(
    settings: Settings,
    experiment: Experiment,
    only: set[str] | None = None,
    unrecorded: Sequence[Outcome] = (),
) -> None:
    """Print and write the report of what is recorded, and of what could not be."""
    uri = Cluster(settings).mlflow_uri
    try:
        recorder = open_recorder(settings, uri)
        about, recorded = recorder.outcomes(experiment.name)
        missing = [item for item in unrecorded if item.attempt not in {known.attempt for known in recorded}]
        outcomes = [*recorded, *missing]
        found = Report.of(experiment, outcomes)
        if about:
            recorder.annotate(about["run_id"], found.markdown(), list(summary(outcomes)))
        view = recorder.show(experiment.name, shown_columns(outcomes))
    except RecordingError as error:
        if not unrecorded:
            raise ServiceError(f"the record cannot be read: {error}") from error
        outcomes, view = list(unrecorded), ""
        found = Report.of(experiment, outcomes)
    shown = found if only is None else Report.of(experiment, [item for item in outcomes if item.key in only])
    print(shown.text())
    print()
    written = found.write(settings.run_dir / "reports")
    print(f"page: {written[0]}\nnumbers: {written[1]}")
    if view:
        address = uri or f"http://{settings.host}:{settings.mlflow.port}"
        print(
            f"compare in MLflow: {'' if uri else 'make mlflow, then '}{address}/{view}&compareRunsMode=CHART"
        )
