"""Runs that are no trials: a parent with children, written to MLflow as one, in place of what stood there before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.columns import PREFIX
from experiments.numbers import Number


@dataclass(frozen=True)
class Node:
    """One run.

    Attributes:
        name: of the run.
        kind: its `recscale.kind`, which must be neither "trial" nor "experiment".
        tags, params: as MLflow takes them, texts; `recscale.` is not added.
        metrics: values with their steps.
        files: artifacts.
        children: runs below it.
    """

    name: str
    kind: str
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Sequence[Number] = ()
    files: Sequence[Path] = ()
    children: Sequence["Node"] = ()


def write(client: Any, experiment_id: str, root: Node, mark: str, status: str) -> str:
    """Write a tree of runs and remove what earlier calls with the same mark left there.

    Every run carries the mark from its beginning, so a tree that broke off half-way is removed by the next call.

    Args:
        client: of MLflow.
        experiment_id: of the MLflow experiment.
        root: the topmost run.
        mark: names the tree, in letters and digits.
        status: that all its runs end with, as MLflow has it.

    Returns:
        The id of the topmost run.
    """
    older = client.search_runs([experiment_id], f"tags.`{PREFIX}tree` = '{mark}'", max_results=1000)
    for run in older:
        client.delete_run(run.info.run_id)
    return _write(client, experiment_id, root, {f"{PREFIX}tree": mark}, status)


def _write(client: Any, experiment_id: str, node: Node, tags: Mapping[str, str], status: str) -> str:
    own = {**tags, **node.tags, f"{PREFIX}kind": node.kind}
    run_id: str = client.create_run(experiment_id, run_name=node.name, tags=own).info.run_id
    for key, value in node.params.items():
        client.log_param(run_id, key, value)
    for number in node.metrics:
        client.log_metric(run_id, number.name, float(number.value), step=number.step)
    for path in node.files:
        client.log_artifact(run_id, str(path))
    for child in node.children:
        _write(client, experiment_id, child, {**tags, "mlflow.parentRunId": run_id}, status)
    client.set_terminated(run_id, status)
    return run_id
