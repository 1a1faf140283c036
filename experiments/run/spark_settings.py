"""The Spark settings of an application: its shape, and what keeps numbers comparable between shapes."""

from pathlib import Path

from cluster import security
from cluster.driver_host import DriverHost
from cluster.settings import Settings
from cluster.shape import Shape

JAVA_OPTIONS = ("spark.driver.defaultJavaOptions", "spark.executor.defaultJavaOptions")
"""Settings of the harness's own options for JVMs; those of a spec are others and come after them."""


def spark_settings(
    settings: Settings,
    driver_host: DriverHost,
    master: str,
    name: str,
    shape: Shape,
    *,
    partitions: int,
    folder: Path,
) -> dict[str, str]:
    """Return every setting that the harness decides on; what a spec says goes over them.

    The numbers of partitions come from the experiment, never from the workers, and an application waits for all its
    executors, one a worker: otherwise the shape would change the plan as well as the speed.

    Args:
        settings: where things are.
        driver_host: where the driver runs.
        master: URL of Spark's master.
        name: shown in Spark's pages.
        shape: the cluster as the application is to use it.
        partitions: of shuffles, and the default parallelism.
        folder: gets the event log, uncompressed and in one file.
    """
    archive = driver_host.class_archive
    classes = {} if archive is None or not archive.option else dict.fromkeys(JAVA_OPTIONS, archive.option)
    return {
        **classes,
        "spark.master": master,
        "spark.app.name": f"recscale {name}",
        "spark.cores.max": str(shape.total_cores),
        "spark.executor.cores": str(shape.cores),
        "spark.executor.memory": shape.memory,
        "spark.driver.memory": settings.spark.driver_memory,
        "spark.driver.host": driver_host.host,
        "spark.driver.bindAddress": driver_host.listens,
        "spark.sql.shuffle.partitions": str(partitions),
        "spark.default.parallelism": str(partitions),
        "spark.dynamicAllocation.enabled": "false",
        "spark.speculation": "false",
        "spark.ui.enabled": "false",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": (folder / "eventlog").resolve().as_uri(),
        "spark.eventLog.compress": "false",
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.overwrite": "true",
        "spark.local.dir": str((folder / "work" / "local").resolve()),
        "spark.sql.warehouse.dir": str((folder / "work" / "warehouse").resolve()),
        "spark.pyspark.python": driver_host.python,
        "spark.executorEnv.NUMBA_CACHE_DIR": str((settings.run_dir / "numba").resolve()),
        **_of_manager(master, shape),
        **security.options(settings),
    }


def _of_manager(master: str, shape: Shape) -> dict[str, str]:
    """Return how many executors to ask YARN or Kubernetes for; a standalone master goes by `spark.cores.max`."""
    return (
        {} if master.startswith(("spark://", "local")) else {"spark.executor.instances": str(shape.workers)}
    )
