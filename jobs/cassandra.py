"""Cassandra's driver for what Spark is too slow or too coarse for: schema, the catalogue, and point reads."""

import functools
import json
import os
import ssl
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cassandra import (
    ConsistencyLevel,
    DriverException,
    OperationTimedOut,
    RequestExecutionException,
    Timeout,
    Unavailable,
)
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.policies import DCAwareRoundRobinPolicy, TokenAwarePolicy
from cassandra.query import dict_factory

from jobs import replication
from jobs.errors import JobError

VERSION = "2"
"""Of the keyspace's layout; one of version 1 is brought up to date, any other is refused."""

USER, PASSWORD = "CASSANDRA_USER", "CASSANDRA_PASSWORD"
CERTIFICATES = "CASSANDRA_CA"
TRUST_STORE, TRUST_PASSWORD = "CASSANDRA_TRUSTSTORE", "CASSANDRA_TRUSTSTORE_PASSWORD"
"""Environment variables, because secrets stand in no file and no request. Over TLS the driver wants the authority's
certificate as PEM (CERTIFICATES) and the connector the same in a Java trust store."""

_META, VERSIONS, CLAIMS = "recscale_meta", "recscale_versions", "recscale_claims"
_BEFORE_VERSIONS = "recscale_catalogue"
"""Of layout 1: each table's name and its one physical table."""
_SCHEMA_TIMEOUT_S = 60.0
_MISSED_S, _PAUSE_S = 60.0, 1.0
_MISSED = (Timeout, Unavailable, OperationTimedOut)
"""What coordinators say while they still count on a node that is gone."""
_DOWN = (NoHostAvailable, OperationTimedOut, RequestExecutionException, DriverException, OSError)


@dataclass(frozen=True)
class Connection:
    """Address and access of Cassandra, from the connector's settings, for the driver too.

    `rf` is how many copies of each row there must be at least; nodes may ask for more (`copies`).
    """

    hosts: tuple[str, ...]
    port: int
    datacenter: str
    rf: int

    @classmethod
    def of(cls, spark: Any) -> "Connection":
        """Read a session's settings: its `conf`, or a mapping.

        Raises:
            JobError: they name no Cassandra.
        """
        hosts = tuple(filter(None, (spark.get("spark.cassandra.connection.host", "") or "").split(",")))
        if not hosts:
            raise JobError(
                "the session names no Cassandra (spark.cassandra.connection.host): start it (make setup CASSANDRA=1) or "
                "keep tables in Parquet files (STORE=parquet)"
            )
        return cls(
            hosts,
            int(spark.get("spark.cassandra.connection.port", "9042") or 9042),
            spark.get("spark.cassandra.connection.localDC", "") or "datacenter1",
            int(spark.get("spark.recscale.cassandra.rf", "1") or 1),
        )


class Entry(NamedTuple):
    """A version of a table: the physical table that holds it, and its columns as Spark has them, as JSON."""

    version: int
    physical: str
    columns: dict[str, Any]


def secrets() -> dict[str, str]:
    """Return the connector's settings that come from the environment alone."""
    names = {
        "spark.cassandra.auth.username": USER,
        "spark.cassandra.auth.password": PASSWORD,
        "spark.cassandra.connection.ssl.trustStore.path": TRUST_STORE,
        "spark.cassandra.connection.ssl.trustStore.password": TRUST_PASSWORD,
    }
    found = {key: os.environ[name] for key, name in names.items() if os.environ.get(name)}
    if os.environ.get(CERTIFICATES) or os.environ.get(TRUST_STORE):
        found["spark.cassandra.connection.ssl.enabled"] = "true"
    return found


@functools.cache
def connect(where: Connection) -> Session:
    """Open one session for this process.

    Raises:
        JobError: no node answers.
    """
    user, password, certificates = (os.environ.get(name) for name in (USER, PASSWORD, CERTIFICATES))
    profile = ExecutionProfile(
        load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(where.datacenter)),
        consistency_level=ConsistencyLevel.LOCAL_QUORUM,
        serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL,
        request_timeout=_SCHEMA_TIMEOUT_S,
        row_factory=dict_factory,
    )
    cluster = Cluster(
        where.hosts,
        port=where.port,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        auth_provider=PlainTextAuthProvider(user, password) if user else None,
        ssl_context=ssl.create_default_context(cafile=certificates) if certificates else None,
        connect_timeout=10,
        protocol_version=4,  # of every Cassandra since 2.2
    )
    try:
        return cluster.connect()
    except _DOWN as error:
        cluster.shutdown()
        raise JobError(_silent(where, error)) from error


def copies(where: Connection) -> int:
    """Return how many copies of each row a keyspace must have: what the connection or, if more, the nodes ask for.

    Raises:
        JobError: no node answers.
    """
    try:
        return replication.asked(connect(where), where.rf)
    except _DOWN as error:
        raise JobError(_silent(where, error)) from error


def disconnect(where: Connection) -> None:
    """Close the session of this process, which would complain of every node that is stopped later."""
    session = connect(where)
    connect.cache_clear()
    session.cluster.shutdown()


class Keyspace:
    """One keyspace of ours; it is made with the first table."""

    def __init__(self, where: Connection, name: str) -> None:
        self.name = name
        self._where = where
        self._known = False
        self._making = threading.RLock()
        self._copies = 1

    @property
    def spares_a_node(self) -> bool:
        """Whether a quorum of each row's copies is left without one node."""
        return self._known and self._copies > replication.quorum(self._copies)

    def answers(self) -> bool:
        """Whether a quorum of each row's copies answers now."""
        try:
            self.run(f"SELECT name FROM {self.name}.{VERSIONS}", once=True)
        except JobError:
            return False
        return True

    def session(self) -> Session:
        """Return this process's session.

        Raises:
            JobError: no node answers.
        """
        return connect(self._where)

    def entry(self, table: str, version: int | None = None) -> Entry | None:
        """Return a version of a table, the newest if none is named; None if it is not there or to be removed."""
        return next((item for item in self.entries(table) if version in (None, item.version)), None)

    def entries(self, table: str) -> list[Entry]:
        """Return the versions of a table that may be opened, newest first."""
        if not self._there():
            return []
        rows = self.run(
            f"SELECT version, physical, columns, retired FROM {self.name}.{VERSIONS} WHERE name = %s", [table]
        )
        return [
            Entry(row["version"], row["physical"], json.loads(row["columns"]))
            for row in rows
            if not row["retired"]
        ]

    def rows(self, entry: Entry) -> list[dict[str, Any]]:
        """Return all rows of a small table that has no lists."""
        return self.run(f"SELECT * FROM {self.name}.{entry.physical}")

    def create(
        self, physical: str, columns: Mapping[str, str], partition: Sequence[str], clustering: Sequence[str]
    ) -> None:
        """Create an empty table."""
        listed = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        key = f"({_names(partition)}){''.join(f', {_names([name])}' for name in clustering)}"
        self.run(
            f"CREATE TABLE IF NOT EXISTS {self.name}.{physical} ({listed}, PRIMARY KEY ({key})) "
            "WITH compression = {'class': 'LZ4Compressor'} AND gc_grace_seconds = 3600"
        )

    def drop(self, physical: str) -> None:
        """Drop a physical table."""
        self.run(f"DROP TABLE IF EXISTS {self.name}.{physical}")

    def get(self, physical: str, columns: Iterable[str], key: Sequence[Any]) -> list[dict[str, Any]]:
        """Read the rows with these values of key columns, by a prepared statement."""
        where = " AND ".join(f'"{name}" = ?' for name in columns)
        statement = _prepared(self.session(), f"SELECT * FROM {self.name}.{physical} WHERE {where}")
        return list(self.session().execute(statement, list(key)))

    def _there(self) -> bool:
        """Whether the keyspace is there.

        Raises:
            JobError: it is, and is not ours, of another version, or made with fewer copies of each row than asked for.
        """
        with self._making:
            return self._known or self._looked()

    def _looked(self) -> bool:
        tables = {
            row["table_name"]
            for row in self.run(
                "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s", [self.name]
            )
        }
        if not tables and not self.run(
            "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = %s", [self.name]
        ):
            return False
        if tables and _META not in tables:
            raise JobError(
                f"Cassandra's keyspace {self.name} belongs to something else: it has tables, but none of recscale's. "
                "Nothing in it was touched; rename it, or use another Cassandra"
            )
        layout = self._layout() if tables else None
        if layout is None:  # its making was interrupted
            return False
        if layout == "1":
            self._bring_up_to_date()
        elif layout != VERSION:
            raise JobError(
                f"Cassandra's keyspace {self.name} has the layout of version {layout}, and this is version "
                f"{VERSION}. Its tables can be made again: DROP KEYSPACE {self.name}, then make preprocess DATASET=..."
            )
        self._copies = self._kept(copies(self._where))
        self._known = True
        return True

    def _kept(self, wanted: int) -> int:
        try:
            return replication.kept(self.session(), self.name, self._where.datacenter, wanted)
        except _DOWN as error:
            raise JobError(_silent(self._where, error)) from error

    def _layout(self) -> str | None:
        found = self.run(f"SELECT value FROM {self.name}.{_META} WHERE key = 'version'")
        return str(found[0]["value"]) if found else None

    def make(self) -> None:
        """Make the keyspace; threads that write their first tables at the same time wait for the one that does."""
        with self._making:
            if not self._there():
                self._made()
                self._known = True

    def _made(self) -> None:
        wanted = copies(self._where)
        self.run(
            f"CREATE KEYSPACE IF NOT EXISTS {self.name} WITH replication = "
            f"{{'class': 'NetworkTopologyStrategy', '{self._where.datacenter}': {wanted}}}"
        )
        self._copies = self._kept(wanted)  # an interrupted one may have made it otherwise
        self.run(f"CREATE TABLE IF NOT EXISTS {self.name}.{_META} (key text PRIMARY KEY, value text)")
        self._make_own()
        self._say_layout()

    def _make_own(self) -> None:
        self.run(
            f"CREATE TABLE IF NOT EXISTS {self.name}.{VERSIONS} (name text, version int, physical text, columns text, "
            "retired boolean, PRIMARY KEY (name, version)) WITH CLUSTERING ORDER BY (version DESC)"
        )
        self.run(
            f"CREATE TABLE IF NOT EXISTS {self.name}.{CLAIMS} (name text, physical text, holder uuid, who text, "
            "since timestamp, PRIMARY KEY (name, physical, holder)) WITH gc_grace_seconds = 3600"
        )

    def _say_layout(self) -> None:
        self.run(f"INSERT INTO {self.name}.{_META} (key, value) VALUES ('version', %s)", [VERSION])

    def _bring_up_to_date(self) -> None:
        """Make version 1 of each table of the layout that kept only one of each; interrupted, it is done again."""
        old = self.run(f"SELECT name, physical, columns FROM {self.name}.{_BEFORE_VERSIONS}")
        insert = f"INSERT INTO {self.name}.{VERSIONS} (name, version, physical, columns) VALUES (%s, 1, %s, %s) IF NOT EXISTS"
        self._make_own()
        for row in old:
            self.run(insert, [row["name"], row["physical"], row["columns"]])
        self._say_layout()
        self.run(f"DROP TABLE IF EXISTS {self.name}.{_BEFORE_VERSIONS}")

    def run(
        self,
        statement: str,
        values: Sequence[Any] = (),
        timeout_s: float = _SCHEMA_TIMEOUT_S,
        *,
        once: bool = False,
    ) -> list[dict[str, Any]]:
        """Run a statement and return its rows.

        Nodes take some seconds to miss one of them, and until then what it has part in may not be answered. Where a quorum
        is left without it the statement is repeated, and may have been done before: of an insertion that depends on there
        being no row the caller must see whether the row is its own.

        Args:
            statement: as of Cassandra's driver.
            values: of its parameters.
            timeout_s: how long to wait for each answer.
            once: do not repeat it.

        Raises:
            JobError: no node answers.
        """
        end = time.monotonic() + _MISSED_S
        while True:
            try:
                return list(self.session().execute(statement, list(values) or None, timeout=timeout_s))
            except _DOWN as error:
                missed = isinstance(error, _MISSED) and self.spares_a_node
                if once or not missed or time.monotonic() > end:
                    raise JobError(_silent(self._where, error)) from error
            time.sleep(_PAUSE_S)


@functools.cache
def _prepared(session: Session, statement: str) -> Any:
    return session.prepare(statement)


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _silent(where: Connection, error: BaseException) -> str:
    nodes, text = ", ".join(f"{host}:{where.port}" for host in where.hosts), str(error)
    if "AuthenticationFailed" in text or "requires authentication" in text:
        return (
            f"Cassandra at {nodes} refuses the user or the password: {USER} and {PASSWORD} in the environment must hold "
            "those of a user who may make keyspaces"
        )
    return (
        f"Cassandra at {nodes} does not answer as it should ({type(error).__name__}: {text[:200]}). Look why "
        "(make status, make logs S=cassandra-1), start it (make setup CASSANDRA=1), or keep tables in Parquet files "
        f"(STORE=parquet). A cluster of others that speaks TLS wants {CERTIFICATES} and {TRUST_STORE} in the environment."
    )
