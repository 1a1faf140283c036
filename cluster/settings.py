"""Where things run: one frozen value from defaults, profile, environment and command line, in rising order."""

import dataclasses
import difflib
import hashlib
import os
import re
import tomllib
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster import file_names, hosts, proxies
from cluster.cluster_state import recall
from cluster.errors import SettingsError

ROOT = Path(__file__).resolve().parent.parent
PROFILES = Path(__file__).resolve().parent / "profiles"
PREFIX = "RECSCALE_"
SERVICE_MARKER = PREFIX + "SERVICE"
"""Environment variable that marks the processes of our services; it is no setting."""
CONTAINED = "container:"
"""Begins the mark of processes in containers, which are the engine's to stop."""
SECRET = PREFIX + "SPARK_SECRET"
"""Environment variable with the secret that Spark's processes share; it is no setting, and stands in no file."""

_UNITS = {"m": 1, "g": 1024}


@dataclass(frozen=True)
class SparkSettings:
    """Spark's master and workers.

    Attributes:
        master: URL of a master that is there already (used, never started or stopped), or None to start one.
        joins: run our workers here for that master; `make worker` sees to that.
        driver_host: where executors reach the driver, if that is neither `advertised` nor `host`.
        encrypt: encrypt what Spark's processes send one another; None does so where there is a secret.
        master_port: port of our master.
        master_ui_port: port of its web page.
        workers: how many workers; cores and memory are of each.
        cores: cores of one worker.
        memory: what one worker may give to executors, as Spark writes it ("2g", "512m").
        cpus: CPU time a second that one worker, its executors and their Python workers may take together, as 0.5; None
            for no limit. Fractions of a core let a small host show the curve of many workers.
        pin: give each worker cores of its own, round robin over the host's, instead of leaving them to the scheduler.
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
    """MLflow's server.

    Attributes:
        uri: address of a server that is there already (used, never started or stopped), or None to start one.
        port: port of our server.
        allowed_hosts: further `Host` headers that our server answers to, beside its own address and localhost.
    """

    uri: str | None = None
    port: int = 5000
    allowed_hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class CassandraSettings:
    """Cassandra's nodes, or those that are there already. User and password come from the environment alone.

    Attributes:
        contact_points: nodes of a cluster that is there already (used, never started or stopped); none to start ours.
        nodes: how many of ours to start; with 0 tables lie in Parquet files.
        seeds: nodes on other machines whose cluster ours join (host or host:storage_port); none for one of our own.
        rf: copies of every row, at most the number of nodes.
        port: for clients.
        storage_port: for the nodes among themselves.
        heap: of each node, as Java writes it ("1g", "512m").
        datacenter: whose nodes clients talk to; of ours the only one.
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
        """These settings where a node is needed: one node, or as many as hold a row, unless they say how many."""
        nodes = 0 if self.contact_points else self.nodes or self.rf
        return dataclasses.replace(self, nodes=nodes)


@dataclass(frozen=True)
class HistorySettings:
    """Spark's history server, which shows the event logs of applications that ended.

    Attributes:
        servers: 1 to have it among the services; `make history` sees to that.
        port: of its web page.
        memory: its heap; a log of some hundred megabytes needs about as much.
    """

    servers: int = 0
    port: int = 18080
    memory: str = "1g"


@dataclass(frozen=True)
class DockerSettings:
    """Containers, for the backend of that name.

    Attributes:
        base: the Debian 12 image that ours is built on.
        network: name of the network that is made for the containers, which nothing else may have.
    """

    base: str = "debian:bookworm-slim"
    network: str = "recscale"


@dataclass(frozen=True)
class Settings:
    """Everything that says where, and nothing that says what.

    Attributes:
        backend: how services are run.
        data: folder that holds publishers' unpacked data sets, or None.
        run_dir: folder of everything generated.
        host: address that servers listen on and are reached at.
        advertised: name or address of this machine that others are told, where it is not `host`.
        store: where tables lie, "parquet" or "cassandra"; None is Cassandra where it runs, else Parquet.
        maven: URL of the Maven repository that jars come from, or None for the central one.
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
        """Tells this run folder from others where names are shared by the whole machine."""
        return hashlib.sha256(str(self.run_dir.resolve()).encode()).hexdigest()[:8]


def load(sets: Sequence[str] = (), environ: MutableMapping[str, str] = os.environ) -> Settings:
    """Resolve the settings: defaults < profile < the running cluster's < RECSCALE_* environment < `sets` ("spark.workers=4").

    Every command begins so. Where the environment names a proxy, our own servers are excepted from it there, and where
    its locale knows ASCII alone it gets one of UTF-8, for this process and for all that it starts.

    Raises:
        SettingsError: an unknown key (names the nearest known one) or a value that does not read.
    """
    known = dict(_keys(Settings))
    environment = _from_environment(known, environ)
    command_line = _from_sets(known, sets)
    said = {**environment, **command_line}
    run_dir = _convert(Path, said["run_dir"], "run_dir") if "run_dir" in said else Settings.run_dir
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
    """Return Spark's way of writing memory ("2g", "512m") in MiB.

    Raises:
        SettingsError: it is written in another way.
    """
    match = re.fullmatch(r"([1-9]\d*)([mg])b?", memory.strip().lower())
    if match is None:
        raise SettingsError(f"{memory!r} is not an amount of memory; write for example 2g or 512m")
    return int(match[1]) * _UNITS[match[2]]


def environment_name(key: str) -> str:
    """Name the environment variable of a setting: spark.workers -> RECSCALE_SPARK_WORKERS."""
    return PREFIX + key.upper().replace(".", "_")


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known name is meant by a wrong one, as the tail of an error message."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    listing = f"known: {', '.join(names)}" if names else "there are none"
    return f"did you mean {close[0]!r}? ({listing})" if close else listing


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
        raise SettingsError(f"unknown backend {backend!r}: {nearest(backend, profiles)}")
    with profiles[backend].open("rb") as file:
        flat = dict(_flatten(tomllib.load(file)))
    for key in flat:
        if key not in known:
            raise SettingsError(f"unknown key {key!r} in {profiles[backend]}: {nearest(key, known)}")
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
            raise SettingsError(f"unknown environment variable {name}: {nearest(name, names)}")
    return {names[name]: value for name, value in found.items()}


def _from_sets(known: Mapping[str, Any], sets: Sequence[str]) -> dict[str, str]:
    values = {}
    for pair in sets:
        key, equals, value = pair.partition("=")
        if not equals:
            raise SettingsError(f"--set {pair!r} has no value; write --set {key.strip() or 'key'}=value")
        if key.strip() not in known:
            raise SettingsError(f"unknown setting {key.strip()!r}: {nearest(key.strip(), known)}")
        values[key.strip()] = value.strip()
    return values


def _convert(hint: Any, value: Any, key: str) -> Any:
    """Convert one value (text from outside, or what TOML gives) to the type of its field."""
    if typing.get_origin(hint) is types.UnionType:
        if value in ("", "none"):
            return None
        (hint,) = (arg for arg in typing.get_args(hint) if arg is not type(None))
    if typing.get_origin(hint) is tuple:
        items = value.split(",") if isinstance(value, str) else value
        return tuple(str(item).strip() for item in items if str(item).strip())
    if hint is Path:
        return Path(value).expanduser().resolve()
    return _SCALARS[hint](value, key)


def _whole(value: Any, key: str) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"[+-]?\d+", str(value).strip()):
        raise SettingsError(f"{key}: {value!r} is not a whole number")
    return int(value)


def _share(value: Any, key: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise SettingsError(f"{key}: {value!r} is not a number") from None


def _truth(value: Any, key: str) -> bool:
    text = str(value).strip().lower()
    if text not in ("true", "false"):
        raise SettingsError(f"{key}: {value!r} is neither true nor false")
    return text == "true"


_SCALARS: Mapping[type, Callable[[Any, str], Any]] = {
    int: _whole,
    float: _share,
    bool: _truth,
    str: lambda value, _: str(value),
}


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
            raise SettingsError(f"{key}: {port} is not a port; take one from 1 to 65535")
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
        except SettingsError as error:
            raise SettingsError(f"{key}: {error}") from None
    _check_stores(settings)
    if settings.spark.workers < 0:
        raise SettingsError(f"spark.workers: {settings.spark.workers} is less than none")
    if settings.history.servers not in (0, 1):
        raise SettingsError(f"history.servers: one is enough, {settings.history.servers} is neither 0 nor 1")
    if settings.spark.cores < 1:
        raise SettingsError(f"spark.cores: a worker needs at least one core, not {settings.spark.cores}")
    if settings.spark.cpus is not None and not 0.01 <= settings.spark.cpus < float("inf"):
        raise SettingsError(
            f"spark.cpus: {settings.spark.cpus:g} is no share of a processor; take 0.01 or more"
        )
    if settings.host in ("0.0.0.0", "::", ""):  # noqa: S104 - refused, not bound
        raise SettingsError(
            f"host: {settings.host!r} is no address that workers can be told to connect to; "
            "name one address of this machine, for example 127.0.0.1"
        )


def _check_stores(settings: Settings) -> None:
    if settings.store not in (None, "parquet", "cassandra"):
        raise SettingsError(
            f"store: {settings.store!r} is no store: {nearest(settings.store, ('parquet', 'cassandra'))}"
        )
    cassandra = settings.cassandra
    if cassandra.image and settings.backend != "docker":
        raise SettingsError(
            f"cassandra.image: {cassandra.image} can be run in containers only; take backend=docker, or leave it out"
        )
    if cassandra.nodes < 0:
        raise SettingsError(f"cassandra.nodes: {cassandra.nodes} is less than none")
    if cassandra.rf < 1 or (cassandra.nodes and not cassandra.seeds and cassandra.rf > cassandra.nodes):
        raise SettingsError(
            f"cassandra.rf: {cassandra.rf} copies of a row cannot lie on {cassandra.nodes} nodes; "
            "take from 1 to cassandra.nodes"
        )
