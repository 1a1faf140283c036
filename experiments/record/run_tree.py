"""Runs as they are written to MLflow: one with those below it, in place of what stood there before."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.record.run_tags import PREFIX
from experiments.results.metrics import Number

if TYPE_CHECKING:
    from experiments.record.tracking import Tracking  # it takes seconds to import


@dataclass(frozen=True)
class Node:
    """One run.

    Attributes:
        name: of the run.
        kind: its `recscale.kind`: only a "trial" counts as one, and only an "experiment" as the parent of trials.
        tags, params: as MLflow takes them, texts; `recscale.` is not added.
        metrics: values with their steps.
        files: artifacts; folders: further artifacts, by the folder that they are put into.
        children: runs below it.
        exact: keep all digits of the metrics.
        data: its data set, with "name", "digest", "source" and "profile"; empty without one.
        span: seconds since 1970 of its begin and its end; None where it is all of now.
        timed: name of a metric of the seconds that recording it takes; "" for none.
        revision: is set last, as a sign that the run is whole; None for none.
    """

    name: str
    kind: str
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Sequence[Number] = ()
    files: Sequence[Path] = ()
    folders: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    children: Sequence["Node"] = ()
    exact: bool = False
    data: Mapping[str, Any] = field(default_factory=dict)
    span: tuple[float, float] | None = None
    timed: str = ""
    revision: int | None = None


@dataclass(frozen=True)
class Tree:
    """Place of a tree of runs in the record, and how it ended.

    Every run carries the mark from its beginning, so a tree that broke off half-way is removed by the next write.

    Attributes:
        experiment: name of the MLflow experiment.
        mark: name, without `recscale.`, and value of the tag that tells these runs from others.
        status: that all its runs end with, as an outcome has it.
        parent: id of the run above the topmost; "" without one.
        begun: moment from which the seconds of recording count.
    """

    experiment: str
    mark: tuple[str, str]
    status: str
    parent: str = ""
    begun: float = field(default_factory=time.perf_counter)


def write(tracking: "Tracking", root: Node, tree: Tree) -> str:
    """Write a tree in place of what stands there under the same mark; return the id of the topmost run.

    Raises:
        RecordingError: MLflow did not take all of it.
    """
    name, value = tree.mark
    tracking.delete(tracking.runs(tree.experiment, PREFIX + name, value))
    return _write(tracking, root, tree, tree.parent)


def _write(tracking: "Tracking", node: Node, tree: Tree, parent: str) -> str:
    name, value = tree.mark
    tags = {PREFIX + name: value, **node.tags, PREFIX + "kind": node.kind}
    start, end = node.span or (None, None)
    run_id = tracking.begin(tree.experiment, node.name, tags, parent=parent, started_at=start)
    now = None if end is None else int(end * 1000)
    tracking.log(run_id, node.metrics, node.params, now, exact=node.exact)
    if node.data:
        tracking.use(run_id, **node.data)
    tracking.attach(run_id, node.files)
    for folder, files in node.folders.items():
        tracking.attach(run_id, files, folder)
    for child in node.children:
        _write(tracking, child, tree, run_id)
    if node.timed:
        tracking.log(run_id, [Number(node.timed, time.perf_counter() - tree.begun)], exact=True)
    if node.revision is not None:
        tracking.tag(run_id, {PREFIX + "revision": str(node.revision)})
    tracking.end(run_id, tree.status, end)
    return run_id
