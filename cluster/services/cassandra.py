"""Cassandra's nodes, or those that the settings name.

A node is Cassandra's own daemon on jars from Maven. What it may open of Java 17's inner packages is the list that
Cassandra's documentation gives for that version.
"""

import json
from typing import Any

from cluster.service import Address, Place, Port, Probe, Service
from cluster.settings import Settings, megabytes

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


def describe(settings: Settings, place: Place) -> tuple[Service, ...]:
    """Describe `settings.cassandra.nodes` nodes; each joins when the one before it serves clients."""
    cassandra = settings.cassandra
    if cassandra.contact_points:
        return (_external(settings),)
    return tuple(_node(number, settings, place) for number in range(1, cassandra.nodes + 1))


def _node(number: int, settings: Settings, place: Place) -> Service:
    cassandra = settings.cassandra
    name = f"cassandra-{number}"
    host = place.member(name, number)
    cql = Address(host, cassandra.port)
    storage = Address(host, cassandra.storage_port)
    folder = place.path("run") / "cassandra" / name
    heap = megabytes(cassandra.heap)
    seeds = place.member("cassandra-1", 1)
    known = [Address(place.member(f"cassandra-{one}", one), cassandra.port) for one in range(1, number + 1)]
    return Service(
        name=name,
        group="cassandra",
        url=str(cql),
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
            # Nobody else can be gossiping on a machine of our own: waiting for silence only takes time.
            "-Dcassandra.skip_wait_for_gossip_to_settle=0",
            "-Dcassandra.ring_delay_ms=5000",
            f"-XX:ErrorFile={folder / 'crash.log'}",  # the commit log is mapped: a full disk may crash the JVM
            f"-Dcassandra.config=file://{folder / 'cassandra.yaml'}",
            f"-Dcassandra.storagedir={folder}",
            f"-Dlogback.configurationFile={folder / 'logback.xml'}",
            *("-Dcassandra-foreground=yes", "-cp", str(place.jars("cassandra") / "*")),
            "org.apache.cassandra.service.CassandraDaemon",
        ),
        needs=("java",),
        jars="cassandra",
        folders=(folder,),
        files={
            str(folder / "cassandra.yaml"): json.dumps(
                _configuration(settings, host, seeds, str(folder)), indent=1
            ),
            str(folder / "logback.xml"): _LOGBACK,
        },
        ports=(
            Port("cql", cql, "cassandra.port"),
            Port("storage", storage, "cassandra.storage_port"),
        ),
        memory_mb=heap + _OFF_HEAP_MB,
        requires=(f"cassandra-{number - 1}",) if number > 1 else (),
        ready=Probe("cql", ",".join(map(str, known)), peers=number - 1, deadline_s=180),
        grace_s=30,
        hint="give it more memory (--set cassandra.heap=2g) or read the log named above; data that a newer version "
        f"wrote, or that is damaged, lies in {folder} and may be moved away",
        refusal=_without_others(settings),
    )


def _without_others(settings: Settings) -> str:
    """Say that rows lie on nodes that the settings leave out; nothing if none do."""
    nodes, kept = settings.cassandra.nodes, settings.run_dir / "cassandra"
    numbers = (path.parent.name.removeprefix("cassandra-") for path in kept.glob("cassandra-*/data"))
    left_out = sorted(int(number) for number in numbers if number.isdecimal() and int(number) > nodes)
    if not left_out:
        return ""
    names = ", ".join(f"cassandra-{number}" for number in left_out)
    return (
        f"cassandra.nodes is {nodes}, and rows lie on {names} as well (in {kept}), which would be missing. Start all of them "
        f"(make setup CASSANDRA={left_out[-1]}, environment RECSCALE_CASSANDRA_NODES={left_out[-1]}), or begin anew: "
        f"make down, then move {kept} away"
    )


def _configuration(settings: Settings, host: str, seeds: str, folder: str) -> dict[str, Any]:
    """Return what differs from Cassandra's defaults, as JSON, which is YAML too; one address only is listened on."""
    cassandra = settings.cassandra
    return {
        "cluster_name": "recscale",
        "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
        "num_tokens": 16,
        "allocate_tokens_for_local_replication_factor": cassandra.rf,
        # Whoever makes a keyspace later asks the node: the number is given once, when the nodes are set up.
        "default_keyspace_rf": cassandra.rf,
        "seed_provider": [
            {
                "class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                "parameters": [{"seeds": f"{seeds}:{cassandra.storage_port}"}],
            }
        ],
        "listen_address": host,
        "rpc_address": host,
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
        # A table that is replaced is dropped; a snapshot of each would fill the disk unseen.
        "auto_snapshot": False,
        # Spark's tasks write batches of one partition of up to 32 KiB.
        "batch_size_warn_threshold": "64KiB",
        "batch_size_fail_threshold": "640KiB",
    }


def _external(settings: Settings) -> Service:
    cassandra = settings.cassandra
    targets = ",".join(
        point if ":" in point else f"{point}:{cassandra.port}" for point in cassandra.contact_points
    )
    return Service(
        name="cassandra",
        group="cassandra",
        url=targets,
        ready=Probe("tcp", targets, deadline_s=10),
        external=True,
        hint="start it, or unset cassandra.contact_points (RECSCALE_CASSANDRA_CONTACT_POINTS) to use our own",
    )
