"""What a service is: a value that says how to run it, from which every backend can start it in its own way."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from cluster.driver_host import DriverHost
from cluster.settings import Settings


class Address(NamedTuple):
    """Where a port of a service is reached."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Place(Protocol):
    """Where things are for one backend; `describe` asks it instead of knowing."""

    def address(self, service: str, port: str, wanted: int) -> Address:
        """Where `service` listens with its port of that name.

        `wanted` is the number that the settings name; 0 leaves the choice to the backend, which answers the same
        number for as long as the service runs.
        """

    def published(self, service: str, port: str, wanted: int, number: int = 1) -> Address:
        """Where clients on this host reach that port, if others than the service's siblings are to reach it.

        `number` is that of the service among several which all listen on the same port, as for `member`.
        """

    def path(self, kind: Literal["run", "python", "spark", "java"]) -> Path:
        """The folder of everything generated, the Python or Java program, or Spark's folder, as the service sees it."""

    def keeps(self, service: str, group: str) -> Path:
        """The folder of the data that a service keeps for itself, as the service sees it."""

    def others(self, service: str) -> Mapping[str, str]:
        """Where each service of this one's kind that ever ran here keeps its data, by its name, for people."""

    def jars(self, name: str) -> Path:
        """The folder of the jars of a lock file, as the service sees it; they may not be there yet."""

    def member(self, service: str, number: int) -> str:
        """The host of the `number`th (from 1) of several servers that all listen on the same ports."""


@dataclass(frozen=True)
class Probe:
    """How to see that a service is ready.

    Attributes:
        kind: "http" asks for a page and wants status 200; "web" is content with any answer, and goes through the proxy
            that the environment names, if it does; "tcp" connects; "cql" asks Cassandra's nodes for the others
            that each knows: a node listens to clients a moment before it has heard of its neighbours.
        target: a URL, or host:port (several with commas between: one that answers to "tcp" is enough, all must to "cql").
        expect: what the JSON of the page must hold: each key with this value; a list must hold an element for each
            one listed here, in any order.
        once: what it must hold besides when the service is started; later it may change without harm.
        peers: how many others each node must know at least.
        deadline_s: seconds after which waiting ends in an error.
    """

    kind: Literal["http", "web", "tcp", "cql"]
    target: str
    expect: Mapping[str, Any] = field(default_factory=dict)
    once: Mapping[str, Any] = field(default_factory=dict)
    peers: int = 0
    deadline_s: float = 120.0


@dataclass(frozen=True)
class Port:
    """A port that a service listens on.

    Attributes:
        address: as its siblings reach it.
        setting: what changes it, None if it is chosen anew each time.
        published: where clients on this host reach it; None if only siblings do.
    """

    name: str
    address: Address
    setting: str | None
    published: Address | None = None


@dataclass(frozen=True)
class Service:
    """A server that the cluster is made of.

    Attributes:
        name: unique; numbered ones end in -1, -2, ...
        group: the product it belongs to; what is started and stopped together.
        url: what a client opens.
        page: its web page, where that is another address.
        argv: the command, empty for an external service.
        env: its environment on top of the host's.
        secrets: more of its environment, which a backend writes nowhere and shows to nobody.
        needs: what must be on the machine or in the image: "java".
        jars: the lock file in `cluster/jars` whose jars it runs on; empty for none.
        folders: are made before it starts.
        keeps: the folder of the data that it keeps for itself, None if it keeps none.
        files: text by path, written before it starts.
        ports: must be free before it starts.
        memory_mb: what it may take at most, about; for warnings and containers' limits.
        guests_mb: what else its container must hold: Python workers, the driver.
        image: of a container, where it is not ours.
        cores: of the cluster's, which it offers; its container may take no more CPU time than that.
        cpus: CPU time a second that it and all its children may take together, as 0.5; None for no limit.
        pin: numbers of the host's cores that it may run on; empty for all.
        requires: names of services that must be ready first; when one of them is started anew, so is this one.
        ready: how to see that it is ready; None if that cannot be seen from outside.
        grace_s: seconds between being asked and being forced to stop.
        external: it is used only, its address stands in the settings.
        hint: the next step when it does not come up.
        refusal: why it must not be started as it is described, and what to do; empty if it may be.
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
    external: bool = False
    hint: str = "read the log named above"
    refusal: str = ""

    @property
    def kind(self) -> str:
        """The name without its number."""
        return re.sub(r"-\d+$", "", self.name)

    @property
    def digest(self) -> str:
        """Changes when a running one would have to be started anew to become this one, for all but its secrets.

        It stands in files and labels. `cluster.security.digest` adds the secrets, with a key.
        """
        value: list[Any] = [self.argv, sorted(self.env.items()), self.requires, sorted(self.files.items())]
        value += [self.cpus, self.pin, self.image]
        return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


Describe = Callable[[Settings, Place], tuple[Service, ...]]
"""What each file in `cluster/services` binds to `describe`: the services of one kind, none, one or numbered ones."""


@dataclass(frozen=True)
class Running:
    """What a backend knows of a service that it started and that was not stopped since.

    Attributes:
        pid: its first process; of a container, that on the host.
        digest: the described service's with its secrets (`cluster.security.digest`), when it was started.
        ports: number by name, as `Place.address` chose them.
        log: file that its output goes to.
        alive: False if it ended by itself.
        exit: how it ended, for people; empty while it lives.
        secrets: names of those that it was started with.
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
    """A command that gives a person a prompt, with the environment that it gets."""

    argv: tuple[str, ...]
    env: Mapping[str, str]


class Backend(Protocol):
    """A way to run services."""

    @property
    def place(self) -> Place:
        """Where things are."""

    @property
    def driver_host(self) -> DriverHost:
        """Where drivers of applications run."""

    def prepare(self, services: Sequence[Service], say: Callable[[str], None]) -> None:
        """See to what these services need before any is started; may take minutes the first time.

        Raises:
            ServiceError: it is not to be had; with the next step.
        """

    def start(self, service: Service) -> Running:
        """Start it, without waiting until it is ready.

        Raises:
            ServiceError: it cannot start: a port is taken, a program is missing.
        """

    def stop(self, name: str) -> bool:
        """Stop it and everything it started, by force after its grace; return whether there was anything to stop.

        Raises:
            ServiceError: something of it still runs.
        """

    def running(self) -> Mapping[str, Running]:
        """Everything started here and not stopped since, by name, dead ones too."""

    def orphans(self) -> set[str]:
        """Names of services that run without a record: the command that started them was killed at once."""

    def log(self, name: str) -> Path:
        """The file with its output; it may not exist yet."""

    def follow(self, name: str, lines: int) -> Iterator[str]:
        """Yield the last lines of its output and then what it adds, for ever."""

    def shell(self, name: str) -> Shell:
        """How a person gets a prompt beside a service.

        Raises:
            ServiceError: it does not run.
        """

    def clean(self, *, everything: bool) -> list[str]:
        """Remove what stopped services kept outside the run folder; downloads too if `everything` is to go."""
