"""Stores of an experiment's tables, and the settings that its applications need to reach them."""

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from cluster.services.cassandra import CassandraSettings
from cluster.settings import Settings
from core.errors import JobError
from experiments.spec.trial import Data
from jobs.prepare import stored
from jobs.stores.cassandra import replication
from jobs.stores.cassandra.access import Connection, Keyspace, copies, disconnect
from jobs.stores.cassandra.store import keyspace_name
from jobs.stores.parquet.versions import FolderVersions

PARQUET, CASSANDRA = "parquet", "cassandra"


def connector(settings: Settings, nodes: list[str], jars: str) -> dict[str, str]:
    """Return the Spark settings of an application whose tables lie in Cassandra.

    Args:
        settings: where things are.
        nodes: host:port of each, for clients.
        jars: of the connector, as the setting spark.jars wants them.
    """
    hosts = [node.rpartition(":")[0] for node in nodes]
    return {
        "spark.jars": jars,
        "spark.cassandra.connection.host": ",".join(hosts),
        "spark.cassandra.connection.port": nodes[0].rpartition(":")[2],
        "spark.cassandra.connection.localDC": settings.of(CassandraSettings).datacenter,
        # The connector refuses to read while it has no node to listen to, so it looks for another one without delay,
        # and for one that is back within seconds (its own: 1 s, growing to a minute).
        "spark.cassandra.connection.reconnectionDelayMS.min": "100",
        "spark.cassandra.connection.reconnectionDelayMS.max": "10000",
        "spark.recscale.cassandra.rf": str(settings.of(CassandraSettings).rf),
    }


def copies_asked(settings: Settings, nodes: list[str]) -> int:
    """Return how many copies of each row running nodes were set up for, or the settings ask for if that is more.

    Raises:
        JobError: no node answers.
    """
    where = Connection.of(connector(settings, nodes, ""))
    try:
        return copies(where)
    finally:
        disconnect(where)


def root_of(data: Data, settings: Settings) -> str:
    """Return what the store of a data set is opened with: a folder, or what a keyspace is named after."""
    return data.tables if data.store == CASSANDRA else str((settings.run_dir / "store" / data.slug).resolve())


def holds(data: Data, digest: str, settings: Settings, spark: dict[str, str]) -> bool:
    """Whether the tables of a data set that was prepared once are still there, in the versions that belong together.

    Several Cassandras can be had from one run folder, of processes, in containers, elsewhere, and what one of them holds
    may be of another day; the digest of the rows tells.

    Raises:
        JobError: Cassandra does not answer.
    """
    if data.store == CASSANDRA:
        where = Connection.of(spark)
        try:
            return _in_keyspace(Keyspace(where, keyspace_name(data.tables)), digest)
        finally:
            disconnect(where)
    folders = FolderVersions(Path(root_of(data, settings)))
    rows = folders.rows(stored.SUMMARY) if folders.versions(stored.SUMMARY) else []
    return _whole(rows, digest, folders.versions)


def layout_of(data: Data, settings: Settings, spark: dict[str, str]) -> str:
    """Return how the tables of a data set lie in their store, on which times depend though the rows are the same.

    In how many files preprocessing wrote the ratings depends on the shape that it ran on; a keyspace keeps as many copies of
    each row as when it was made, whatever the nodes are set up for since.

    Raises:
        JobError: Cassandra does not answer, or there are no tables.
    """
    if data.store != CASSANDRA:
        folders = FolderVersions(Path(root_of(data, settings)))
        versions = stored.versions_of(stored.facts_of(folders.rows(stored.SUMMARY)))
        ratings = folders.folder("ratings", versions["ratings"])
        return f"{len(list(ratings.glob('part-*')))} files"
    where = Connection.of(spark)
    try:
        session = Keyspace(where, keyspace_name(data.tables)).session()
        return f"{replication.kept(session, keyspace_name(data.tables), where.datacenter, 1)} copies"
    finally:
        disconnect(where)


def _in_keyspace(keyspace: Keyspace, digest: str) -> bool:
    summary = keyspace.entry(stored.SUMMARY)
    return _whole(
        keyspace.rows(summary) if summary else [],
        digest,
        lambda table: [entry.version for entry in keyspace.entries(table)],
    )


def _whole(
    summary: Iterable[Mapping[str, Any]], digest: str, there: Callable[[str], Collection[int]]
) -> bool:
    """Whether a summary is of these rows, and every version that it names is among those that are there."""
    facts = stored.facts_of(summary)
    try:
        versions = stored.versions_of(facts)
    except JobError:
        return False
    return facts["data_digest"] == digest and all(
        version in there(name) for name, version in versions.items()
    )
