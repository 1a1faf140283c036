"""Runs jobs on the lake's tables, in the driver alone: they change nothing that a cluster would do faster."""

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
from experiments.run.streams import FOLDER, PARTITIONS
from jobs.runtime.request import Request, Result
from jobs.streaming.tables import EXTENSION, SETTINGS


def run(
    settings: Settings, job: str, params: Mapping[str, Any], *, cores: int = 1, repeats: int = 1
) -> Result:
    """Run a job and return its answer.

    Raises:
        JobError: it failed.
        KeyboardInterrupt: a person stopped it.
    """
    cluster = Cluster(settings)
    cluster.prepare()
    driver_host = cluster.driver_host
    folder = fresh(settings.run_dir / FOLDER / f"{new_attempt()}-{job}")
    own = spark_settings(
        settings, driver_host, f"local[{cores}]", job, Shape(1, cores, settings.spark.driver_memory), partitions=PARTITIONS, folder=folder,
    )  # fmt: skip
    request = Request(
        job=job,
        params=params,
        spark={
            **own,
            **SETTINGS,
            "spark.eventLog.enabled": "false",
            "spark.scheduler.mode": "FAIR",
            "spark.jars": driver_host.jars("streams"),
            "spark.sql.extensions": EXTENSION,
        },
        store=PARQUET,
        store_root=str((folder / "store").resolve()),
        work=str((folder / "work").resolve()),
        events=str((folder / "events.jsonl").resolve()),
        warmups=repeats - 1 and 1,
        repeats=repeats,
    )
    driver_host.give_access([settings.run_dir / "lake"])
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
