"""Requests of trials to applications."""

from pathlib import Path

from experiments.run.harness import Harness
from experiments.run.prepare import Prepared
from experiments.run.spark_settings import spark_settings
from experiments.run.stores import PARQUET
from experiments.spec.trial import Trial
from jobs.apps import JOBS
from jobs.runtime.request import Request


def store_of(trial: Trial) -> str:
    """Return where a trial's tables lie: its data's store, or the one that its job is about."""
    return trial.data.store if trial.data else str(getattr(JOBS[trial.job], "store", PARQUET))


def application_request(
    harness: Harness,
    trial: Trial,
    experiment: str,
    data: Prepared | None,
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
    store = store_of(trial)
    own = spark_settings(
        harness.settings, harness.cluster.driver_host, harness.cluster.spark_master,
        f"{experiment} {trial.shape if shared else trial.label}", trial.shape, partitions=trial.partitions,
        folder=shared or folder,
    )  # fmt: skip
    return Request(
        job=trial.job,
        params=trial.params,
        spark={**own, **harness.reach(store), **trial.spark},
        store=store,
        store_root=data.root if data else str(folder / "store"),
        work=str((folder / "work").resolve()),
        events=str((folder / "events.jsonl").resolve()),
        keep=str(folder.resolve()),
        dataset=trial.data.name if trial.data else "",
        dataset_options=trial.data.options if trial.data else {},
        dataset_path=str(data.path.resolve()) if data else "",
        executors=trial.shape.workers,
        warmups=trial.warmups,
        repeats=trial.repeats,
        application=number,
    )
