"""Backend that runs services as processes of this machine."""

import importlib.util
import ipaddress
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cluster import hosts, processes, security
from cluster.backends.local import cgroups, keeper
from cluster.backends.local.driver import LocalDriverHost
from cluster.backends.local.pinning import pinned
from cluster.jvm import artifacts, java
from cluster.log_files import follow
from cluster.processes import describe_taken
from cluster.service import Address, Port, Running, Service, Shell
from cluster.services import SERVICES
from cluster.settings import ROOT, SECRET, Settings
from core.errors import ServiceError
from core.files import write_json, write_text

# A PYTHONPATH would let executors find packages here that other machines do not have. Only services that declare a secret
# get it.
_DROPPED = ("PYTHONPATH", "PYTHONHOME", SECRET)
_SPARK_OPTIONS = "SPARK_DAEMON_JAVA_OPTS"
_GRACE_S = 10.0
_KEEPERS: dict[int, subprocess.Popen[bytes]] = {}  # children; Python warns of those that are dropped
_RECORD = {"group", "url", "page", "pid", "started", "digest", "requires", "ports", "grace_s"}


@dataclass
class LocalPlace:
    """Addresses and folders of this machine, as this process sees them."""

    settings: Settings
    ports: dict[tuple[str, str], int]

    def address(self, service: str, port: str, wanted: int) -> Address:
        key = (service, port)
        number = wanted or self.ports.get(key, 0)
        if not number:
            number = processes.free_port(self.settings.host, avoid=self.ports.values())
            self.ports[key] = number
        return Address(self.settings.host, number)

    def published(self, service: str, port: str, wanted: int, number: int = 1) -> Address:
        """Return the service's own address, which clients use directly."""
        if number > 1:
            return Address(self.member(service, number), wanted)
        return self.address(service, port, wanted)

    def keeps(self, service: str, group: str) -> Path:
        return self.settings.run_dir / group / service

    def others(self, service: str) -> dict[str, str]:
        kind = service.rpartition("-")[0]
        kept = (self.settings.run_dir / kind).glob(f"{kind}-*/data")
        return {path.parent.name: str(path.parent) for path in kept}

    def jars(self, name: str) -> Path:
        return artifacts.folder(name, self.settings.run_dir)

    def member(self, service: str, number: int) -> str:  # noqa: ARG002 - services here have no host names
        """Return the host itself, and for further ones the loopback addresses after it: 127.0.0.2, 127.0.0.3, ..."""
        if number == 1:
            return self.settings.host
        if not hosts.loopback(self.settings.host):
            raise ServiceError(
                f"several nodes on {self.settings.host} would need the same port: use host=127.0.0.1, whose neighbours "
                "are free, or one node on each machine"
            )
        first = "127.0.0.1" if self.settings.host == "localhost" else self.settings.host
        return str(ipaddress.ip_address(first) + number - 1)

    def path(self, kind: Literal["run", "python", "spark", "java"]) -> Path:
        if kind == "run":
            return self.settings.run_dir
        if kind == "python":
            return Path(sys.executable)
        if kind == "java":
            return java.find(self.settings.spark.java_home) / "bin" / "java"
        spec = importlib.util.find_spec("pyspark")
        if spec is None or not spec.origin:
            raise ServiceError("pyspark is not installed in this Python: run `bash setup.sh`")
        return Path(spec.origin).parent


class Local:
    """Services as processes, each in its own session and recorded in a file with pid and start time."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._run = settings.run_dir.resolve()

    @property
    def place(self) -> LocalPlace:
        """Addresses and folders, with the ports of running services; read it again after a change."""
        alive = (record for record in self.running().values() if record.alive)
        return LocalPlace(
            self.settings, {(record.name, port): n for record in alive for port, n in record.ports.items()}
        )

    @property
    def driver_host(self) -> LocalDriverHost:
        """Host of drivers: this machine."""
        return LocalDriverHost(self.settings)

    def prepare(self, services: Sequence[Service]) -> None:
        """Do nothing: each service fetches what it needs when it starts."""

    def log(self, name: str) -> Path:
        return self._run / "logs" / f"{name}.log"

    def follow(self, name: str, lines: int) -> Iterator[str]:
        return follow(self.log(name), lines)

    def shell(self, name: str) -> Shell:
        """Return the command for a shell in this clone with the services' programs, as in a container."""
        record = self.running().get(name)
        if record is None or not record.alive:
            raise ServiceError(f"{name} does not run: `make setup` starts it, `make status` says what runs")
        spark = self.place.path("spark")
        programs = [Path(sys.executable).parent, spark / "bin", self.place.path("java").parent]
        environment = {
            **os.environ,
            "PATH": os.pathsep.join([*map(str, programs), os.environ.get("PATH", os.defpath)]),
            "PYTHONPATH": str(ROOT),
            "SPARK_HOME": str(spark),
            "SPARK_LOCAL_IP": self.settings.host,
            "PYSPARK_PYTHON": sys.executable,
            "JAVA_HOME": str(self.place.path("java").parent.parent),
        }
        if record.url.startswith("spark://"):
            environment["MASTER"] = record.url
        return Shell((os.environ.get("SHELL") or "/bin/sh",), environment)

    def clean(self, *, everything: bool) -> list[str]:  # noqa: ARG002 - all data are in the run folder
        return []

    def start(self, service: Service) -> Running:
        environment = self._environment(service)
        if service.jars:
            artifacts.fetch(service.jars, self.settings)
        for port in service.ports:
            self._refuse_taken(service, port)
        log = self.log(service.name)
        group = cgroups.of(self._run, service.name, service.cpus)
        try:
            for folder in (log.parent, self._record_path(service.name).parent, *service.folders):
                folder.mkdir(parents=True, exist_ok=True)
            for path, text in service.files.items():
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                write_text(Path(path), text)
            if log.exists():
                log.replace(log.with_name(log.name + ".1"))  # the end of the last run is often needed
            kept, ended = self._launch(service, environment, log, group)
            return self._remember(service, kept, ended, group)
        except OSError as error:
            if group is not None:
                cgroups.remove(group)
            raise ServiceError(
                f"{service.name} cannot start: {error}; if a program is missing run `bash setup.sh`, if the disk is "
                f"full or {self._run} may not be written name another folder: RECSCALE_RUN_DIR=/folder"
            ) from error

    def _launch(
        self, service: Service, environment: Mapping[str, str], log: Path, group: Path | None
    ) -> tuple[keeper.Kept, Path]:
        argv = service.argv if group is None else cgroups.enter(group, service.argv)
        ended = self._record_path(service.name).with_name(f"{service.name}.{uuid.uuid4().hex[:12]}.ended")
        with log.open("wb") as output, pinned(service.name, service.pin):
            kept = keeper.start(
                argv,
                mark=self._marker(service.name),
                ended=ended,
                output=output,
                cwd=self._run,
                env=environment,
            )
        _KEEPERS[kept.keeper.pid] = kept.keeper
        return kept, ended

    def stop(self, name: str) -> bool:
        record = self._read(name)
        grace_s = record["grace_s"] if record else _GRACE_S
        marker = self._marker(name)
        leader = processes.find(record["pid"], record["started"], marker) if record else None
        present = leader is not None or bool(processes.marked(marker))
        left = processes.end(leader, marker, grace_s) if present else []
        if left:
            numbers = " ".join(str(process.pid) for process in left)
            raise ServiceError(f"{name} does not stop: try `kill -9 {numbers}`, then `make down` again")
        cgroups.clear(self._run, name, record.get("cgroup") if record else None)
        if record and "keeper" in record:
            keeper.leave(record["keeper"])
            _KEEPERS.pop(record["keeper"], None)
        self._record_path(name).unlink(missing_ok=True)
        for ended in self._record_path(name).parent.glob(f"{name}.*.ended"):
            ended.unlink(missing_ok=True)
        return present

    def running(self) -> Mapping[str, Running]:
        names = {path.stem for path in (self._run / "services").glob("*.json")}
        records = {name: self._read(name) for name in sorted(names)}
        return {name: self._running(name, record) for name, record in records.items() if record}

    def orphans(self) -> set[str]:
        """Return services that run without a record, because the command that started them was killed."""
        return processes.marks(str(self._run)) - set(self.running())

    def _running(self, name: str, record: Mapping[str, Any]) -> Running:
        alive = processes.find(record["pid"], record["started"], self._marker(name)) is not None
        return Running(
            name=name,
            group=record["group"],
            url=record["url"],
            pid=record["pid"],
            digest=record["digest"],
            requires=tuple(record["requires"]),
            ports=record["ports"],
            log=self.log(name),
            page=record["page"],
            alive=alive,
            exit="" if alive else self._exit(name, record),
            secrets=tuple(record.get("secrets", ())),
        )

    def _exit(self, name: str, record: Mapping[str, Any]) -> str:
        if "ended" not in record:  # of an earlier version
            return keeper.UNKNOWN
        return keeper.how_it_ended(self._record_path(name).with_name(record["ended"]), record["keeper"])

    def _marker(self, name: str) -> str:
        return f"{self._run}:{name}"

    def _environment(self, service: Service) -> dict[str, str]:
        dropped = (*_DROPPED, *(prefix for kind in SERVICES.values() for prefix in kind.foreign))
        environment = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        if "java" in service.needs:
            environment["JAVA_HOME"] = str(java.find(self.settings.spark.java_home))
        environment |= {**service.env, **service.secrets}
        if _SPARK_OPTIONS in environment:  # Spark's own servers start in half of the time with the archive
            archive = self.driver_host.class_archive
            environment[_SPARK_OPTIONS] = f"{environment[_SPARK_OPTIONS]} {archive.option}".strip()
        return environment

    def _refuse_taken(self, service: Service, port: Port) -> None:
        try:
            if not processes.taken(port.address):
                return
        except OSError as error:
            raise ServiceError(
                f"{service.name} cannot listen on {port.address}: {error.strerror}; the setting host must be an "
                "address of this machine (--set host=127.0.0.1) and the port above 1023"
            ) from error
        raise ServiceError(f"{service.name} cannot start: {describe_taken(port)}")

    def _record_path(self, name: str) -> Path:
        return self._run / "services" / f"{name}.json"

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            record: dict[str, Any] = json.loads(self._record_path(name).read_text(encoding="utf-8"))
        except (OSError, ValueError):  # stopped meanwhile, or damaged: its mark still finds the service
            return None
        return record if record.keys() >= _RECORD else None

    def _remember(self, service: Service, kept: keeper.Kept, ended: Path, group: Path | None) -> Running:
        ports = {port.name: port.address.port for port in service.ports}
        record = {
            "group": service.group,
            "url": service.url,
            "page": service.page,
            "pid": kept.pid,
            "started": processes.started(kept.pid),
            "keeper": kept.keeper.pid,
            "ended": ended.name,
            "digest": security.digest(service, self._run),
            "requires": service.requires,
            "ports": ports,
            "grace_s": service.grace_s,
            "cgroup": str(group or ""),
            "secrets": sorted(service.secrets),
        }
        write_json(self._record_path(service.name), record)
        return self._running(service.name, record)
