"""Runs that are no trials: a parent with children, written to MLflow as one, in place of what stood there before."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.record.run_tags import PREFIX
from experiments.results.metrics import Number


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


@dataclass(frozen=True)
class Writer:
    """Writes trees of runs.

    Every run carries the mark from its beginning, so a tree that broke off half-way is removed by the next write.

    Attributes:
        client: of MLflow.
        log: writes parameters and numbers of a run, with a time in milliseconds since 1970.
        experiment_id: of the MLflow experiment.
        mark: names the tree, in letters and digits.
        status: that all its runs end with, as MLflow has it.
    """

    client: Any
    log: Callable[[str, Mapping[str, str], Iterable[Number], int], None]
    experiment_id: str
    mark: str
    status: str

    def write(self, root: Node) -> str:
        """Write a tree in place of what stands there under the same mark; returns the id of the topmost run."""
        which = f"tags.`{PREFIX}tree` = '{self.mark}'"
        for run in self.client.search_runs([self.experiment_id], which, max_results=1000):
            self.client.delete_run(run.info.run_id)
        return self._write(root, {f"{PREFIX}tree": self.mark})

    def _write(self, node: Node, tags: Mapping[str, str]) -> str:
        own = {**tags, **node.tags, f"{PREFIX}kind": node.kind}
        run_id: str = self.client.create_run(self.experiment_id, run_name=node.name, tags=own).info.run_id
        self.log(run_id, node.params, node.metrics, int(time.time() * 1000))
        for path in node.files:
            self.client.log_artifact(run_id, str(path))
        for child in node.children:
            self._write(child, {**tags, "mlflow.parentRunId": run_id})
        self.client.set_terminated(run_id, self.status)
        return run_id
