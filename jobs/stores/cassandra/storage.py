"""Tables in Cassandra without Spark: settings for Spark, what is there, and single rows, through Cassandra's own driver."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.errors import JobError
from jobs.prepare.summary import SUMMARY, whole
from jobs.storage import Read, Reader
from jobs.stores.cassandra import replication
from jobs.stores.cassandra.access import (
    CERTIFICATES,
    PASSWORD,
    TRUST_PASSWORD,
    TRUST_STORE,
    USER,
    Connection,
    Keyspace,
    copies,
    disconnect,
    keyspace_name,
)


class CassandraStorage:
    """Tables in a keyspace of nodes that run."""

    service = "cassandra"
    jars = "connector"
    file_variables = (CERTIFICATES, TRUST_STORE)
    variables = (USER, PASSWORD, TRUST_PASSWORD, *file_variables)

    def spark_settings(
        self, addresses: Sequence[str], options: Mapping[str, Any], jars: str
    ) -> dict[str, str]:
        return {
            "spark.jars": jars,
            "spark.cassandra.connection.host": ",".join(node.rpartition(":")[0] for node in addresses),
            "spark.cassandra.connection.port": addresses[0].rpartition(":")[2],
            "spark.cassandra.connection.localDC": str(options["datacenter"]),
            # The connector refuses to read while it has no node to listen to, so it looks for another one without delay,
            # and for one that is back within seconds (its own: 1 s, growing to a minute).
            "spark.cassandra.connection.reconnectionDelayMS.min": "100",
            "spark.cassandra.connection.reconnectionDelayMS.max": "10000",
            "spark.recscale.cassandra.rf": str(options["rf"]),
        }

    def running(self, addresses: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the number of nodes, and the copies of each row that they were set up for or, if more, are asked for."""
        nodes = options["nodes"] if options["contact_points"] else len(addresses)
        where = Connection.of(self.spark_settings(addresses, options, ""))
        try:
            return {"nodes": nodes, "rf": copies(where)}
        finally:
            disconnect(where)

    def root(self, tables: str, folder: Path) -> str:  # noqa: ARG002 - nothing lies in the run folder
        return tables

    def holds(self, root: str, spark: Mapping[str, str], digest: str) -> bool:
        """Look into the nodes: one run folder can use several clusters, and one may hold rows of another day."""
        with _keyspace(root, spark) as keyspace:
            summary = keyspace.entry(SUMMARY)
            rows = keyspace.rows(summary) if summary else []
            return whole(rows, digest, lambda table: [entry.version for entry in keyspace.entries(table)])

    def layout(self, root: str, spark: Mapping[str, str]) -> str:
        """Return the copies of each row, which are as many as when the keyspace was made."""
        with _keyspace(root, spark) as keyspace:
            kept = replication.kept(keyspace.session(), keyspace.name, Connection.of(spark).datacenter, 1)
            return f"{kept} copies"

    def table(self, root: str, spark: Mapping[str, str], table: str, read: Reader[Read]) -> Read | None:
        with _keyspace(root, spark) as keyspace:
            try:
                entry = keyspace.entry(table)
                if entry is None:
                    return None
                query = f"SELECT * FROM {keyspace.name}.{entry.physical}"
                return read(keyspace.session().execute(query, timeout=120), entry.physical)
            except JobError:
                raise
            except Exception as error:
                raise JobError(f"table {table!r} of {keyspace.name} could not be read: {error}") from error

    def private(self, root: str, folder: Path, made: Sequence[str]) -> str:  # noqa: ARG002 - see below
        """Return the same root: a keyspace cannot show the tables of another one."""
        return root

    def drop(self, root: str, spark: Mapping[str, str]) -> None:
        with _keyspace(root, spark) as keyspace:
            keyspace.session().execute(f"DROP KEYSPACE IF EXISTS {keyspace.name}", timeout=60)


@contextmanager
def _keyspace(root: str, spark: Mapping[str, str]) -> Iterator[Keyspace]:
    where = Connection.of(spark)
    try:
        yield Keyspace(where, keyspace_name(root))
    finally:
        disconnect(where)


STORAGE = CassandraStorage()
