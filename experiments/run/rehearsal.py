"""Recording of the archive of Spark's classes, once for each Java and Spark: an application that rehearses the others."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from cluster.jvm.class_archive import ClassArchive
from cluster.settings import PARQUET, Settings
from core.errors import ServiceError
from experiments.results.events import last_lines
from experiments.run.launcher import stop_group
from jobs.runtime.request import Request

_TIMEOUT_S = 300.0
_SHORT_LIFE = "-XX:TieredStopAtLevel=1"
"""The second compiler would take longer than it saves; which compiler a JVM had is nothing to those that map its archive."""


def record(archive: ClassArchive, settings: Settings, python: str, environment: Mapping[str, str]) -> None:
    """Make the archive unless it is there; the machine code of the kernels comes into its cache on the way.

    Args:
        archive: of the Spark that `python` runs.
        settings: where things are, and the driver's memory.
        python: of drivers.
        environment: of a driver's process.

    Raises:
        ServiceError: the rehearsal failed; with the end of its log.
    """
    folder = archive.folder.resolve() / "rehearsal"

    def rehearse(option: str) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        request = _request(settings, folder, option)
        request.save(folder / "request.json")
        _run(request, python, environment, folder)

    archive.record(rehearse)
    shutil.rmtree(folder, ignore_errors=True)


def _request(settings: Settings, folder: Path, option: str) -> Request:
    return Request(
        job="rehearse",
        params={},
        spark={
            "spark.master": "local[1]",
            "spark.driver.memory": settings.spark.driver_memory,
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.defaultJavaOptions": f"{option} {_SHORT_LIFE}",
            "spark.sql.shuffle.partitions": "2",
            "spark.default.parallelism": "2",
            "spark.ui.enabled": "false",
            "spark.eventLog.enabled": "true",
            "spark.eventLog.dir": (folder / "eventlog").as_uri(),
            "spark.local.dir": str(folder / "local"),
            "spark.sql.warehouse.dir": str(folder / "warehouse"),
            "spark.executorEnv.NUMBA_CACHE_DIR": str(settings.run_dir.resolve() / "numba"),
        },
        store=PARQUET,
        store_root=str(folder / "store"),
        work=str(folder / "work"),
        events=str(folder / "events.jsonl"),
        keep=str(folder),
    )


def _run(request: Request, python: str, environment: Mapping[str, str], folder: Path) -> None:
    """Run the job and wait for the end of its JVM, which writes the archive after the job's own process has ended.

    The JVM holds the pipe of its parent's output, so the pipe's end is the JVM's.
    """
    command = [python, "-m", "jobs", request.job, "--request", str(folder / "request.json")]
    # Options for every JVM may forbid the archive, as those that leave out verification.
    own = {key: value for key, value in environment.items() if key != "JAVA_TOOL_OPTIONS"}
    process = subprocess.Popen(
        [*command, "--result", str(folder / "result.json")], env=own, cwd=environment["PYTHONPATH"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        output, _ = process.communicate(timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise ServiceError(f"the rehearsal for the archive did not end within {_TIMEOUT_S:.0f} s") from error
    finally:
        stop_group(process)
    (folder / "driver.log").write_bytes(output)
    if process.returncode:
        raise ServiceError(
            f"the rehearsal for the archive of Spark's classes failed: {last_lines(folder / 'driver.log', 8)}"
        )
