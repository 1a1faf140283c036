"""Settings of services, as frozen dataclasses; `cluster.configuration` resolves them."""

import dataclasses
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from core.errors import UsageError
from core.units import mebibytes

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "RECSCALE_"
SERVICE_MARKER = PREFIX + "SERVICE"
"""Environment variable that marks the processes of our services; not a setting."""
CONTAINED = "container:"
"""Prefix of the mark of processes in containers, which only Docker stops."""
SECRET = PREFIX + "SPARK_SECRET"
"""Environment variable with the secret of Spark's processes; not a setting, and in no file."""

BACKENDS = ("local", "docker")
PARQUET = "parquet"
"""The store that is taken where no other is asked for: it needs no service and no jars."""

ADDRESSES = {"addresses": True}
"""Metadata of a field of a service's settings that names servers of somebody else."""

Section = TypeVar("Section")


@dataclass(frozen=True)
class SparkSettings:
    """Settings of Spark's master and workers.

    Attributes:
        master: URL of a master that is there already (used, never started or stopped), or None to start one.
        joins: run our workers here for that master; `make worker` sees to that.
        driver_host: address at which executors reach the driver; default: `advertised`, else `host`.
        encrypt: encrypt the traffic between Spark's processes; None encrypts if there is a secret.
        master_port: port of our master.
        master_ui_port: port of its web page.
        workers: number of workers; cores and memory are of each.
        cores: cores of one worker.
        memory: of one worker's executors, as Spark writes it ("2g", "512m").
        cpus: CPU seconds a second that a worker, its executors and their Python workers may use together, as 0.5; None
            for no limit. With fractions of a core a small host can show the curve of many workers.
        pin: pin each worker to its own cores, round robin over the host's.
        driver_memory: heap of a job's driver.
        daemon_memory: heap of the master's and each worker's own JVM.
        java_home: a Java 17, or None to look for one.
    """

    master: str | None = None
    joins: bool = False
    driver_host: str | None = None
    encrypt: bool | None = None
    master_port: int = 7077
    master_ui_port: int = 8080
    workers: int = 2
    cores: int = 1
    memory: str = "2g"
    cpus: float | None = None
    pin: bool = False
    driver_memory: str = "2g"
    daemon_memory: str = "512m"
    java_home: Path | None = None


@dataclass(frozen=True)
class DockerSettings:
    """Settings of containers, for the docker backend.

    Attributes:
        base: the Debian 12 image that ours is built on.
        network: name of the network that is made for the containers; it must not be in use.
    """

    base: str = "debian:bookworm-slim"
    network: str = "recscale"


@dataclass(frozen=True)
class Settings:
    """Settings of where and how services run.

    Attributes:
        backend: how services are run.
        data: folder that holds publishers' unpacked data sets, or None.
        run_dir: folder of everything generated.
        host: address at which servers listen and are reached.
        advertised: name or address of this machine for others, if it is not `host`.
        store: name of a store (`jobs/stores`); None means one whose service runs, else Parquet.
        maven: URL of the Maven repository for jars, or None for the central one.
        sections: settings of services, each of a class that the service's own file defines, where they differ from the defaults.
    """

    backend: str = "local"
    data: Path | None = None
    run_dir: Path = ROOT / ".run"
    host: str = "127.0.0.1"
    advertised: str | None = None
    store: str | None = None
    maven: str | None = None
    spark: SparkSettings = field(default_factory=SparkSettings)
    docker: DockerSettings = field(default_factory=DockerSettings)
    sections: tuple[Any, ...] = ()

    def of(self, section: type[Section]) -> Section:
        """Return the settings of one service, by their class."""
        return next((one for one in self.sections if type(one) is section), section())

    def having(self, section: Any) -> "Settings":
        """Return these settings with those of one service replaced."""
        others = [one for one in self.sections if type(one) is not type(section)]
        new = [section] if section != type(section)() else []
        return dataclasses.replace(
            self, sections=tuple(sorted([*others, *new], key=lambda one: type(one).__name__))
        )

    @property
    def folder_hash(self) -> str:
        """Hash of the run folder's path, for names that must be unique on the machine."""
        return hashlib.sha256(str(self.run_dir.resolve()).encode()).hexdigest()[:8]


def environment_name(key: str) -> str:
    """Name the environment variable of a setting: spark.workers -> RECSCALE_SPARK_WORKERS."""
    return PREFIX + key.upper().replace(".", "_")


def check_memory(memory: str, key: str) -> None:
    """Refuse an amount of memory that `mebibytes` cannot read.

    Raises:
        UsageError: it names the setting `key`.
    """
    try:
        mebibytes(memory)
    except UsageError as error:
        raise UsageError(f"{key}: {error}") from None
