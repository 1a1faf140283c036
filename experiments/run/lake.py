"""Runs jobs on what streams have kept, in the driver alone: so they need no worker, which a stream may have."""

from collections.abc import Mapping
from typing import Any

from cluster.jvm.java import find as find_java
from cluster.lifecycle import Cluster
from cluster.settings import PARQUET, Settings
from cluster.shape import Shape
from core.errors import JobError
from experiments.results.outcome import new_attempt
from experiments.run.alone import LONG_S, fresh
from experiments.run.environment import for_driver
from experiments.run.launcher import Launcher
from experiments.run.spark_settings import spark_settings
from experiments.run.streams import FOLDER, PARTITIONS, reach
from jobs.runtime.request import Request, Result
from jobs.stores import STORAGES


def run(settings: Settings, job: str, params: Mapping[str, Any]) -> Result:
    """Run a job with the lake's folder among its parameters, and return its answer.

    Raises:
        JobError: it failed.
        KeyboardInterrupt: a person stopped it.
    """
    return run_on_streams(settings, job, {"lake": str(settings.run_dir.resolve() / "lake"), **params})


def run_on_streams(
    settings: Settings,
    job: str,
    params: Mapping[str, Any],
    *,
    threads: int = 1,
    store: tuple[str, str] = (PARQUET, ""),
) -> Result:
    """Run a job that reads or changes what streams have kept, and return its answer.

    Args:
        settings: where things are.
        job: key of the job; params: its parameters.
        params: see there.
        threads: tasks at a time.
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
        settings, driver_host, f"local[{threads}]", job, Shape(1, threads, settings.spark.driver_memory),
        partitions=PARTITIONS, folder=folder,
    )  # fmt: skip
    name, root = store
    service = STORAGES[name].service
    request = Request(
        job=job,
        params=params,
        spark={**own, "spark.eventLog.enabled": "false", **reach(cluster, [service] if service else [])},
        store=name,
        store_root=root or str((folder / "store").resolve()),
        work=str((folder / "work").resolve()),
        events=str((folder / "events.jsonl").resolve()),
    )
    driver_host.give_access([settings.run_dir / kept for kept in ("streams", "lake")])
    java = find_java(settings.spark.java_home) if settings.backend == "local" else None
    environment, names = for_driver(driver_host, java)
    launched = Launcher(driver_host=driver_host, cluster=None, environment=environment, own=names).run(
        request, folder, LONG_S
    )
    if launched.status == "killed":
        raise KeyboardInterrupt
    if launched.result.status != "ok":
        raise JobError(f"{job} failed: {launched.result.error}\n(driver's log: {folder / 'driver.log'})")
    return launched.result
