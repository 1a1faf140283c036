"""Requests of trials to applications."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from cluster.settings import PARQUET
from cluster.shape import Shape
from experiments.run.harness import Harness
from experiments.run.spark_settings import spark_settings
from experiments.run.stores import together
from experiments.spec.trial import Data, Trial
from jobs.apps import JOBS
from jobs.runtime.request import Request


class Read(Protocol):
    """Prepared data: name or folder of its tables in the store, and where the publisher's files lie."""

    @property
    def root(self) -> str:
        """Name or folder with which the store is opened."""

    @property
    def path(self) -> Path:
        """Folder or file of the publisher's."""


def store_of(trial: Trial) -> str:
    """Return where a trial's tables lie: its data's store, or the one that its job is about."""
    return trial.data.store if trial.data else str(getattr(JOBS[trial.job], "store", PARQUET))


def request_in(
    folder: Path,
    harness: Harness,
    shape: Shape,
    *,
    title: str,
    job: str,
    store: str,
    store_root: str,
    partitions: int,
    session: Path | None = None,
    read: Mapping[str, str] = MappingProxyType({}),
    spark: Mapping[str, str] = MappingProxyType({}),
    **rest: Any,
) -> Request:
    """Return the request of an application that leaves everything in `folder`.

    Args:
        folder: of this request alone.
        harness: lends the cluster, which has the shape.
        shape: of the cluster.
        title: its name on Spark's pages.
        job: key of the job.
        store: key of the store, which is started if it must be.
        store_root: what the store is opened with.
        partitions: of shuffles.
        session: folder of the application, where several requests share one; the settings of its session are the same for all.
        read: Spark settings that the source needs.
        spark: further Spark settings, which go before all others.
        rest: further fields of the request.

    Raises:
        ServiceError: the store did not come up.
    """
    own = spark_settings(
        harness.settings, harness.cluster.driver_host, harness.cluster.spark_master, title, shape, partitions=partitions,
        folder=session or folder,
    )  # fmt: skip
    return Request(
        job=job,
        spark=together(own, harness.reach(store), read, spark),
        store=store,
        store_root=store_root,
        work=str((folder / "work").resolve()),
        events=str((folder / "events.jsonl").resolve()),
        executors=shape.workers,
        **rest,
    )


def data_fields(data: Data, path: Path) -> dict[str, Any]:
    """Return the fields of a request that say which data set it reads, whose files lie at `path`."""
    return {"dataset": data.name, "dataset_options": data.options, "dataset_path": str(path.resolve())}


def application_request(
    harness: Harness,
    trial: Trial,
    experiment: str,
    data: Read | None,
    *,
    number: int,
    folder: Path,
    shared: Path | None = None,
) -> Request:
    """Return the request of one application, or of a trial's part in one that it shares.

    Args:
        harness: lends the cluster.
        trial: what is measured.
        experiment: its name, for Spark's pages.
        data: what the trial reads, None if it makes its own.
        number: of the application, from 0.
        folder: of this trial's application alone.
        shared: folder of the application that trials share; the settings of its session are the same for all of them.

    Raises:
        ServiceError: the store did not come up.
    """
    return request_in(
        folder,
        harness,
        trial.shape,
        title=f"{experiment} {trial.shape if shared else trial.label}",
        job=trial.job,
        params=trial.params,
        model=trial.model,
        store=store_of(trial),
        store_root=data.root if data else str(folder / "store"),
        partitions=trial.partitions,
        session=shared,
        spark=trial.spark,
        keep=str(folder.resolve()),
        warmups=trial.warmups,
        repeats=trial.repeats,
        application=number,
        **(data_fields(trial.data, data.path) if trial.data and data else {}),
    )
