"""Render services as a compose file for `docker-compose` 1.29 and `docker compose` v2."""

import dataclasses
import json
import os
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cluster import security
from cluster.backends.docker.image import APP, HOME, Image
from cluster.service import Address, Probe, Service
from cluster.settings import CONTAINED, SERVICE_MARKER, Settings

RUN_LABEL, SERVICE_LABEL = "recscale.run", "recscale.service"
IMAGE_LABEL, FOUNDATION_LABEL, DATA_LABEL = "recscale.image", "recscale.foundation", "recscale.data"
DATA = Path("/var/lib/recscale")
_FOUND = "service_healthy"
# Every check starts a Python: a longer interval delays the start, a shorter one disturbs measurements.
_LOOKS = {"interval": "15s", "timeout": "10s", "retries": 4}
_START_S = 20
_CHECK = "from cluster.probe import exit_status; raise SystemExit(exit_status())"
_LISTENS = "exec 3<>/dev/tcp/$$0/$$1"
_TASKS_MB, _ASIDE_MB = 1.15, 256


def document(services: Iterable[Service], settings: Settings, image: Image) -> dict[str, Any]:
    """Return the compose document of these services; external ones have no container."""
    ours = [service for service in services if not service.external]
    outside = {
        str(port.published): port.address for service in ours for port in service.ports if port.published
    }
    entries = {service.name: _entry(service, settings, image, outside) for service in ours}
    volumes = {
        volume(settings, service.name): {
            "name": volume(settings, service.name),
            "labels": {RUN_LABEL: _escaped(str(settings.run_dir.resolve()))},
        }
        for service in ours
        if service.keeps
    }
    networks = {"default": {"name": settings.docker.network}}
    return {"services": entries, "networks": networks} | ({"volumes": volumes} if volumes else {})


def volume(settings: Settings, service: str) -> str:
    """Return the name of the volume for a service's data; each run folder has its own."""
    return f"recscale-{settings.folder_hash}-{service}"


def limit_mb(service: Service) -> int:
    """Return a container's memory limit in MiB: heaps, the JVMs' other memory, and its guests."""
    return round(service.memory_mb * _TASKS_MB) + _ASIDE_MB + service.guests_mb


def _entry(
    service: Service, settings: Settings, image: Image, outside: Mapping[str, Address]
) -> dict[str, Any]:
    run = str(settings.run_dir.resolve())
    marked = {SERVICE_MARKER: f"{CONTAINED}{run}:{service.name}", "NUMBA_CACHE_DIR": f"{run}/numba"}
    if service.name == "spark-master":  # for an interactive shell
        marked |= {"MASTER": service.url, "PYSPARK_PYTHON": str(HOME / "venv" / "bin" / "python")}
    mounts = [_bind(run, run), _bind(run, str(APP / ".run"))]
    if settings.data is not None:
        mounts.append({**_bind(str(settings.data), str(settings.data)), "read_only": True})
    if service.keeps:
        named = {"type": "volume", "source": volume(settings, service.name), "target": str(service.keeps)}
        mounts.append(named)
    entry: dict[str, Any] = {
        "image": service.image or image.tag,
        "container_name": service.name,
        "hostname": service.name,
        # A name without a value takes it from the environment of the command: no file contains secrets.
        "environment": [*_pairs({**service.env, **marked}), *service.secrets, *_inherited(service)],
        "volumes": mounts if not service.image else mounts[-1:],
        "labels": {
            RUN_LABEL: _escaped(run),
            SERVICE_LABEL: _escaped(json.dumps(_record(service, settings), sort_keys=True)),
            IMAGE_LABEL: service.image or image.tag,
            FOUNDATION_LABEL: service.image or image.foundation,
            DATA_LABEL: _escaped(str(settings.data or "")),
        },
        "ports": [f"{port.published}:{port.address.port}" for port in service.ports if port.published],
        "restart": "on-failure:3",
        "mem_limit": f"{limit_mb(service)}m",
        "stop_grace_period": f"{service.grace_s:.0f}s",
        "security_opt": ["no-new-privileges:true"],
        "logging": {"driver": "json-file", "options": {"max-size": "50m", "max-file": "2"}},
    }
    if service.argv:
        entry["command"] = [_escaped(word) for word in service.argv]
        entry["cap_drop"] = ["ALL"]
    cpus = service.cpus if service.cpus is not None else service.cores
    if cpus is not None and cpus < (os.cpu_count() or 1):  # Docker refuses a limit above the host's cores
        entry["cpus"] = float(cpus)
    if service.pin:
        entry["cpuset"] = ",".join(map(str, service.pin))
    if service.ready is not None:
        entry["healthcheck"] = _health(service.ready, service, outside)
    if service.requires:
        entry["depends_on"] = {name: {"condition": _FOUND} for name in service.requires}
    return {key: value for key, value in entry.items() if value != []}


def _inherited(service: Service) -> tuple[str, ...]:
    """Return the variables that a service inherits: Java's options reach every JVM, as with the local backend."""
    return ("JAVA_TOOL_OPTIONS",) if "java" in service.needs else ()


def _record(service: Service, settings: Settings) -> dict[str, Any]:
    """Return the labels with which a container describes its service."""
    return {
        "group": service.group,
        "url": service.url,
        "page": service.page,
        "digest": security.digest(service, settings.run_dir),
        "requires": service.requires,
        "ports": {port.name: port.address.port for port in service.ports},
        "grace_s": service.grace_s,
        "memory_mb": service.memory_mb,
        "secrets": sorted(service.secrets),
        "by_address": service.by_address,
    }


def _health(probe: Probe, service: Service, outside: Mapping[str, Address]) -> dict[str, Any]:
    """Return the health check: the service's probe, run inside the container and without the other services.

    Of several tests it is the first. Where it cannot be made inside, as of the container's own output, the service must listen.
    """
    target = re.sub(r"[\w.\-]+:\d+", lambda found: str(outside.get(found[0], found[0])), probe.target)
    if probe.kind == "http" and not service.image:
        own = dataclasses.replace(probe, target=target, once={}, also=())
        given = json.dumps(dataclasses.asdict(own), sort_keys=True)
        test = ["CMD", str(HOME / "venv" / "bin" / "python"), "-c", _CHECK, _escaped(given)]
    elif probe.kind == "command":
        test = ["CMD", *map(_escaped, shlex.split(probe.target))]
    else:
        listening = str(service.ports[0].address) if probe.kind == "log" else target
        host, _, port = listening.split(",")[-1].rpartition(":")
        test = ["CMD", "bash", "-c", _LISTENS, host, port]
    return {"test": test, **_LOOKS, "start_period": f"{max(_START_S, probe.deadline_s):.0f}s"}


def _bind(source: str, target: str) -> dict[str, Any]:
    """Return the mount of a folder; with the long syntax a missing folder is an error."""
    return {"type": "bind", "source": _escaped(source), "target": _escaped(target)}


def _pairs(values: Mapping[str, str]) -> list[str]:
    return [f"{name}={_escaped(value)}" for name, value in sorted(values.items())]


def _escaped(text: str) -> str:
    return text.replace("$", "$$")
