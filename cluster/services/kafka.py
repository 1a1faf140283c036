"""Kafka's brokers: ours, or those that the settings name.

A broker is Kafka's own server on jars from Maven. Ours are controllers too (KRaft): one stands alone, three go on without any
one of them. A broker refuses a folder that was not formatted, which is: one that holds a file with the cluster's name.
"""

import base64
import dataclasses
import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster import hosts
from cluster.dependencies import numbered
from cluster.probe import TIMEOUT_S, stays
from cluster.service import Address, Place, Port, Probe, Service, ServiceKind
from cluster.settings import ADDRESSES, Settings, check_memory
from core.errors import UsageError
from core.units import mebibytes

_LOG4J = """<Configuration status="warn">
  <Appenders><Console name="OUT"><PatternLayout pattern="%-5p %d{ISO8601} %c{1} - %m%n"/></Console></Appenders>
  <Loggers><Root level="INFO"><AppenderRef ref="OUT"/></Root></Loggers>
</Configuration>
"""
_META = "meta.properties"
_OFF_HEAP_MB = 256
_COPIES = 3


@dataclass(frozen=True)
class KafkaSettings:
    """Settings of Kafka's brokers. What external ones ask of their clients comes only from the environment.

    Attributes:
        bootstrap_servers: brokers of an existing cluster (used, never started or stopped); empty to start ours.
        brokers: number of our brokers: 0, 1, or an odd number, which goes on while more than half of them run.
        port: for clients of the brokers.
        controller_port: for the brokers' agreement on who leads what.
        heap: of each broker, as Java writes it ("1g", "512m").
        max_message: largest message that brokers take ("1m").
    """

    bootstrap_servers: tuple[str, ...] = field(default=(), metadata=ADDRESSES)
    brokers: int = 0
    port: int = 9092
    controller_port: int = 9093
    heap: str = "512m"
    max_message: str = "1m"

    @property
    def copies(self) -> int:
        """Copies of every message."""
        return min(self.brokers, _COPIES)

    @property
    def started(self) -> "KafkaSettings":
        """Return these settings with a broker, for whoever needs one."""
        return dataclasses.replace(self, brokers=0 if self.bootstrap_servers else self.brokers or 1)


def check(settings: Settings) -> None:
    """Refuse settings of brokers that could not start, or could not agree on anything.

    Raises:
        UsageError: the message names the setting.
    """
    kafka = settings.of(KafkaSettings)
    check_memory(kafka.heap, "kafka.heap")
    check_memory(kafka.max_message, "kafka.max_message")
    if kafka.brokers < 0 or (kafka.brokers and kafka.brokers % 2 == 0):
        raise UsageError(
            f"kafka.brokers must be 0, 1 or another odd number, got {kafka.brokers}: an even number survives the loss of "
            "no more brokers than the odd number below it"
        )
    if settings.advertised is not None and kafka.brokers > 1:
        raise UsageError(
            f"advertised: one address cannot stand for {kafka.brokers} brokers of Kafka; use kafka.brokers=1, or brokers that "
            "are there already (kafka.bootstrap_servers)"
        )


def describe(settings: Settings, place: Place) -> tuple[Service, ...]:
    """Describe the brokers, which start together: they are ready when more than half of them agree."""
    kafka = settings.of(KafkaSettings)
    if kafka.bootstrap_servers:
        return (_external(kafka),)
    return tuple(_broker(number, settings, place) for number in range(1, kafka.brokers + 1))


def _broker(number: int, settings: Settings, place: Place) -> Service:
    kafka = settings.of(KafkaSettings)
    name = f"kafka-{number}"
    host = place.member(name, number)
    clients, controller = Address(host, kafka.port), Address(host, kafka.controller_port)
    outside = place.published(name, "clients", kafka.port, number)
    folder = place.keeps(name, "kafka")
    data, written = folder / "data", place.path("run") / "conf" / name
    heap = mebibytes(kafka.heap)
    # In a container other brokers and Spark know the name, this host only the address, which is not known before it runs.
    told = settings.advertised or (host if clients == outside else "$(hostname -i)")
    command = (
        str(place.path("java")),
        *(f"-Xms{heap}m", f"-Xmx{heap}m", "-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError"),
        f"-Dlog4j2.configurationFile=file:{written / 'log4j2.xml'}",
        *("-cp", str(place.jars("kafka") / "*"), "kafka.Kafka", str(written / "server.properties")),
    )
    kept, meta = shlex.quote(str(data)), shlex.quote(str(written / _META))
    listener = f"advertised.listeners=BROKER://{told}:{kafka.port}"
    return Service(
        name=name,
        group="kafka",
        url=str(outside),
        argv=(
            "bash",
            "-c",
            f'mkdir -p {kept} && cp {meta} {kept} && exec {shlex.join(command)} --override "{listener}"',
        ),
        needs=("java",),
        jars="kafka",
        folders=(folder,),
        keeps=folder,
        files={
            str(written / "server.properties"): _properties(_configuration(number, kafka, place, data)),
            str(written / "log4j2.xml"): _LOG4J,
            str(written / _META): _properties(
                {
                    "version": 1,
                    "cluster.id": _uuid(f"recscale {kafka.brokers}"),
                    "node.id": number,
                    "directory.id": _uuid(f"recscale {kafka.brokers} {number}"),
                }
            ),
        },
        ports=(
            Port("clients", clients, "kafka.port", outside),
            Port("controller", controller, "kafka.controller_port"),
        ),
        memory_mb=heap + _OFF_HEAP_MB,
        ready=Probe(
            "call",
            str(outside),
            {"brokers": kafka.brokers},
            call=serves,
            deadline_s=120,
        ),
        grace_s=30,
        by_address="clients",
        hint="give it more memory (--set kafka.heap=1g) or read the log named above; messages that a newer version wrote, or "
        f"that are damaged, lie in {place.others(name).get(name, folder)} and may be moved away",
        refusal=_otherwise(kafka.brokers, place.others(name)),
    )


def serves(target: str, expect: Mapping[str, Any]) -> bool:
    """Whether a broker serves clients and knows as many others as there are: it accepts clients a moment before it does."""
    if not stays(target):
        return False
    # Imported only when needed: the import takes longer than most probes.
    from kafka import KafkaAdminClient  # noqa: PLC0415
    from kafka.errors import KafkaError  # noqa: PLC0415

    try:
        wait_ms = int(1000 * TIMEOUT_S)
        admin = KafkaAdminClient(
            bootstrap_servers=target, request_timeout_ms=wait_ms, bootstrap_timeout_ms=wait_ms
        )
    except (KafkaError, OSError, ValueError):
        return False
    try:
        return len(admin.describe_cluster()["brokers"]) >= int(expect["brokers"])
    except (KafkaError, OSError):
        return False
    finally:
        admin.close()


def _otherwise(brokers: int, kept: Mapping[str, str]) -> str:
    """Return a refusal if messages lie on another number of brokers, which agreed on who leads what; else an empty text."""
    numbers = numbered(kept)
    if not numbers or set(numbers) == set(range(1, brokers + 1)):
        return ""
    names = ", ".join(numbers[number] for number in sorted(numbers))
    where = ", ".join(kept[numbers[number]] for number in sorted(numbers))
    return (
        f"kafka.brokers is {brokers}, but messages lie on {names} (in {where}), which agreed on who leads what and know no others. Start as many "
        f"(make setup KAFKA={len(numbers)}, environment RECSCALE_KAFKA_BROKERS={len(numbers)}), or begin without them: make down, "
        f"then remove the data of all brokers (make clean, or {where})"
    )


def _configuration(number: int, kafka: KafkaSettings, place: Place, data: Path) -> dict[str, Any]:
    """Return the differences from Kafka's default configuration; the broker listens on one address only."""
    name = f"kafka-{number}"
    host = place.member(name, number)
    voters = (
        f"{one}@{place.member(f'kafka-{one}', one)}:{kafka.controller_port}"
        for one in range(1, kafka.brokers + 1)
    )
    copies, enough = kafka.copies, 2 if kafka.copies >= _COPIES else 1
    return {
        "process.roles": "broker,controller",
        "node.id": number,
        "controller.quorum.voters": ",".join(voters),
        "listeners": f"BROKER://{host}:{kafka.port},CONTROLLER://{host}:{kafka.controller_port}",
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "BROKER",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": data,
        "default.replication.factor": copies,
        "min.insync.replicas": enough,
        "offsets.topic.replication.factor": copies,
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": enough,
        "transaction.state.log.num.partitions": 8,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": enough,
        # A misspelt topic would be made and filled in silence.
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": 0,
        "message.max.bytes": mebibytes(kafka.max_message) * 1024 * 1024,
        # Its default is a quarter of the heap, and only Kafka's own small topics are compacted here.
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
        # A broker that is killed is missed after this time: six seconds instead of nine.
        "broker.session.timeout.ms": 6000,
        "log.retention.check.interval.ms": 60_000,
    }


def _properties(values: Mapping[str, Any]) -> str:
    return "".join(f"{key}={value}\n" for key, value in values.items())


def _uuid(text: str) -> str:
    """Return an identifier as Kafka writes one, always the same for a text: 16 bytes in base64 without its end."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:16]).decode().rstrip("=")


def _external(kafka: KafkaSettings) -> Service:
    targets = ",".join(hosts.with_port(one, kafka.port) for one in kafka.bootstrap_servers)
    return Service(
        name="kafka",
        group="kafka",
        url=targets,
        ready=Probe("tcp", targets, deadline_s=10),
        external=True,
        hint="start it, or unset kafka.bootstrap_servers (RECSCALE_KAFKA_BOOTSTRAP_SERVERS) to use our own",
    )


SERVICE = ServiceKind(
    describe,
    KafkaSettings,
    check,
    wanted=lambda section: section.started,
    foreign=("KAFKA_OPTS", "KAFKA_HEAP", "KAFKA_LOG4J"),
)
