"""What a trial's time and result depend on besides its own values: Spark's settings, and the services that it uses.

All of it is rendered twice, for two places whose addresses, ports and folders differ in everything. What is equal in both is
of the trial and goes into its key; what differs says only where things are.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from cluster.driver_host import DriverHost
from cluster.local import LocalPlace
from cluster.service import Address, Service
from cluster.services import SERVICES
from cluster.settings import Settings
from experiments.sparksettings import spark_settings
from experiments.trial import Shape, Trial

_HOSTS = ("127.0.0.1", "127.1.0.1")
_PORTS = (21_000, 42_000)
_FOLDERS = (Path("/first"), Path("/second/place"))
_WHERE = "\0"  # stands for what differs


@dataclass
class _Place(LocalPlace):
    """A place that exists nowhere: nothing is looked up on this machine."""

    folder: Path

    def address(self, service: str, port: str, wanted: int) -> Address:  # noqa: ARG002 - every free port is alike
        return Address(self.settings.host, wanted or int(self.folder == _FOLDERS[0]))

    def others(self, service: str) -> dict[str, str]:  # noqa: ARG002 - nothing is kept there
        return {}

    def jars(self, name: str) -> Path:
        return self.folder / super().jars(name).name

    def path(self, kind: str) -> Path:
        return self.folder / kind


@dataclass(frozen=True)
class _DriverHost:
    """As much of a driver's host as the Spark settings name."""

    host: str
    listens: str
    python: str
    class_archive: None = None


def conditions(settings: Settings, trial: Trial, store: str) -> dict[str, Any]:
    """Return what belongs to a trial's key of the settings and of the services that it uses, as plain values.

    Args:
        settings: where things are.
        trial: whose key it is.
        store: where the trial's tables lie; its service is used if there is one of that name.
    """
    first, second = (_rendered(settings, trial, store, number) for number in range(2))
    return cast("dict[str, Any]", _equal(first, second))


def _rendered(settings: Settings, trial: Trial, store: str, number: int) -> dict[str, Any]:
    placed = _placed(settings, trial.shape, number)
    folder = _FOLDERS[number]
    host = _DriverHost(f"driver-{number}", f"listens-{number}", str(folder / "python"))
    spark = spark_settings(
        placed, cast("DriverHost", host), f"spark://{placed.host}:{placed.spark.master_port}", f"name {number}",
        trial.shape, partitions=trial.partitions, folder=folder / "application",
    )  # fmt: skip
    place = _Place(placed, {}, folder)
    used = {"spark", store}
    services = {
        service.name: _described(service)
        for describe in SERVICES.values()
        for service in describe(placed, place)
        if service.group in used
    }
    return {"spark": spark, "services": services}


def _placed(settings: Settings, shape: Shape, number: int) -> Settings:
    """Return the settings with the trial's workers, at one of the two places."""

    def moved(section: Any) -> Any:
        ports = {
            field.name: getattr(section, field.name) % 1000 + _PORTS[number]
            for field in dataclasses.fields(section)
            if field.name == "port" or field.name.endswith("_port")
        }
        return dataclasses.replace(section, **ports)

    spark = dataclasses.replace(
        moved(settings.spark), workers=shape.workers, cores=shape.cores, memory=shape.memory, cpus=shape.cpus, pin=shape.pin,
        driver_host=None,
    )  # fmt: skip
    return dataclasses.replace(
        settings, spark=spark, cassandra=moved(settings.cassandra), mlflow=moved(settings.mlflow),
        history=moved(settings.history), run_dir=_FOLDERS[number], host=_HOSTS[number], advertised=None,
    )  # fmt: skip


def _described(service: Service) -> dict[str, Any]:
    """Return what a service is started with; secrets and the moment of its start are no part of it."""
    return {
        "argv": list(service.argv),
        "env": dict(service.env),
        "files": {Path(path).name: text.splitlines() for path, text in service.files.items()},
        "cpus": service.cpus,
        "pin": list(service.pin),
        "image": service.image,
        "external": service.external,
    }


def _equal(first: Any, second: Any) -> Any:
    """Return what two renderings have in common."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return {key: _equal(first[key], second[key]) for key in first if key in second}
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        return [_equal(one, other) for one, other in zip(first, second, strict=True)]
    return first if first == second else _WHERE


def where(settings: Settings) -> dict[str, str]:
    """Return what of the settings only says where things are and what runs beside a trial: for tags, never for its key."""
    found: dict[str, str] = {}
    for section in ("spark", "cassandra", "mlflow", "history"):
        for field in dataclasses.fields(getattr(settings, section)):
            found[f"settings.{section}.{field.name}"] = str(getattr(getattr(settings, section), field.name))
    plain = ("backend", "data", "run_dir", "host", "advertised", "store")
    return found | {f"settings.{name}": str(getattr(settings, name)) for name in plain}
