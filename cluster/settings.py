"""Settings of services, from defaults, profile, environment and command line; the later ones win."""

import dataclasses
import hashlib
import os
import re
import tomllib
import typing
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster import file_names, hosts, proxies
from cluster.cluster_state import recall
from core.errors import UsageError
from core.options import convert, nearest

ROOT = Path(__file__).resolve().parent.parent
PROFILES = Path(__file__).resolve().parent / "profiles"
PREFIX = "RECSCALE_"
SERVICE_MARKER = PREFIX + "SERVICE"
"""Environment variable that marks the processes of our services; not a setting."""
CONTAINED = "container:"
"""Prefix of the mark of processes in containers, which only Docker stops."""
SECRET = PREFIX + "SPARK_SECRET"
"""Environment variable with the secret of Spark's processes; not a setting, and in no file."""

_UNITS = {"m": 1, "g": 1024}


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
class MlflowSettings:
    """Settings of MLflow's server.

    Attributes:
        uri: address of a server that is there already (used, never started or stopped), or None to start one.
        port: port of our server.
        allowed_hosts: further `Host` headers that our server accepts, besides its own address and localhost.
    """

    uri: str | None = None
    port: int = 5000
    allowed_hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class CassandraSettings:
    """Settings of Cassandra's nodes. User and password come only from the environment.

    Attributes:
        contact_points: nodes of an existing cluster (used, never started or stopped); empty to start ours.
        nodes: number of our nodes; with 0 tables lie in Parquet files.
        seeds: nodes on other machines whose cluster ours join (host or host:storage_port); empty for our own cluster.
        rf: copies of every row, at most the number of nodes.
        port: for clients of the nodes.
        storage_port: for traffic between nodes.
        heap: of each node, as Java writes it ("1g", "512m").
        datacenter: the datacenter that clients use; our nodes have only this one.
        image: an official image of Cassandra to run in containers instead of ours, as "cassandra:5.0"; untested.
    """

    contact_points: tuple[str, ...] = ()
    nodes: int = 0
    seeds: tuple[str, ...] = ()
    rf: int = 1
    port: int = 9042
    storage_port: int = 7000
    heap: str = "1g"
    datacenter: str = "datacenter1"
    image: str | None = None

    @property
    def started(self) -> "CassandraSettings":
        """Return these settings with `nodes` raised from 0 to `rf`, for jobs that need a node."""
        nodes = 0 if self.contact_points else self.nodes or self.rf
        return dataclasses.replace(self, nodes=nodes)


@dataclass(frozen=True)
class HistorySettings:
    """Settings of Spark's history server, which shows event logs of ended applications.

    Attributes:
        servers: 1 to run it, else 0; `make history` sets it.
        port: of its web page.
        memory: its heap; it needs about as much as the size of a log.
    """

    servers: int = 0
    port: int = 18080
    memory: str = "1g"


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
        store: "parquet" or "cassandra"; None means Cassandra if it runs, else Parquet.
        maven: URL of the Maven repository for jars, or None for the central one.
    """

    backend: str = "local"
    data: Path | None = None
    run_dir: Path = ROOT / ".run"
    host: str = "127.0.0.1"
    advertised: str | None = None
    store: str | None = None
    maven: str | None = None
    spark: SparkSettings = field(default_factory=SparkSettings)
    mlflow: MlflowSettings = field(default_factory=MlflowSettings)
    cassandra: CassandraSettings = field(default_factory=CassandraSettings)
    history: HistorySettings = field(default_factory=HistorySettings)
    docker: DockerSettings = field(default_factory=DockerSettings)

    @property
    def folder_hash(self) -> str:
        """Hash of the run folder's path, for names that must be unique on the machine."""
        return hashlib.sha256(str(self.run_dir.resolve()).encode()).hexdigest()[:8]


def load(sets: Sequence[str] = (), environ: MutableMapping[str, str] = os.environ) -> Settings:
    """Resolve the settings: defaults < profile < the running cluster's < RECSCALE_* environment < `sets` ("spark.workers=4").

    Every command begins with it. It also changes this process's environment: it excepts our own servers from a proxy,
    and replaces an ASCII locale by a UTF-8 one.

    Raises:
        UsageError: an unknown key (the message names the nearest known one) or an invalid value.
    """
    known = dict(_keys(Settings))
    environment = _from_environment(known, environ)
    command_line = _from_sets(known, sets)
    said = {**environment, **command_line}
    run_dir = convert(Path, said["run_dir"], "run_dir") if "run_dir" in said else Settings.run_dir
    started = {key: value for key, value in recall(run_dir).items() if key in known}
    backend = {**started, **said}.get("backend", Settings.backend)
    values = {**_from_profile(known, backend), **started, **said}
    typed = {key: _convert(known[key], value, key) for key, value in values.items()}
    settings: Settings = _build(Settings, typed)
    _check(settings)
    hosts.check(settings, secret=bool(environ.get(SECRET)))
    own = (settings.host, settings.advertised, settings.spark.driver_host)
    proxies.except_own(environ, filter(None, own))
    file_names.as_utf8(environ)
    return settings


def megabytes(memory: str) -> int:
    """Return an amount of memory as Spark writes it ("2g", "512m") in MiB.

    Raises:
        UsageError: the text has another form.
    """
    match = re.fullmatch(r"([1-9]\d*)([mg])b?", memory.strip().lower())
    if match is None:
        raise UsageError(f"memory must be a whole number with g or m, for example 2g or 512m, got {memory!r}")
    return int(match[1]) * _UNITS[match[2]]


def environment_name(key: str) -> str:
    """Name the environment variable of a setting: spark.workers -> RECSCALE_SPARK_WORKERS."""
    return PREFIX + key.upper().replace(".", "_")


def _keys(cls: type, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every setting's dotted key with its type."""
    for name, hint in typing.get_type_hints(cls).items():
        if dataclasses.is_dataclass(hint):
            yield from _keys(typing.cast("type", hint), f"{prefix}{name}.")
        else:
            yield prefix + name, hint


def _from_profile(known: Mapping[str, Any], backend: str) -> dict[str, Any]:
    profiles = {path.stem: path for path in PROFILES.glob("*.toml")}
    if backend not in profiles:
        raise UsageError(f"unknown backend {backend!r}: {nearest(backend, profiles)}")
    with profiles[backend].open("rb") as file:
        flat = dict(_flatten(tomllib.load(file)))
    for key in flat:
        if key not in known:
            raise UsageError(f"unknown key {key!r} in {profiles[backend]}: {nearest(key, known)}")
    return {**flat, "backend": backend}


def _flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _from_environment(known: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    names = {environment_name(key): key for key in known}
    found = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    for name in (SERVICE_MARKER, SECRET):
        found.pop(name, None)
    for name in found:
        if name not in names:
            raise UsageError(f"unknown environment variable {name}: {nearest(name, names)}")
    return {names[name]: value for name, value in found.items()}


def _from_sets(known: Mapping[str, Any], sets: Sequence[str]) -> dict[str, str]:
    values = {}
    for pair in sets:
        key, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(
                f"--set must be key=value, got {pair!r}; write --set {key.strip() or 'key'}=value"
            )
        if key.strip() not in known:
            raise UsageError(f"unknown setting {key.strip()!r}: {nearest(key.strip(), known)}")
        values[key.strip()] = value.strip()
    return values


def _convert(hint: Any, value: Any, key: str) -> Any:
    """Convert one value, text from outside or what TOML gives; blanks around the items of a list do not count."""
    if typing.get_origin(hint) is tuple and isinstance(value, str):
        value = [item.strip() for item in value.split(",") if item.strip()]
    return convert(hint, value, key)


def _build(cls: type, values: Mapping[str, Any], prefix: str = "") -> Any:
    fields = {}
    for name, hint in typing.get_type_hints(cls).items():
        if dataclasses.is_dataclass(hint):
            fields[name] = _build(typing.cast("type", hint), values, f"{prefix}{name}.")
        elif prefix + name in values:
            fields[name] = values[prefix + name]
    return cls(**fields)


def _check(settings: Settings) -> None:
    for key in (
        "spark.master_port",
        "spark.master_ui_port",
        "mlflow.port",
        "cassandra.port",
        "cassandra.storage_port",
        "history.port",
    ):
        section, name = key.split(".")
        port = getattr(getattr(settings, section), name)
        if not 1 <= port <= 65535:
            raise UsageError(f"{key} must be a port from 1 to 65535, got {port}")
    for key in (
        "spark.memory",
        "spark.driver_memory",
        "spark.daemon_memory",
        "cassandra.heap",
        "history.memory",
    ):
        section, name = key.split(".")
        try:
            megabytes(getattr(getattr(settings, section), name))
        except UsageError as error:
            raise UsageError(f"{key}: {error}") from None
    _check_stores(settings)
    if settings.spark.workers < 0:
        raise UsageError(f"spark.workers must be 0 or more, got {settings.spark.workers}")
    if settings.history.servers not in (0, 1):
        raise UsageError(f"history.servers must be 0 or 1, got {settings.history.servers}")
    if settings.spark.cores < 1:
        raise UsageError(f"spark.cores must be 1 or more, got {settings.spark.cores}")
    if settings.spark.cpus is not None and not 0.01 <= settings.spark.cpus < float("inf"):
        raise UsageError(f"spark.cpus must be 0.01 or more, got {settings.spark.cpus:g}")
    if settings.host in ("0.0.0.0", "::", ""):  # noqa: S104 - refused, not bound
        raise UsageError(
            "host must be one address of this machine, to which workers can connect, for example 127.0.0.1, "
            f"got {settings.host!r}"
        )


def _check_stores(settings: Settings) -> None:
    if settings.store not in (None, "parquet", "cassandra"):
        raise UsageError(f"store must be parquet or cassandra, got {settings.store!r}")
    cassandra = settings.cassandra
    if cassandra.image and settings.backend != "docker":
        raise UsageError(
            f"cassandra.image: {cassandra.image} runs only in containers; use backend=docker, or leave it out"
        )
    if cassandra.nodes < 0:
        raise UsageError(f"cassandra.nodes must be 0 or more, got {cassandra.nodes}")
    if cassandra.rf < 1 or (cassandra.nodes and not cassandra.seeds and cassandra.rf > cassandra.nodes):
        raise UsageError(
            f"cassandra.rf must be from 1 to cassandra.nodes ({cassandra.nodes}), got {cassandra.rf}"
        )
