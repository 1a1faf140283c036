"""Runs jobs on what streams have kept, in the driver alone: so they need no worker, which a stream may have."""

from collections.abc import Mapping
from typing import Any

from cluster.lifecycle import Cluster
from cluster.settings import PARQUET, Settings
from cluster.shape import Shape
from core.errors import JobError
from experiments.results.outcome import new_attempt
from experiments.run.alone import LONG_S, fresh
from experiments.run.environment import for_driver, java_of
from experiments.run.launcher import Launcher
from experiments.run.spark_settings import spark_settings
from experiments.run.streams import FOLDER, PARTITIONS, reach
from jobs.runtime.request import Request, Result
from jobs.stores import STORAGES


def run(
    settings: Settings,
    job: str,
    params: Mapping[str, Any],
    *,
    cores: int = 1,
    repeats: int = 1,
    store: tuple[str, str] = (PARQUET, ""),
) -> Result:
    """Run a job and return its answer.

    Args:
        settings: where things are.
        job: key of the job.
        params: of the job.
        cores: tasks at a time.
        repeats: measured passes.
        store: key of the store that it reaches, and what that is opened with.

    Raises:
        JobError: it failed.
        ServiceError: the store's service did not come up.
        KeyboardInterrupt: a person stopped it.
    """
    cluster = Cluster(settings)
    cluster.prepare()
    driver_host = cluster.driver_host
    folder = fresh(settings.run_dir / FOLDER / f"{new_attempt()}-{job}")
    own = spark_settings(
        settings, driver_host, f"local[{cores}]", job, Shape(1, cores, settings.spark.driver_memory), partitions=PARTITIONS, folder=folder,
    )  # fmt: skip
    name, root = store
    service = STORAGES[name].service
    request = Request(
        job=job,
        params=params,
        spark={
            **own,
            "spark.eventLog.enabled": "false",
            "spark.scheduler.mode": "FAIR",
            **reach(cluster, [service] if service else []),
        },
        store=name,
        store_root=root or str((folder / "store").resolve()),
        work=str((folder / "work").resolve()),
        events=str((folder / "events.jsonl").resolve()),
        warmups=repeats - 1 and 1,
        repeats=repeats,
    )
    driver_host.give_access([settings.run_dir / kept for kept in ("streams", "lake")])
    environment, names = for_driver(driver_host, java_of(settings))
    launched = Launcher(driver_host=driver_host, cluster=None, environment=environment, own=names).run(
        request, folder, LONG_S
    )
    if launched.status == "killed":
        raise KeyboardInterrupt
    if launched.result.status != "ok":
        raise JobError(f"{job} failed: {launched.result.error}\n(driver's log: {folder / 'driver.log'})")
    return launched.result
