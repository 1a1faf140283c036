"""Environment of a measurement: code, packages, Java, host and the workers' host; and that of an application's process."""

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import psutil

from cluster import hosts, security
from cluster.backends.local.pinning import own_cores
from cluster.driver_host import DriverHost
from cluster.jvm import java
from cluster.settings import ROOT, SECRET, Settings
from cluster.shape import Shape
from datasets.topics.connection import FILE_VARIABLES as KAFKA_FILES
from datasets.topics.connection import VARIABLES as KAFKA
from experiments.run.identity import code_hash, lock_hash
from experiments.run.launcher import HERE, Runtime, capture
from jobs.stores import STORAGES

PACKAGES = ("pyspark", "numpy", "pandas", "pyarrow", "numba", "mlflow")
EXTERNAL = "external"
"""Tag of a shape whose workers are those of a master that is not on this host."""

_INHERITED_AWAY = (
    *("SPARK_HOME", "SPARK_CONF_DIR", "PYSPARK_SUBMIT_ARGS", "SPARK_LOCAL_DIRS"),
    *(SECRET, security.SPARKS_NAME),
)


@cache
def host() -> dict[str, Any]:
    """Cores, memory and processor of this host."""
    return {
        "host.cores": os.cpu_count() or 1,
        "host.memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "host.cpu": _cpu_model(),
        "host.system": f"{platform.system()} {platform.release()}",
    }


def describe(driver_host: DriverHost) -> dict[str, Any]:
    """Return everything about code, host and the driver's host that belongs to every run, as flat values."""
    versions = {f"version.{name}": metadata.version(name) for name in PACKAGES}
    return {
        **git(),
        **host(),
        **versions,
        "version.python": driver_host.python_version,
        "version.java": driver_host.java,
        "backend.foundation": driver_host.foundation,
        "hash.lock": lock_hash()[:16],
        "hash.code": code_hash()[:16],
    }


def place_hash(
    driver_memory: str, driver_host: DriverHost, further: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Hash what times depend on besides code, data and cluster shape: host, Java or image, the driver's memory.

    Args:
        driver_memory: heap of the driver, as in "2g".
        driver_host: where the driver runs.
        further: whose workers they are, where they are not this host's, and whether they encrypt.
    """
    known: list[Any] = [host(), driver_host.foundation, driver_memory, jvm_options()]
    text = json.dumps([*known, *([dict(further)] if further else [])], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def jvm_options(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return those options of JAVA_TOOL_OPTIONS, which every JVM gets, that say how it runs: heap, collector, compiler."""
    return [word for word in environ.get("JAVA_TOOL_OPTIONS", "").split() if word.startswith("-X")]


def _external(settings: Settings) -> bool:
    """Whether the workers are those of a master that is not on this host, so that nothing is known of their cores."""
    master = settings.spark.master
    if master is None or master.startswith("local"):
        return False
    return not hosts.loopback(urlsplit(master).hostname or "")


def of_workers(settings: Settings) -> dict[str, str]:
    """Return what a time depends on besides this host; nothing for workers of this host that share no secret."""
    found = {"cluster.master": settings.spark.master or ""} if _external(settings) else {}
    options = security.options(settings)
    if options:
        found["cluster.encrypted"] = options.get("spark.network.crypto.enabled", "false")
    return found


def shape_tag(shape: Shape, settings: Settings) -> str:
    """Say how far a time on this shape may be trusted: `Shape.tag`, or that it cannot be told from here."""
    return EXTERNAL if _external(settings) else shape.tag(host()["host.cores"])


def pins(shape: Shape) -> dict[str, str]:
    """Return which cores each worker of a pinned shape runs on; nothing for others."""
    if not shape.pin:
        return {}
    cores = [own_cores(number, shape.cores) for number in range(1, shape.workers + 1)]
    words = (f"spark-worker-{k}: {' '.join(map(str, own))}" for k, own in enumerate(cores, start=1))
    return {"spark.pinned": ", ".join(words)}


def git() -> dict[str, Any]:
    """Commit of the working tree and whether it has changes; empty texts where there is no git."""
    commit = capture(["git", "rev-parse", "HEAD"])
    changes = capture(["git", "status", "--porcelain", "--untracked-files=no"])
    return {"git.commit": commit or "", "git.dirty": bool(changes)}


def for_driver(
    driver_host: DriverHost, java_home: Path | None, runtime: Runtime = HERE
) -> tuple[dict[str, str], frozenset[str]]:
    """Return the environment of an application's command, and the names in it that the driver is to have anywhere.

    One Python, one Java, no other Spark; secrets pass on by name.
    """
    environment = {key: value for key, value in os.environ.items() if key not in _INHERITED_AWAY}
    environment |= security.secrets()
    python = driver_host.python if runtime.python == HERE.python else runtime.python
    own = {
        "PYTHONPATH": str(driver_host.root if runtime.root == ROOT else runtime.root),
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
        "PYSPARK_PYTHON": python,
        "PYSPARK_DRIVER_PYTHON": python,
        "SPARK_LOCAL_IP": driver_host.listens,
    }
    # A driver runs in another folder than this command, and so do executors.
    files = {*KAFKA_FILES, *(name for storage in STORAGES.values() for name in storage.file_variables)}
    own |= {name: str(Path(environment[name]).absolute()) for name in files if environment.get(name)}
    passed = {name for storage in STORAGES.values() for name in storage.variables}
    passed |= {"JAVA_TOOL_OPTIONS", security.SPARKS_NAME, *KAFKA}
    names = frozenset(own) | (passed & environment.keys())
    return {**environment, **own, **({"JAVA_HOME": str(java_home)} if java_home else {})}, names


def java_of(settings: Settings) -> Path | None:
    """Return the Java of drivers on this machine; None where they run in a container, which has its own.

    Raises:
        ServiceError: there is none.
    """
    local = settings.backend == "local" or settings.spark.master is not None
    return java.find(settings.spark.java_home) if local else None


def same_host(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether two descriptions are of one host, so that times of both may be put together."""
    return all(first.get(key) == second.get(key) for key in host())


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()
