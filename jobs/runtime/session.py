"""Open the Spark session of one application, with fixed partition numbers and our packages on every executor."""

import os
import re
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyspark
from pyspark.sql import SparkSession

from core.errors import JobError
from datasets.formats.spark_paths import local
from jobs.runtime.java_names import keep_java_names
from jobs.runtime.master_handshake import enter
from jobs.runtime.request import Request
from jobs.runtime.shipping import pack

REGISTER_DEADLINE_S = 60.0
CHECKPOINTS = "checkpoints"
"""Folder in an application's work folder."""

_POLL_S = 0.1
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def defaults(work: Path) -> dict[str, str]:
    """Return the default Spark settings on which an application's results and times depend.

    The numbers of partitions are fixed, and adaptive execution, which would choose them by the size of the data, is off:
    a sweep over workers must run the same plan. Each Python worker has one thread, because Spark already runs one worker
    for each core.

    Args:
        work: the application's folder; compiled kernels are kept beside it, shared by all applications.
    """
    settings = {
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.shuffle.partitions": "16",
        "spark.default.parallelism": "16",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.ui.showConsoleProgress": "false",
        "spark.executorEnv.PYTHONHASHSEED": "0",
        "spark.executorEnv.NUMBA_CACHE_DIR": str(work.resolve().parent / "numba"),
    }
    settings.update({f"spark.executorEnv.{name}": "1" for name in _ONE_THREAD})
    return settings


def resolved(request: Request) -> dict[str, str]:
    """Return every Spark setting of a request's application: the defaults, overridden by the request.

    Raises:
        JobError: the request names no master.
    """
    if not request.spark.get("spark.master"):
        raise JobError(
            "the request names no spark.master: add it to the request's `spark` settings, "
            "for example spark://127.0.0.1:7077 (a running cluster) or local[2] (this process alone)"
        )
    return {
        "spark.app.name": f"recscale {request.job}",
        **defaults(Path(request.work)),
        **{key: str(value) for key, value in request.spark.items()},
    }


def prepare_environment(settings: Mapping[str, str]) -> None:
    """Set this process's environment as the executors' settings say, before NumPy or numba read it, and choose one Python."""
    prefix = "spark.executorEnv."
    for key, value in settings.items():
        if key.startswith(prefix):
            os.environ.setdefault(key.removeprefix(prefix), value)
    python = settings.get("spark.pyspark.python") or os.environ.get("PYSPARK_PYTHON") or sys.executable
    os.environ["PYSPARK_PYTHON"] = python
    os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    # Without it Spark's scripts would start another Python to find its folder.
    os.environ.setdefault("SPARK_HOME", str(Path(pyspark.__file__).parent))


def start_session(request: Request) -> SparkSession:
    """Start the application without waiting for its executors.

    Checkpoints go to the request's work folder, which every executor must be able to reach.

    Raises:
        JobError: no master is named, none answers, or the master refuses this application.
    """
    settings = resolved(request)
    prepare_environment(settings)
    _answers(settings["spark.master"])
    work = Path(request.work).resolve()
    work.mkdir(parents=True, exist_ok=True)
    _make_event_folder(settings)
    enter(settings)
    builder = SparkSession.builder
    for key, value in settings.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    try:
        keep_java_names(spark.sparkContext)
        checkpoints_in(spark, work)
        package = pack(work)
        if package is not None:
            spark.sparkContext.addPyFile(package.as_uri())  # Spark decodes this one
    except BaseException:
        spark.stop()
        raise
    return spark


def checkpoints_in(spark: SparkSession, work: Path) -> None:
    """Write checkpoints from now on to a work folder."""
    spark.sparkContext.setCheckpointDir(local(work.resolve() / CHECKPOINTS))


def executors(spark: SparkSession) -> int:
    """Return how many executors are registered; the driver is not one."""
    return int(spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size()) - 1  # noqa: SLF001 - only the JVM knows


def cores(spark: SparkSession) -> int:
    """Return how many tasks an executor runs at a time; in local mode the driver is the executor."""
    context = spark.sparkContext
    if executors(spark) >= 1:
        return int(context.getConf().get("spark.executor.cores", "1") or 1)
    threads = re.match(r"local\[(\d+)", str(context.master))
    if threads:
        return int(threads[1])
    assert context._jvm is not None  # noqa: SLF001 - only the JVM knows what it counts as its processors
    return int(context._jvm.java.lang.Runtime.getRuntime().availableProcessors())  # noqa: SLF001


def tasks_at_a_time(spark: SparkSession) -> int:
    """Return how many tasks all executors that are registered now run at a time."""
    return cores(spark) * max(1, executors(spark))


def cached_rdds(spark: SparkSession) -> dict[int, Any]:
    """Return the RDDs that are kept on the executors now, by id (Java objects): also MLlib's, to which no Python object refers."""
    return dict(spark.sparkContext._jsc.getPersistentRDDs())  # noqa: SLF001 - Python's API does not list them


def release(rdds: dict[int, Any]) -> None:
    """Free RDDs without waiting."""
    for rdd in rdds.values():
        rdd.unpersist(False)


def _answers(master: str, timeout_s: float = 5.0) -> None:
    """Refuse at once a standalone master that does not answer, or YARN without a configuration folder.

    Spark itself would try the first for a minute, and would end the second without an answer to Python.
    """
    if master == "yarn" and not (os.environ.get("HADOOP_CONF_DIR") or os.environ.get("YARN_CONF_DIR")):
        raise JobError(
            "spark.master is yarn, but neither HADOOP_CONF_DIR nor YARN_CONF_DIR is set: set one to the folder with yarn-site.xml "
            "and core-site.xml, for example HADOOP_CONF_DIR=/etc/hadoop/conf, and run again"
        )
    if not master.startswith("spark://"):
        return
    causes = []
    for address in master.removeprefix("spark://").split(","):
        match = re.fullmatch(r"\[?([^\]]+)\]?:(\d+)", address)
        if not match:
            raise JobError(f"spark.master must be of the form spark://host:port, got {master!r}")
        try:
            socket.create_connection((match[1], int(match[2])), timeout_s).close()
        except OSError as error:
            causes.append(f"{address}: {error.strerror or error}")
        else:
            return
    raise JobError(
        f"no Spark master answers at {master} ({'; '.join(causes)}). "
        "Start the cluster (make setup), or see why it stopped (make status, make logs S=spark-master)."
    )


def _make_event_folder(settings: Mapping[str, str]) -> None:
    """Create the event log's folder if it is local, because Spark does not; a remote one must exist."""
    folder = settings.get("spark.eventLog.dir", "")
    if settings.get("spark.eventLog.enabled") == "true" and folder.startswith(("file:", "/")):
        Path(re.sub(r"^file:(//)?", "", folder)).mkdir(parents=True, exist_ok=True)


def wait_for_executors(
    spark: SparkSession, request: Request, deadline_s: float = REGISTER_DEADLINE_S
) -> None:
    """Wait until the application has as many executors as its request names.

    Raises:
        JobError: fewer registered in `deadline_s` seconds.
    """
    end = time.perf_counter() + deadline_s
    while (came := executors(spark)) < request.executors:
        if time.perf_counter() > end:
            raise JobError(
                f"{came} of {request.executors} executors registered with the application in {deadline_s:.0f} s. "
                "See which workers the master lists as ALIVE and how many cores and how much memory are free "
                "(make status; the master's page), then the workers' logs (make logs S=spark-worker-1); an "
                "application that asks for more memory or cores than a worker has never gets an executor."
                f"{_unreachable(resolved(request))}"
            )
        time.sleep(_POLL_S)


def _unreachable(settings: Mapping[str, str]) -> str:
    """Return a hint if the driver's address is a loopback address, which other machines cannot reach; else empty."""
    driver, master = settings.get("spark.driver.host", ""), settings["spark.master"]
    here = re.compile(r"127\.|localhost\b|\[?::1\b|local\b")
    if not here.match(driver) or here.match(master.removeprefix("spark://")):
        return ""
    return (
        f" Executors on other machines cannot reach this driver at {driver}: give this machine's own address "
        "(HOST=192.168.1.9, or RECSCALE_SPARK_DRIVER_HOST where it differs from the address to listen on)."
    )
