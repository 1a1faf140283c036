"""Description of a service, from which each backend can start it, and the interfaces of backends and of kinds of services."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from cluster.dependencies import kind
from cluster.driver_host import DriverHost
from cluster.settings import Settings


class Address(NamedTuple):
    """Host and port of a service."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Place(Protocol):
    """Addresses and folders of one backend, which `describe` asks for."""

    def address(self, service: str, port: str, wanted: int) -> Address:
        """Return the address at which `service` listens with its port of that name.

        `wanted` is the number that the settings name; 0 leaves the choice to the backend, which answers the same
        number for as long as the service runs.
        """

    def published(self, service: str, port: str, wanted: int, number: int = 1) -> Address:
        """Return the address at which clients on this host reach that port, None if only services may.

        `number` is that of the service among several which all listen on the same port, as for `member`.
        """

    def path(self, kind: Literal["run", "python", "spark", "java"]) -> Path:
        """Return the run folder, the Python or Java program, or Spark's folder, as the service sees it."""

    def keeps(self, service: str, group: str) -> Path:
        """Return the folder of a service's own data, as the service sees it."""

    def others(self, service: str) -> Mapping[str, str]:
        """Return where each service of this kind that ever ran here keeps its data, by name, for messages."""

    def jars(self, name: str) -> Path:
        """Return the folder for a lock file's jars, as the service sees it; it may not exist yet."""

    def member(self, service: str, number: int) -> str:
        """Return the host of the `number`th (from 1) of several servers that listen on the same ports."""


Asked = Callable[[str, Mapping[str, Any]], bool]
"""Test of a service's own, of one address and what is expected there; a function of a module, so that probes stay values."""


@dataclass(frozen=True)
class Probe:
    """Test of a service's readiness; `first & second` needs both.

    Attributes:
        kind: "http" requests a page and needs status 200; "web" accepts any answer, and uses the environment's proxy
            if there is one; "tcp" connects; "log" needs a line of the service's output; "command" runs a program, which must
            exit with 0; "call" calls `call`.
        target: a URL; host:port, several separated by commas, of which "tcp" needs one and "call" all; the regular expression
            that the line must match; the program with its arguments, as a shell would have them quoted.
        expect: required content of the page's JSON: each key with this value; a list must have an element for each
            one listed here, in any order. For `call` whatever it needs to know.
        once: further required content while the service starts; later it may change.
        call: for "call".
        also: further tests that must hold.
        deadline_s: seconds after which waiting ends in an error.
    """

    kind: Literal["http", "web", "tcp", "log", "command", "call"]
    target: str
    expect: Mapping[str, Any] = field(default_factory=dict)
    once: Mapping[str, Any] = field(default_factory=dict)
    call: Asked | None = None
    also: tuple["Probe", ...] = ()
    deadline_s: float = 120.0

    def __and__(self, other: "Probe") -> "Probe":
        deadline = max(self.deadline_s, other.deadline_s)
        return dataclasses.replace(self, also=(*self.also, other), deadline_s=deadline)


@dataclass(frozen=True)
class Port:
    """Port that a service listens on.

    Attributes:
        address: as other services reach it.
        setting: key of the setting that changes it, None if it is chosen at each start.
        published: address for clients on this host; None if only services reach it.
    """

    name: str
    address: Address
    setting: str | None
    published: Address | None = None


@dataclass(frozen=True)
class Service:
    """Server of the cluster.

    Attributes:
        name: unique; numbered ones end in -1, -2, ...
        group: product that it belongs to; a group is started and stopped together.
        url: address for clients.
        page: its web page, where that is another address.
        argv: the command, empty for an external service.
        env: its environment on top of the host's.
        secrets: further environment, which backends never write or show.
        needs: programs that must be on the machine or in the image: "java".
        jars: the lock file in `cluster/jvm/jars` whose jars it runs on; empty for none.
        folders: made before it starts.
        keeps: folder of its own data, None if it keeps none.
        files: text by path, written before it starts.
        ports: must be free before it starts.
        memory_mb: rough maximum of its memory; for warnings and containers' limits.
        guests_mb: memory of other processes in its container: Python workers, the driver.
        image: of its container, if not ours.
        cores: offered to the cluster; also the CPU limit of its container.
        cpus: CPU seconds a second that it and its children may use together, as 0.5; None for no limit.
        pin: numbers of the host's cores that it may run on; empty for all.
        requires: names of services that must be ready first; if one of them is restarted, so is this one.
        ready: probe of its readiness; None if that cannot be tested from outside.
        grace_s: seconds between asking it to stop and killing it.
        by_address: name of a port that clients outside the containers, too, reach at its address in their network, because it
            tells clients the addresses of others like it; empty for none.
        shares: patterns of files in the run folder that it and this account both write.
        external: used only; its address is in the settings.
        hint: the next step if it does not start.
        refusal: reason not to start it with these settings, and what to do; empty if there is none.
    """

    name: str
    group: str
    url: str
    argv: tuple[str, ...] = ()
    page: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    needs: tuple[str, ...] = ()
    jars: str = ""
    folders: tuple[Path, ...] = ()
    keeps: Path | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[Port, ...] = ()
    memory_mb: int = 0
    guests_mb: int = 0
    image: str = ""
    cores: int | None = None
    cpus: float | None = None
    pin: tuple[int, ...] = ()
    requires: tuple[str, ...] = ()
    ready: Probe | None = None
    grace_s: float = 10.0
    by_address: str = ""
    shares: tuple[str, ...] = ()
    external: bool = False
    hint: str = "read the log named above"
    refusal: str = ""

    @property
    def kind(self) -> str:
        """Name without its number."""
        return kind(self.name)

    @property
    def digest(self) -> str:
        """Digest of everything but the secrets; a changed digest means that the service must be restarted.

        It stands in files and labels. `cluster.security.digest` adds the secrets, with a key.
        """
        value: list[Any] = [self.argv, sorted(self.env.items()), self.requires, sorted(self.files.items())]
        value += [self.cpus, self.pin, self.image]
        return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class ServiceKind:
    """A kind of service: all that is known of it, which one file in `cluster/services` binds to SERVICE.

    Attributes:
        describe: return its services under the settings.
        section: class of its settings, whose keys begin with the file's name; None if it has none.
        check: refuse its settings; raises UsageError.
        wanted: return its settings changed so that it runs, for whoever needs it while the settings start none.
        foreign: beginnings of the environment variables of other installations, which must not change ours.
    """

    describe: Callable[[Settings, Place], tuple[Service, ...]]
    section: type | None = None
    check: Callable[[Settings], None] = lambda _: None
    wanted: Callable[[Any], Any] = lambda section: section
    foreign: tuple[str, ...] = ()

    def needed(self, settings: Settings) -> Settings:
        """Return settings under which it runs, where somebody needs it: as `wanted` says."""
        return self.changed(settings, self.wanted)

    def changed(self, settings: Settings, change: Callable[[Any], Any]) -> Settings:
        """Return the settings with its own changed; the same where it has none."""
        return settings if self.section is None else settings.having(change(settings.of(self.section)))


@dataclass(frozen=True)
class Running:
    """Record of a service that was started and not stopped since.

    Attributes:
        pid: its first process, for a container as numbered on the host.
        digest: the described service's with its secrets (`cluster.security.digest`), when it was started.
        ports: numbers by name, as `Place.address` chose them.
        log: file with its output.
        alive: False if it ended by itself.
        exit: description of its end; empty while it lives.
        secrets: names of the secrets that it was started with.
    """

    name: str
    group: str
    url: str
    pid: int
    digest: str
    requires: tuple[str, ...]
    ports: Mapping[str, int]
    log: Path
    page: str = ""
    alive: bool = True
    exit: str = ""
    secrets: tuple[str, ...] = ()


class Shell(NamedTuple):
    """Command for an interactive shell, and its environment."""

    argv: tuple[str, ...]
    env: Mapping[str, str]


class Backend(Protocol):
    """Way to run services: processes or containers."""

    @property
    def place(self) -> Place:
        """Addresses and folders."""

    @property
    def driver_host(self) -> DriverHost:
        """Host of applications' drivers."""

    def prepare(self, services: Sequence[Service]) -> None:
        """Make what these services need before any is started; may take minutes the first time.

        Raises:
            ServiceError: it is not to be had; with the next step.
        """

    def start(self, service: Service) -> Running:
        """Start a service without waiting until it is ready.

        Raises:
            ServiceError: it cannot start: a port is taken, a program is missing.
        """

    def stop(self, name: str) -> bool:
        """Stop a service and its children, by force after `grace_s`; return true if anything ran.

        Raises:
            ServiceError: one of its processes still runs.
        """

    def running(self) -> Mapping[str, Running]:
        """Return the records of services started here and not stopped since, by name, dead ones too."""

    def orphans(self) -> set[str]:
        """Return services that run without a record, because the command that started them was killed."""

    def log(self, name: str) -> Path:
        """Return the file with a service's output; it may not exist yet."""

    def follow(self, name: str, lines: int) -> Iterator[str]:
        """Yield the last lines of a service's output and then each addition, for ever."""

    def shell(self, name: str) -> Shell:
        """Return the command for an interactive shell in a service's environment.

        Raises:
            ServiceError: the service does not run.
        """

    def clean(self, *, everything: bool) -> list[str]:
        """Remove stopped services' data outside the run folder; with `everything` downloads too."""
