"""Backend that runs services in containers of one image, through a generated compose file."""

import ipaddress
import json
import logging
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from cluster import processes, services
from cluster.backends.docker import compose, engine, image
from cluster.backends.docker.driver import MASTER, DockerDriverHost
from cluster.backends.docker.ownership import give_access, give_files
from cluster.backends.local.driver import LocalDriverHost
from cluster.driver_host import DriverHost
from cluster.jvm import artifacts
from cluster.processes import describe_taken
from cluster.service import Address, Port, Running, Service, Shell
from cluster.settings import Settings
from core.errors import ServiceError
from core.files import write_json, write_text
from core.units import MIB, gib, mebibytes

logger = logging.getLogger(__name__)

_LOG_LINES = "20000"
# Containers do not share ports, so all services without a port setting get the same numbers.
_CHOSEN = {"rpc": 7078, "ui": 8081}


@dataclass
class DockerPlace:
    """Addresses and folders inside containers; a container has its service's name."""

    settings: Settings

    def address(self, service: str, port: str, wanted: int) -> Address:
        return Address(service, wanted or _CHOSEN[port])

    def published(self, service: str, port: str, wanted: int, number: int = 1) -> Address:  # noqa: ARG002 - one host
        """Return this host's own address, and for further ones of a kind the loopback addresses after it."""
        host = "127.0.0.1" if self.settings.host == "localhost" else self.settings.host
        return Address(str(ipaddress.ip_address(host) + number - 1), wanted)

    def member(self, service: str, number: int) -> str:  # noqa: ARG002 - the name identifies it
        return service

    def keeps(self, service: str, group: str) -> Path:  # noqa: ARG002 - each container has a volume of its own there
        return compose.DATA

    def others(self, service: str) -> dict[str, str]:
        kind, start = service.rpartition("-")[0], f"recscale-{self.settings.folder_hash}-"
        names = (name.removeprefix(start) for name in self._volumes if name.startswith(start))
        return {name: f"volume {start}{name}" for name in names if name.rpartition("-")[0] == kind}

    @cached_property
    def _volumes(self) -> list[str]:
        with suppress(ServiceError):  # describing services needs no Docker daemon
            return engine.run(["docker", "volume", "ls", "-q", "--filter", "name=recscale-"]).out.split()
        return []

    def jars(self, name: str) -> Path:
        return image.HOME / "jars" / artifacts.folder(name, self.settings.run_dir).name

    def path(self, kind: Literal["run", "python", "spark", "java"]) -> Path:
        if kind == "run":  # mounted at the same path, so that it is the same inside and outside
            return self.settings.run_dir.resolve()
        return {
            "python": image.HOME / "venv" / "bin" / "python",
            "java": image.HOME / "java" / "bin" / "java",
            "spark": image.HOME / "spark",
        }[kind]


class Docker:
    """Services in containers, recognised by labels that name the service and the run folder."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._run = settings.run_dir.resolve()

    @property
    def place(self) -> DockerPlace:
        """Addresses and folders; they do not depend on the containers' state."""
        return DockerPlace(self.settings)

    @property
    def driver_host(self) -> DriverHost:
        """Host of drivers: the master's container, or this machine if the master is external."""
        if self.settings.spark.master is not None:
            return LocalDriverHost(self.settings)
        return DockerDriverHost(self.settings, self._image)

    @cached_property
    def _image(self) -> image.Image:
        return image.image(self.settings.docker.base)

    def prepare(self, services: Sequence[Service]) -> None:
        if all(service.external for service in services):
            return
        engine.composer()
        if self.settings.data is not None and not self.settings.data.is_dir():
            raise ServiceError(
                f"{self.settings.data} is not a folder: correct RECSCALE_DATA (DATA=/folder) or unset it"
            )
        self._refuse_too_little_memory(services)
        self._refuse_foreign(services)
        image.build(self.settings)

    def start(self, service: Service) -> Running:
        present = set(self.running())
        self._refuse_foreign([service])  # check again: building the image may have taken minutes
        for port in service.ports:
            self._refuse_taken(service, port)
        try:
            self._lay_out(service)
        except OSError as error:
            raise ServiceError(
                f"{service.name} cannot start: {error}; if the disk is full or {self._run} may not be written name "
                "another folder: RECSCALE_RUN_DIR=/folder"
            ) from error
        described = services.described(self.settings, self.place)
        file = self._run / "compose.json"
        document = compose.document(described, self.settings, self._image)
        write_json(file, document)
        try:
            engine.compose(
                str(file), "recscale", "up", "-d", "--no-deps", service.name, environment=service.secrets
            )
        except ServiceError:
            # Compose leaves a container that could not start; remove it only if it is ours.
            if service.name not in present and service.name in self._inspected():
                engine.run(["docker", "rm", "-f", service.name])
            raise
        return self.running()[service.name]

    def stop(self, name: str) -> bool:
        found = self._inspected().get(name)
        if found is None:
            return False
        self._keep_log(name)
        grace = max(1, round(found["record"]["grace_s"]))
        engine.docker("stop", "-t", str(grace), name, timeout_s=grace + 60)
        engine.docker("rm", "-f", name)
        if not self._inspected():  # the last container's network goes too
            ours = ("--filter", "label=com.docker.compose.project=recscale")
            name = self.settings.docker.network
            for number in engine.docker("network", "ls", "-q", "--filter", f"name=^{name}$", *ours).split():
                engine.run(["docker", "network", "rm", number])
        return True

    def running(self) -> Mapping[str, Running]:
        return {name: self._running(name, found) for name, found in sorted(self._inspected().items())}

    def orphans(self) -> set[str]:
        """Return nothing: every container carries its own record."""
        return set()

    def log(self, name: str) -> Path:
        """Return the file with the service's output, copied from Docker now or when the service was stopped."""
        if name in self._inspected():
            self._keep_log(name)
        return self._log(name)

    def follow(self, name: str, lines: int) -> Iterator[str]:
        command = ["docker", "logs", "--follow", "--tail", str(lines), name]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as child:
            assert child.stdout is not None
            try:
                yield from child.stdout
            finally:
                child.terminate()

    def shell(self, name: str) -> Shell:
        found = self._inspected().get(name)
        if found is None or not found["state"]["Running"]:
            raise ServiceError(
                f"{name} does not run: `make setup BACKEND=docker` starts it, `make status` says what runs"
            )
        return Shell(("docker", "exec", "-it", name, "bash"), dict(os.environ))

    def clean(self, *, everything: bool) -> list[str]:
        listed = engine.docker(
            "volume", "ls", "-q", "--filter", f"label={compose.RUN_LABEL}={self._run}"
        ).split()
        if listed:
            engine.docker("volume", "rm", *listed)
        return [f"volume {name}" for name in listed] + (image.remove() if everything else [])

    def _inspected(self) -> dict[str, dict[str, Any]]:
        """Return Docker's description of this run folder's containers, by service."""
        found = engine.docker("ps", "-aq", "--filter", f"label={compose.RUN_LABEL}={self._run}").split()
        if not found:
            return {}
        said = engine.run(["docker", "inspect", *found])  # a container that is removed meanwhile is left out
        entries = {}
        for item in json.loads(said.out or "[]"):
            labels = item["Config"]["Labels"]
            entries[item["Name"].lstrip("/")] = {
                "record": json.loads(labels[compose.SERVICE_LABEL]),
                "image": labels.get(compose.IMAGE_LABEL),
                "foundation": labels.get(compose.FOUNDATION_LABEL),
                "data": labels.get(compose.DATA_LABEL),
                "state": item["State"],
                "restarts": item["RestartCount"],
                "limit": item["HostConfig"]["Memory"],
                "ip": next((net["IPAddress"] for net in item["NetworkSettings"]["Networks"].values()), ""),
            }
        return entries

    def _running(self, name: str, found: Mapping[str, Any]) -> Running:
        record, state = found["record"], found["state"]
        url = record["url"]
        if record.get("by_address") and found["ip"]:
            # Applications in containers and the harness outside must use the same address for a node, and
            # only its address in the containers' network is reached from both.
            url = f"{found['ip']}:{record['ports'][record['by_address']]}"
        elif url.startswith(f"http://{name}:") and found["ip"]:  # an unpublished page, opened by address
            url = url.replace(name, found["ip"], 1)
        alive = state["Running"] and not state["Restarting"] and not found["restarts"]
        return Running(
            name=name,
            group=record["group"],
            url=url,
            pid=state["Pid"],
            digest=record["digest"] if self._fits(record["group"], found) else "of another image",
            requires=tuple(record["requires"]),
            ports=record["ports"],
            log=self._log(name),
            page=record["page"],
            alive=alive,
            exit="" if alive else _exit(name, found),
            secrets=tuple(record.get("secrets", ())),
        )

    def _fits(self, group: str, found: Mapping[str, Any]) -> bool:
        """Whether a container equals the one that would be started now; only Spark's run our sources on data."""
        if group == "spark":
            return bool(found["image"] == self._image.tag and found["data"] == str(self.settings.data or ""))
        return bool(found["image"] == found["foundation"] or found["foundation"] == self._image.foundation)

    def _lay_out(self, service: Service) -> None:
        inside = [folder for folder in service.folders if folder.is_relative_to(self._run)]
        give_access([self._run], image.user(), whole=False)
        give_access([*inside, self._run / "numba", self._run / "store"], image.user())
        give_files((path for one in service.shares for path in self._run.glob(one)), image.user())
        for path, text in service.files.items():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            write_text(Path(path), text)

    def _refuse_taken(self, service: Service, port: Port) -> None:
        if port.published is None:
            return
        try:
            if not processes.taken(port.published):
                return
        except OSError as error:
            raise ServiceError(
                f"{service.name} cannot be published on {port.published}: {error.strerror}; the setting host must be an "
                "address of this machine (--set host=127.0.0.1) and the port above 1023"
            ) from error
        raise ServiceError(f"{service.name} cannot start: {describe_taken(port)}")

    def _refuse_foreign(self, services: Sequence[Service]) -> None:
        """Refuse to start where containers that are not ours have one of our names."""
        names = engine.docker("ps", "-a", "--format", f'{{{{.Names}}}}\t{{{{.Label "{compose.RUN_LABEL}"}}}}')
        wanted = {service.name for service in services if not service.external}
        for line in names.splitlines():
            name, _, run = line.partition("\t")
            if name not in wanted or run == str(self._run):
                continue
            if run:
                raise ServiceError(
                    f"the container {name} belongs to the cluster of {run}, and a machine can have the name only once: stop it "
                    f"first (RECSCALE_RUN_DIR={run} make down BACKEND=docker)"
                )
            raise ServiceError(
                f"the name {name} is taken by a container that recscale did not make and does not touch: "
                f"rename it (docker rename {name} other) or remove it (docker rm -f {name})"
            )

    def _refuse_too_little_memory(self, services: Sequence[Service]) -> None:
        total = int(engine.docker("info", "--format", "{{.MemTotal}}") or 0) // MIB
        driver = mebibytes(self.settings.spark.driver_memory)
        needed, limits = _memory_mb(services, self._inspected(), driver)
        mend = (
            "use smaller containers (MEMORY=1g, --set spark.driver_memory=1g), fewer of them (WORKERS=1), "
            "or give Docker more memory"
        )
        if needed > total:
            raise ServiceError(f"the containers need {gib(needed)} GiB and Docker has {gib(total)}: {mend}")
        if limits > total:
            logger.warning(
                "the limits of all containers add up to %s GiB, and Docker has %s; if a container is killed for lack of "
                "memory, %s", gib(limits), gib(total), mend,
            )  # fmt: skip

    def _log(self, name: str) -> Path:
        return self._run / "logs" / f"{name}.log"

    def _keep_log(self, name: str) -> None:
        path = self._log(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        # A log that cannot be kept must not prevent stopping.
        with suppress(OSError, subprocess.SubprocessError), path.open("wb") as out:
            subprocess.run(
                ["docker", "logs", "--tail", _LOG_LINES, name], stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT, check=False, timeout=60,
            )  # fmt: skip


def _memory_mb(
    services: Sequence[Service], there: Mapping[str, Mapping[str, Any]], driver_mb: int
) -> tuple[int, int]:
    """Return the memory that containers need and the sum of their limits, in MiB; running ones count once.

    Args:
        services: those that are to run; other services of their groups will be stopped.
        there: the existing containers, as `_inspected` returns them.
        driver_mb: memory of the driver, which runs in the master's container.
    """
    wanted = {service.name: service for service in services if not service.external}
    groups = {service.group for service in wanted.values()}
    stay = {
        name: found
        for name, found in there.items()
        if name not in wanted and found["record"]["group"] not in groups and found["state"]["Running"]
    }
    needed = sum(service.memory_mb for service in wanted.values())
    needed += sum(found["record"].get("memory_mb", 0) for found in stay.values())
    limits = sum(compose.limit_mb(service) for service in wanted.values())
    limits += sum(found["limit"] // MIB for found in stay.values())
    return needed + (driver_mb if MASTER in wanted or MASTER in stay else 0), limits


def _exit(name: str, found: Mapping[str, Any]) -> str:
    state, restarts = found["state"], found["restarts"]
    if state["OOMKilled"]:
        return f"was ended because it took more memory than its {found['limit'] // MIB} MiB"
    if state["Error"]:
        return f"could not start: {state['Error']}"
    status = str(state["ExitCode"])
    if state["Running"] and not state["Restarting"]:
        status = _last_exit_status(name, state["FinishedAt"])
    ended = f"ended with exit status {status}" if status else "ended"
    return f"{ended} and was started again by Docker (restart {restarts})" if restarts else ended


def _last_exit_status(name: str, since: str) -> str:
    """Return the last exit status of a restarted container from Docker's events; empty if Docker forgot it."""
    now = f"{time.time():.6f}"  # Docker rounds a relative time to whole seconds, which can leave out the last event
    said = engine.run([
        *("docker", "events", "--since", since, "--until", now, "--format", "{{.Actor.Attributes.exitCode}}"),
        *("--filter", f"container={name}", "--filter", "event=die"),
    ])  # fmt: skip
    return said.out.split()[-1] if said.ok and said.out.strip() else ""
