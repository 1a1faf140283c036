"""Cassandra's nodes: ours, or those that the settings name.

A node is Cassandra's own daemon on jars from Maven. What it may open of Java 17's inner packages is the list that
Cassandra's documentation gives for that version.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
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

_EXPORTS = (
    "java.base/jdk.internal.misc",
    "java.base/java.lang.ref",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.sql/java.sql",
    "jdk.unsupported/sun.misc",
)
_OPENS = (
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.module",
    "java.base/java.lang.reflect",
    "java.base/java.math",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.util.jar",
    "java.base/sun.nio.ch",
    "jdk.management/com.sun.management.internal",
)
_LOGBACK = """<configuration>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%-5level %date{ISO8601} %logger{0} - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="OUT"/></root>
</configuration>
"""
_OFF_HEAP_MB = 512
_OFFICIAL_DATA, _OFFICIAL_CQL = Path("/var/lib/cassandra"), 9042
# A node waits for gossip to settle; our nodes on one machine have no others to wait for.
_ALONE = ("-Dcassandra.skip_wait_for_gossip_to_settle=0", "-Dcassandra.ring_delay_ms=5000")


@dataclass(frozen=True)
class CassandraSettings:
    """Settings of Cassandra's nodes. User and password come only from the environment.

    Attributes:
        contact_points: nodes of an existing cluster (used, never started or stopped); empty to start ours.
        nodes: number of our nodes; with 0 tables lie in Parquet files.
        seeds: nodes on other machines whose cluster ours join (host or host:storage_port); empty for our own cluster.
        rf: copies of every row, at most the number of nodes.
        port: for clients of the nodes.
        storage_port: for traffic between nodes.
        heap: of each node, as Java writes it ("1g", "512m").
        datacenter: the datacenter that clients use; our nodes have only this one.
        image: an official image of Cassandra to run in containers instead of ours, as "cassandra:5.0"; untested.
    """

    contact_points: tuple[str, ...] = field(default=(), metadata=ADDRESSES)
    nodes: int = 0
    seeds: tuple[str, ...] = field(default=(), metadata=ADDRESSES)
    rf: int = 1
    port: int = 9042
    storage_port: int = 7000
    heap: str = "1g"
    datacenter: str = "datacenter1"
    image: str | None = None

    @property
    def started(self) -> "CassandraSettings":
        """Return these settings with `nodes` raised from 0 to `rf`, for jobs that need a node."""
        nodes = 0 if self.contact_points else self.nodes or self.rf
        return dataclasses.replace(self, nodes=nodes)


def check(settings: Settings) -> None:
    """Refuse settings of nodes that could not start, or could not reach one another.

    Raises:
        UsageError: the message names the setting.
    """
    cassandra = settings.of(CassandraSettings)
    check_memory(cassandra.heap, "cassandra.heap")
    if cassandra.image and settings.backend != "docker":
        raise UsageError(
            f"cassandra.image: {cassandra.image} runs only in containers; use backend=docker, or leave it out"
        )
    if cassandra.nodes < 0:
        raise UsageError(f"cassandra.nodes must be 0 or more, got {cassandra.nodes}")
    if cassandra.rf < 1 or (cassandra.nodes and not cassandra.seeds and cassandra.rf > cassandra.nodes):
        raise UsageError(
            f"cassandra.rf must be from 1 to cassandra.nodes ({cassandra.nodes}), got {cassandra.rf}"
        )
    if settings.advertised is not None and cassandra.nodes > 1:
        raise UsageError(
            f"advertised: one address cannot stand for {cassandra.nodes} nodes of Cassandra; use "
            "cassandra.nodes=1, and add nodes on other machines with cassandra.seeds"
        )
    if cassandra.seeds:
        _check_seeds(settings, cassandra)


def _check_seeds(settings: Settings, cassandra: CassandraSettings) -> None:
    if settings.backend == "docker":
        raise UsageError(
            "cassandra.seeds: a node in a container is reached only from this host and cannot join others; "
            "use backend=local, or leave cassandra.seeds out"
        )
    if cassandra.contact_points:
        raise UsageError(
            "cassandra.seeds and cassandra.contact_points cannot both be set: the first starts nodes that join a "
            "cluster, the second uses a cluster and starts none; leave one out"
        )
    if cassandra.nodes < 1:
        raise UsageError(
            "cassandra.nodes must be 1 or more to join cassandra.seeds, got 0; add cassandra.nodes=1"
        )
    for seed in cassandra.seeds:
        hosts.refuse_loopback(settings, "cassandra.seeds", seed.partition(":")[0], cassandra.storage_port)


def describe(settings: Settings, place: Place) -> tuple[Service, ...]:
    """Describe the nodes; each joins when the one before it serves clients."""
    cassandra = settings.of(CassandraSettings)
    if cassandra.contact_points:
        return (_external(settings),)
    nodes = tuple(_node(number, settings, place) for number in range(1, cassandra.nodes + 1))
    return nodes if cassandra.image is None else tuple(_official(node, settings) for node in nodes)


def _official(node: Service, settings: Settings) -> Service:
    """Return the node as run from Cassandra's own image, which is configured by environment variables."""
    cassandra = settings.of(CassandraSettings)
    heap = mebibytes(cassandra.heap)
    environment = {
        "CASSANDRA_CLUSTER_NAME": "recscale",
        "CASSANDRA_SEEDS": "cassandra-1",
        "CASSANDRA_DC": cassandra.datacenter,
        "CASSANDRA_NUM_TOKENS": "16",
        "MAX_HEAP_SIZE": f"{heap}M",
        "HEAP_NEWSIZE": f"{max(1, heap // 4)}M",
    }
    return dataclasses.replace(
        node,
        image=str(cassandra.image),
        argv=(),
        env=environment,
        jars="",
        folders=(),
        files={},
        keeps=_OFFICIAL_DATA,
        ports=tuple(
            dataclasses.replace(port, address=Address(port.address.host, _OFFICIAL_CQL))
            if port.name == "cql"
            else port
            for port in node.ports
        ),
    )


def _node(number: int, settings: Settings, place: Place) -> Service:
    cassandra = settings.of(CassandraSettings)
    name = f"cassandra-{number}"
    host = place.member(name, number)
    cql = Address(host, cassandra.port)
    storage = Address(host, cassandra.storage_port)
    outside = place.published(name, "cql", cassandra.port, number)
    folder = place.keeps(name, "cassandra")
    written = place.path("run") / "conf" / name
    heap = mebibytes(cassandra.heap)
    seeds = cassandra.seeds or (place.member("cassandra-1", 1),)
    known = [place.published(f"cassandra-{one}", "cql", cassandra.port, one) for one in range(1, number + 1)]
    return Service(
        name=name,
        group="cassandra",
        url=str(outside),
        argv=(
            str(place.path("java")),
            *("-ea:org.apache.cassandra...", f"-Xms{heap}m", f"-Xmx{heap}m", "-XX:+UseG1GC", "-Xss256k"),
            *(
                "-XX:+ExitOnOutOfMemoryError",
                "-Djdk.attach.allowAttachSelf=true",
                "-Djava.net.preferIPv4Stack=true",
            ),
            *(f"--add-exports={package}=ALL-UNNAMED" for package in _EXPORTS),
            *(f"--add-opens={package}=ALL-UNNAMED" for package in _OPENS),
            *(() if cassandra.seeds else _ALONE),
            f"-XX:ErrorFile={folder / 'crash.log'}",  # the commit log is mapped: a full disk may crash the JVM
            f"-Dcassandra.config=file://{written / 'cassandra.yaml'}",
            f"-Dcassandra.storagedir={folder}",
            f"-Dlogback.configurationFile={written / 'logback.xml'}",
            *("-Dcassandra-foreground=yes", "-cp", str(place.jars("cassandra") / "*")),
            "org.apache.cassandra.service.CassandraDaemon",
        ),
        needs=("java",),
        jars="cassandra",
        folders=(folder,),
        keeps=folder,
        files={
            str(written / "cassandra.yaml"): json.dumps(
                _configuration(settings, host, seeds, str(folder)), indent=1
            ),
            str(written / "logback.xml"): _LOGBACK,
        },
        ports=(
            Port("cql", cql, "cassandra.port", outside),
            Port("storage", storage, "cassandra.storage_port"),
        ),
        memory_mb=heap + _OFF_HEAP_MB,
        requires=(f"cassandra-{number - 1}",) if number > 1 else (),
        ready=Probe(
            "call",
            ",".join(map(str, known)),
            # One seed is enough, as it knows the other nodes; several allow one to be down.
            {"peers": number if cassandra.seeds else number - 1},
            call=serves,
            deadline_s=600 if cassandra.seeds else 180,  # its share of the rows is copied first
        ),
        grace_s=30,
        by_address="cql",
        hint="give it more memory (--set cassandra.heap=2g) or read the log named above; data that a newer version "
        f"wrote, or that is damaged, lies in {place.others(name).get(name, folder)} and may be moved away",
        refusal=_without_others(cassandra.nodes, place.others(name)),
    )


def serves(target: str, expect: Mapping[str, Any]) -> bool:
    """Whether a node serves clients and knows at least `peers` other nodes: it accepts clients a moment before it does."""
    if not stays(target):
        return False
    if not expect["peers"]:  # no peers to ask for; and a node with TLS or a password does not name its peers
        return True
    # Imported only when needed: the import takes longer than most probes.
    from cassandra import DriverException  # noqa: PLC0415
    from cassandra.cluster import (  # noqa: PLC0415
        EXEC_PROFILE_DEFAULT,
        Cluster,
        ExecutionProfile,
        NoHostAvailable,
    )
    from cassandra.policies import WhiteListRoundRobinPolicy  # noqa: PLC0415

    host, _, port = target.rpartition(":")
    only = ExecutionProfile(WhiteListRoundRobinPolicy([host]), request_timeout=TIMEOUT_S)
    driver = Cluster(
        [host], int(port), protocol_version=4, connect_timeout=TIMEOUT_S, control_connection_timeout=TIMEOUT_S,
        execution_profiles={EXEC_PROFILE_DEFAULT: only},
    )  # fmt: skip
    try:
        found = driver.connect().execute("SELECT peer FROM system.peers").all()
        return len(found) >= int(expect["peers"])
    except (NoHostAvailable, DriverException, OSError):
        return False
    finally:
        driver.shutdown()


def _without_others(nodes: int, kept: Mapping[str, str]) -> str:
    """Return a refusal if rows lie on nodes that the settings leave out, else an empty text."""
    numbers = numbered(kept)
    left_out = sorted(number for number in numbers if number > nodes)
    if not left_out:
        return ""
    names = ", ".join(numbers[number] for number in left_out)
    where = ", ".join(kept[numbers[number]] for number in left_out)
    return (
        f"cassandra.nodes is {nodes}, but rows lie on {names} too (in {where}) and would be missing. Start all of them "
        f"(make setup CASSANDRA={left_out[-1]}, environment RECSCALE_CASSANDRA_NODES={left_out[-1]}), or start without them: "
        f"make down, then remove the data of all nodes (make clean, or {where} and the folders beside it)"
    )


def _configuration(settings: Settings, host: str, seeds: Sequence[str], folder: str) -> dict[str, Any]:
    """Return the differences from Cassandra's default configuration; the node listens on one address only."""
    cassandra, told = settings.of(CassandraSettings), settings.advertised
    return {
        "cluster_name": "recscale",
        "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
        "num_tokens": 16,
        "allocate_tokens_for_local_replication_factor": cassandra.rf,
        # Keyspaces take their replication from the nodes, so `rf` is set once, when the nodes are configured.
        "default_keyspace_rf": cassandra.rf,
        "seed_provider": [
            {
                "class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                "parameters": [
                    {"seeds": ",".join(hosts.with_port(s, cassandra.storage_port) for s in seeds)}
                ],
            }
        ],
        "listen_address": host,
        "rpc_address": host,
        **({"broadcast_address": told, "broadcast_rpc_address": told} if told else {}),
        "native_transport_port": cassandra.port,
        "storage_port": cassandra.storage_port,
        "start_native_transport": True,
        "endpoint_snitch": "SimpleSnitch",
        "data_file_directories": [f"{folder}/data"],
        "commitlog_directory": f"{folder}/commitlog",
        "saved_caches_directory": f"{folder}/saved_caches",
        "hints_directory": f"{folder}/hints",
        "cdc_raw_directory": f"{folder}/cdc_raw",
        "commitlog_sync": "periodic",
        "commitlog_sync_period": "10000ms",
        "disk_failure_policy": "die",
        "commit_failure_policy": "die",
        # Replacing a table drops the old one; a snapshot of each would fill the disk.
        "auto_snapshot": False,
        # Spark's tasks write batches of one partition of up to 32 KiB.
        "batch_size_warn_threshold": "64KiB",
        "batch_size_fail_threshold": "640KiB",
    }


def _external(settings: Settings) -> Service:
    cassandra = settings.of(CassandraSettings)
    targets = ",".join(hosts.with_port(point, cassandra.port) for point in cassandra.contact_points)
    return Service(
        name="cassandra",
        group="cassandra",
        url=targets,
        ready=Probe("tcp", targets, deadline_s=10),
        external=True,
        hint="start it, or unset cassandra.contact_points (RECSCALE_CASSANDRA_CONTACT_POINTS) to use our own",
    )


SERVICE = ServiceKind(describe, CassandraSettings, check, wanted=lambda section: section.started)
