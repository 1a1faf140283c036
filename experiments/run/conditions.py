"""Conditions of a trial besides its own values: Spark's settings, and the services that it uses.

All of it is rendered twice, for two places whose addresses, ports and folders differ in everything. What is equal in both is
of the trial and goes into its key; what differs says only where things are.
"""

import dataclasses
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from cluster import hosts
from cluster.backends.local.backend import LocalPlace
from cluster.configuration import flat
from cluster.driver_host import DriverHost
from cluster.service import Address, Service
from cluster.services import SERVICES, described
from cluster.settings import ADDRESSES, Settings
from cluster.shape import Shape
from experiments.run.harness import SPARK
from experiments.run.spark_settings import spark_settings
from experiments.run.stores import spark_settings_of
from experiments.spec.tables import SHAPE_KEYS
from experiments.spec.trial import Trial
from jobs.stores import STORAGES

KEYS = 2
"""Version of what keys are made of. Trials with keys of another version do not count, and the record says why."""

_HOSTS = ("127.0.0.1", "127.1.0.1")
_PORTS = (21_000, 42_000)
_FOLDERS = (Path("/first"), Path("/second/place"))
_WHERE = "\0"  # stands for what differs
_PLACES = ("driver_host", "java_home")
_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]*@")


@dataclass
class _Place(LocalPlace):
    """A place that exists nowhere: nothing is looked up on this machine."""

    folder: Path

    def address(self, service: str, port: str, wanted: int) -> Address:  # noqa: ARG002 - every free port is alike
        return Address(self.settings.host, wanted or int(self.folder == _FOLDERS[0]))

    def others(self, service: str) -> dict[str, str]:  # noqa: ARG002 - nothing is kept there
        return {}

    def jars(self, name: str) -> Path:
        """Return the same folder at both places: its name says which jars they are."""
        return Path("/") / super().jars(name).name

    def path(self, kind: str) -> Path:
        return self.folder / kind


@dataclass(frozen=True)
class _DriverHost:
    """As much of a driver's host as the Spark settings name."""

    host: str
    listens: str
    python: str
    class_archive: None = None


def conditions(
    settings: Settings, trial: Trial, store: str, otherwise: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """Return what belongs to a trial's key of the settings and of the services that it uses, as plain values.

    Args:
        settings: as the trial meets them (`experiments.run.harness.Harness.met`).
        trial: whose key it is.
        store: where the trial's tables lie; the service that keeps them is used.
        otherwise: digests of services that run in another way than these settings describe, by name.
    """
    first, second = (_rendered(settings, trial, store, number) for number in range(2))
    found = cast("dict[str, Any]", _equal(first, second))
    odd = {name: digest for name, digest in otherwise.items() if name in found["services"]}
    return {**found, "otherwise": odd}


def _rendered(settings: Settings, trial: Trial, store: str, number: int) -> dict[str, Any]:
    placed = _placed(settings, trial.shape, number)
    folder = _FOLDERS[number]
    host = _DriverHost(f"driver-{number}", f"listens-{number}", str(folder / "python"))
    spark = spark_settings(
        placed, cast("DriverHost", host), f"spark://{placed.host}:{placed.spark.master_port}", f"name {number}",
        trial.shape, partitions=trial.partitions, folder=folder / "application",
    )  # fmt: skip
    place, storage = _Place(placed, {}, folder), STORAGES[store]
    used = [service for service in described(placed, place) if service.group in {SPARK, storage.service}]
    nodes = [url for one in used if one.group == storage.service for url in one.url.split(",")]
    jars = place.jars(storage.jars).as_uri() if storage.jars else ""
    spark |= spark_settings_of(store, placed, nodes, jars)
    return {"spark": spark, "services": {service.name: _described(service) for service in used}}


def _placed(settings: Settings, shape: Shape, number: int) -> Settings:
    """Return the settings with the trial's workers, at one of the two places."""

    def moved(section: Any) -> Any:
        ports = {
            field.name: getattr(section, field.name) % 1000 + _PORTS[number]
            for field in dataclasses.fields(section)
            if field.name == "port" or field.name.endswith("_port")
        }
        others = {
            field.name: _owners(getattr(section, field.name))
            for field in dataclasses.fields(section)
            if field.metadata == ADDRESSES
        }
        return dataclasses.replace(section, **ports, **others)

    spark = dataclasses.replace(moved(shape.of(settings).spark), driver_host=None)
    placed = _needed(dataclasses.replace(
        settings, spark=spark, run_dir=_FOLDERS[number], host=_HOSTS[number], advertised=None,
    ))  # fmt: skip
    for kind in SERVICES.values():
        placed = kind.changed(placed, moved)
    return placed


def _needed(settings: Settings) -> Settings:
    """Return the settings under which every kind of service runs, as it does for a trial that needs it."""
    for kind in SERVICES.values():
        settings = kind.needed(settings)
    return settings


def _described(service: Service) -> dict[str, Any]:
    """Return what a service is started with; secrets and the moment of its start are no part of it."""
    return {
        "argv": list(service.argv),
        "env": dict(service.env),
        "files": {Path(path).name: text.splitlines() for path, text in service.files.items()},
        "cpus": service.cpus,
        "pin": list(service.pin),
        "image": service.image,
        "memory_mb": [service.memory_mb, service.guests_mb],
        "cores": service.cores,
        "external": owner(service.url) if service.external else "",
    }


def owner(address: str) -> str:
    """Return whose server an address names: its host without the port; all hosts that are this machine are one."""
    scheme, separator, rest = address.rpartition("://")
    found = sorted({_host(part) for part in rest.split(",")})
    return f"{scheme}{separator}{','.join(found)}"


def _host(address: str) -> str:
    ported = re.fullmatch(r"(\[.+\]|[^:]+):\d+", address)
    host = ported[1] if ported else address
    return _HOSTS[0] if hosts.loopback(host) else host


def _owners(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Return servers of somebody else with one port, so that whose they are is the same at both places."""
    return tuple(f"{owner(address)}:{_PORTS[0]}" for address in sorted(addresses))


def _equal(first: Any, second: Any) -> Any:
    """Return what two renderings have in common."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return {key: _equal(first[key], second[key]) for key in first if key in second}
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        return [_equal(one, other) for one, other in zip(first, second, strict=True)]
    return first if first == second else _WHERE


def common(settings: Settings, stores: Collection[str]) -> dict[str, Any]:
    """Return the settings that all trials of an experiment share and have in their keys, for the record to compare.

    Args:
        settings: as the trials meet them.
        stores: where their tables lie.
    """
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in flat(_needed(settings)).items()
        if key.partition(".")[0] in {SPARK, *(STORAGES[store].service for store in stores)}
        and not _says_where(key)
    }


def basis(
    code: str, lock: str, place: str, digests: Mapping[str, str], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the keys of trials are made of besides the trials' own values, for the record.

    Args:
        code: of sources; as of `experiments.spec.trial.Trial.key`, as are the next two.
        lock: of packages.
        place: of hosts.
        digests: of the data sets' rows.
        settings: as of `common`.
    """
    made = {"code": code, "lock": lock, "place": place, "data": dict(digests)}
    return {"keys": KEYS, **made, "settings": dict(settings)}


def where(settings: Settings) -> dict[str, str]:
    """Return every setting for tags, most of which only say where things are and what runs beside a trial."""
    return {f"settings.{key}": _CREDENTIALS.sub("", str(value)) for key, value in flat(settings).items()}


def _says_where(key: str) -> bool:
    """Whether a setting of a service that is used is in no key, or in each trial's by its own shape."""
    name = key.rpartition(".")[2]
    return (
        name in _PLACES
        or name == "port"
        or name.endswith("_port")
        or (key.startswith("spark.") and name in SHAPE_KEYS)
    )
