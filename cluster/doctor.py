"""Check everything that a run needs and say how to mend what is missing."""

import importlib.metadata
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from cluster import processes
from cluster.backends.docker import engine
from cluster.jvm import java
from cluster.lifecycle import Cluster
from cluster.processes import describe_taken
from cluster.settings import ROOT, Settings
from core.errors import ServiceError
from core.text_tables import columns
from core.units import MIB, gib, mebibytes

_PYTHONS = ((3, 11), (3, 12))
_SYSTEM_MB = 1024  # minimum for the operating system and other programs
_DISK_STOP_MB = 1024
_DISK_WARN_MB = 5 * 1024


@dataclass(frozen=True)
class Finding:
    """Result of one check: "stop" prevents a run, "warn" may spoil its timings; `mend` says what to do."""

    check: str
    state: Literal["ok", "warn", "stop"]
    found: str
    mend: str = ""


def examine(settings: Settings, lock: Path = ROOT / "requirements.lock") -> list[Finding]:
    """Run all checks; nothing is started, stopped or written."""
    findings = [_python(), _java(settings), _packages(lock)]
    if settings.backend == "docker":
        findings.append(_engine())
        if findings[-1].state == "stop":  # the checks below need Docker's daemon
            return [*findings, _cores(settings), _disk(settings.run_dir), *_data(settings.data)]
    cluster = Cluster(settings)
    findings += [_memory(settings, cluster), _cores(settings)]
    findings += _ports(cluster)
    findings += _external(cluster)
    findings += [_disk(settings.run_dir), *_data(settings.data)]
    return findings


def findings_table(found: Sequence[Finding]) -> str:
    """Tabulate findings, each followed by its remedy."""
    lines = columns([(finding.state, finding.check, finding.found) for finding in found])
    mends = (f"\n      mend: {finding.mend}" if finding.mend else "" for finding in found)
    return "\n".join(line + mend for line, mend in zip(lines, mends, strict=True))


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] in _PYTHONS:
        return Finding("Python", "ok", version)
    mend = "rm -r .venv, then `PYTHON=python3.11 bash setup.sh`"
    return Finding("Python", "stop", f"{version}, not 3.11 or 3.12", mend)


def _java(settings: Settings) -> Finding:
    if settings.backend == "docker":
        return Finding("Java", "ok", "the image brings its own")
    try:
        return Finding("Java", "ok", str(java.find(settings.spark.java_home)))
    except ServiceError as error:
        what, _, mend = str(error).partition(": ")
        return Finding("Java", "stop", what, mend)


def _engine() -> Finding:
    try:
        version = engine.docker("version", "--format", "{{.Server.Version}}")
        return Finding("Docker", "ok", f"{version}, with {' '.join(engine.composer())}")
    except ServiceError as error:
        what, _, mend = str(error).partition(": ")
        return Finding("Docker", "stop", what, mend)


def _packages(lock: Path) -> Finding:
    """Compare installed packages with the lock file, which may pin a package once for each Python."""
    if not lock.exists():
        return Finding(
            "packages", "warn", f"there is no {lock} to compare with", "restore it: git checkout " + lock.name
        )
    wanted: dict[str, set[str]] = {}
    optional: set[str] = set()
    text = lock.read_text(encoding="utf-8")
    for name, version, marker in re.findall(r"^([\w.-]+)==([^\s;\\]+)[ ]*(;[^\\\n]*)?", text, re.MULTILINE):
        wanted.setdefault(name, set()).add(version)
        if marker:
            optional.add(name)
    wrong = [
        f"{name} {installed or 'missing'} (pinned {' or '.join(sorted(versions))})"
        for name, versions in wanted.items()
        if (installed := _installed(name)) not in versions and not (installed is None and name in optional)
    ]
    if not wrong:
        return Finding("packages", "ok", f"{len(wanted)} as pinned")
    more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    return Finding(
        "packages", "stop", ", ".join(wrong[:3]) + more, "`rm -f .venv/.recscale-*; bash setup.sh`"
    )


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _memory(settings: Settings, cluster: Cluster) -> Finding:
    """Compare the memory of services and driver with the machine's; running services count as used already."""
    running = {status.name for status in cluster.status() if status.state == "running"}
    services = [service for service in cluster.describe() if not service.external]
    driver = mebibytes(settings.spark.driver_memory)
    whole = driver + sum(service.memory_mb for service in services)
    asked = driver + sum(service.memory_mb for service in services if service.name not in running)
    memory = psutil.virtual_memory()
    total, free = memory.total // MIB, memory.available // MIB
    shape = f"services and driver take up to {gib(whole)} GiB"
    mend = (
        "use workers with less memory (--set spark.memory=1g), fewer workers (--set spark.workers=1), or a smaller driver "
        "(--set spark.driver_memory=1g)"
    )
    if whole > total - _SYSTEM_MB // 2:
        return Finding("memory", "stop", f"{shape}, the machine has {gib(total)}", mend)
    if asked > free - _SYSTEM_MB // 2:
        return Finding("memory", "warn", f"{shape}, {gib(free)} of {gib(total)} are free", mend)
    return Finding("memory", "ok", f"{shape}, {gib(free)} of {gib(total)} are free")


def _cores(settings: Settings) -> Finding:
    if settings.spark.master is not None and not settings.spark.joins:
        return Finding("cores", "ok", "those of the external Spark")
    cores = psutil.cpu_count() or 1
    spark = settings.spark
    each = spark.cores if spark.cpus is None else min(spark.cores, spark.cpus)
    asked = spark.workers * each
    found = f"workers use {asked:g} of {cores}"
    if asked > cores:
        return Finding(
            "cores",
            "warn",
            found,
            "timings are not reliable beyond the machine's cores: use fewer workers or cores",
        )
    if asked > cores - 1:
        return Finding(
            "cores",
            "warn",
            found,
            "driver and servers share these cores: leave one core free for reliable timings",
        )
    return Finding("cores", "ok", found)


def _ports(cluster: Cluster) -> Iterator[Finding]:
    running = {status.name for status in cluster.status() if status.state == "running"}
    for service in cluster.describe():
        for port in service.ports if not service.external else ():
            if port.setting is None:
                continue
            check = f"port {(port.published or port.address).port}"
            if service.name in running:
                yield Finding(check, "ok", f"{service.name} listens")
                continue
            try:
                taken = processes.taken(port.published or port.address)
            except OSError as error:
                mend = "the setting host must be an address of this machine, the port above 1023"
                yield Finding(check, "stop", f"{port.published or port.address}: {error.strerror}", mend)
                continue
            if taken:
                what, _, mend = describe_taken(port).partition("; ")
                yield Finding(check, "stop", f"{service.name}: {what}", mend)
            else:
                yield Finding(check, "ok", f"free for {service.name}")


def _external(cluster: Cluster) -> Iterator[Finding]:
    hints = {service.name: service.hint for service in cluster.describe()}
    for status in cluster.status():
        if status.state == "external":
            silent = status.detail == "does not answer"
            found = f"{status.url} {status.detail}"
            yield Finding(
                status.name, "stop" if silent else "ok", found, hints[status.name] if silent else ""
            )


def _disk(run_dir: Path) -> Finding:
    folder = next(path for path in (run_dir, *run_dir.parents) if path.exists())
    free = shutil.disk_usage(folder).free // MIB
    found = f"{gib(free)} GiB free for {run_dir}"
    mend = "make room, or name another folder: RECSCALE_RUN_DIR=/folder"
    if free < _DISK_STOP_MB:
        return Finding("disk", "stop", found, mend)
    if free < _DISK_WARN_MB:
        return Finding("disk", "warn", found, "enough for small data sets; " + mend)
    return Finding("disk", "ok", found)


def _data(data: Path | None) -> Iterator[Finding]:
    if data is None:
        yield Finding("data", "ok", "no folder is named; data sets are downloaded")
    elif data.is_dir():
        yield Finding("data", "ok", str(data))
    else:
        yield Finding(
            "data", "stop", f"{data} is not a folder", "correct RECSCALE_DATA (DATA=/folder) or unset it"
        )
