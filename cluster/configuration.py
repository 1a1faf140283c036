"""Resolve settings from defaults, the running cluster, environment and command line; the later ones win."""

import dataclasses
import os
import typing
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from cluster import hosts
from cluster.cluster_state import recall
from cluster.jvm.environment import as_utf8, except_own
from cluster.services import SERVICES
from cluster.settings import (
    BACKENDS,
    PREFIX,
    ROOT,
    SECRET,
    SERVICE_MARKER,
    Settings,
    SparkSettings,
    check_memory,
    environment_name,
)
from cluster.shape import LEAST_CPUS
from core.errors import UsageError
from core.options import convert, nearest, pairs
from core.plugins import FOLDER, Plugins

_SECTIONS = "sections"
_STORES: Plugins[object] = Plugins("jobs.stores", [str(ROOT / "jobs" / "stores")], "STORAGE")
"""Stores by name; only the names are read here."""


def load(sets: Sequence[str] = (), environ: MutableMapping[str, str] = os.environ) -> Settings:
    """Resolve the settings: defaults < the running cluster's < RECSCALE_* environment < `sets` ("spark.workers=4").

    Every command begins with it. It also changes this process's environment: it excepts our own servers from a proxy,
    and replaces an ASCII locale by a UTF-8 one.

    Raises:
        UsageError: an unknown key (the message names the nearest known one) or an invalid value.
    """
    known = _known()
    environment = _from_environment(known, environ)
    command_line = _from_sets(known, sets)
    said = {**environment, **command_line}
    run_dir = convert(Path, said["run_dir"], "run_dir") if "run_dir" in said else Settings.run_dir
    started = {key: value for key, value in recall(run_dir).items() if key in known}
    typed = {key: _convert(known[key], value, key) for key, value in {**started, **said}.items()}
    settings: Settings = _build(Settings, typed)
    for name, section in _sections():
        settings = settings.having(_build(section, typed, f"{name}."))
    _check(settings)
    hosts.check(settings, secret=bool(environ.get(SECRET)))
    own = (settings.host, settings.advertised, settings.spark.driver_host)
    except_own(environ, filter(None, own))
    as_utf8(environ)
    return settings


def flat(settings: Settings) -> dict[str, Any]:
    """Return every setting by its dotted key."""
    own = {name: getattr(settings, name) for name in typing.get_type_hints(Settings) if name != _SECTIONS}
    sections: dict[str, Any] = {key: settings.of(kind) for key, kind in _sections()}
    found: dict[str, Any] = {}
    for key, value in {**own, **sections}.items():
        inner = vars(value) if dataclasses.is_dataclass(value) else {}
        found |= {f"{key}.{name}": item for name, item in inner.items()} or {key: value}
    return found


def _sections() -> list[tuple[str, type]]:
    """Return the classes of services' settings, by the beginning of their keys."""
    return [(name, kind.section) for name, kind in SERVICES.items() if kind.section is not None]


def _known() -> dict[str, Any]:
    """Return every setting's type by its dotted key."""
    known = dict(_keys(Settings))
    for name, section in _sections():
        known |= dict(_keys(section, f"{name}."))
    return known


def _keys(cls: type, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted key of each of a class's settings with its type."""
    for name, hint in typing.get_type_hints(cls).items():
        if dataclasses.is_dataclass(hint):
            yield from _keys(typing.cast("type", hint), f"{prefix}{name}.")
        elif name != _SECTIONS:
            yield prefix + name, hint


def _from_environment(known: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    names = {environment_name(key): key for key in known}
    found = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    for name in (SERVICE_MARKER, SECRET, FOLDER):
        found.pop(name, None)
    for name in found:
        if name not in names:
            raise UsageError(f"unknown environment variable {name}: {nearest(name, names)}")
    return {names[name]: value for name, value in found.items()}


def _from_sets(known: Mapping[str, Any], sets: Sequence[str]) -> dict[str, str]:
    values = {key: value.strip() for key, value in pairs(sets, "--set", "spark.workers=2").items()}
    for key in values:
        if key not in known:
            raise UsageError(f"unknown setting {key!r}: {nearest(key, known)}")
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
    if settings.backend not in BACKENDS:
        raise UsageError(f"unknown backend {settings.backend!r}: {nearest(settings.backend, BACKENDS)}")
    for key, value in flat(settings).items():
        if (key.endswith((".port", "_port"))) and not 1 <= value <= 65535:
            raise UsageError(f"{key} must be a port from 1 to 65535, got {value}")
    stores = sorted(_STORES)
    if settings.store not in (None, *stores):
        raise UsageError(f"store must be one of {', '.join(stores)}, got {settings.store!r}")
    if settings.host in ("0.0.0.0", "::", ""):  # noqa: S104 - refused, not bound
        raise UsageError(
            "host must be one address of this machine, to which workers can connect, for example 127.0.0.1, "
            f"got {settings.host!r}"
        )
    _check_spark(settings.spark)
    for kind in SERVICES.values():
        kind.check(settings)


def _check_spark(spark: SparkSettings) -> None:
    for name in ("memory", "driver_memory", "daemon_memory"):
        check_memory(getattr(spark, name), f"spark.{name}")
    if spark.workers < 0:
        raise UsageError(f"spark.workers must be 0 or more, got {spark.workers}")
    if spark.cores < 1:
        raise UsageError(f"spark.cores must be 1 or more, got {spark.cores}")
    if spark.cpus is not None and not LEAST_CPUS <= spark.cpus < float("inf"):
        raise UsageError(f"spark.cpus must be {LEAST_CPUS} or more, got {spark.cpus:g}")
