"""Access through Cassandra's own driver, without Spark: schema, versions of tables, and point reads."""

import functools
import hashlib
import json
import os
import re
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

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

from core.errors import JobError, UsageError
from jobs.stores.cassandra import replication

PREFIX = "recscale_"
"""Beginning of the names of our keyspaces."""

VERSION = "2"
"""Version of the keyspace's layout; version 1 is upgraded, any other is refused."""

USER, PASSWORD = "CASSANDRA_USER", "CASSANDRA_PASSWORD"
CERTIFICATES = "CASSANDRA_CA"
TRUST_STORE, TRUST_PASSWORD = "CASSANDRA_TRUSTSTORE", "CASSANDRA_TRUSTSTORE_PASSWORD"
"""Environment variables, because no file and no request may contain secrets. For TLS the driver needs the authority's
certificate as PEM (CERTIFICATES), and the connector the same in a Java trust store."""

_META, VERSIONS, CLAIMS = "recscale_meta", "recscale_versions", "recscale_claims"
_BEFORE_VERSIONS = "recscale_catalogue"
"""Table of layout 1: each table's name and its only physical table."""
_LONGEST_NAME = 48 - len(PREFIX)
_SCHEMA_TIMEOUT_S = 60.0
_Found = TypeVar("_Found")

_MISSED_S, _PAUSE_S = 60.0, 1.0
_MISSED = (Timeout, Unavailable, OperationTimedOut)
"""Errors of coordinators that have not yet noticed that a node is gone."""
_DOWN = (NoHostAvailable, OperationTimedOut, RequestExecutionException, DriverException, OSError)


@dataclass(frozen=True)
class Connection:
    """Address and access of Cassandra, from the connector's settings, for the driver too.

    `rf` is the least number of copies of each row; nodes may ask for more (`copies`).
    """

    hosts: tuple[str, ...]
    port: int
    datacenter: str
    rf: int

    @classmethod
    def of(cls, spark: Any) -> "Connection":
        """Read the settings of a session, from its `conf` or a mapping.

        Raises:
            JobError: no host of Cassandra is set.
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
    """A version of a table: its physical table, and Spark's schema of its columns as JSON."""

    version: int
    physical: str
    columns: dict[str, Any]


def keyspace_name(root: str) -> str:
    """Return a keyspace's name for a data set: lower case letters, digits and _, at most 48 of them."""
    name = re.sub(r"[^a-z0-9]+", "_", root.rstrip("/").rpartition("/")[2].lower()).strip("_") or "tables"
    if len(name) > _LONGEST_NAME:
        name = f"{name[: _LONGEST_NAME - 9]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return PREFIX + name


def check_keyspace(name: str) -> None:
    """Refuse a name for a keyspace of streams that could be another program's, or that Cassandra would not take.

    Raises:
        UsageError: says what is allowed.
    """
    if not re.fullmatch(rf"{PREFIX}[a-z0-9_]{{1,38}}", name):
        raise UsageError(
            f"keyspace must be {PREFIX} and up to 38 lower case letters, digits and _, got {name!r}"
        )


def secrets() -> dict[str, str]:
    """Return the connector's settings that are read from the environment only."""
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


def credentials() -> dict[str, str]:
    """Return the variables of this process's environment with which a process on another host connects as this one does."""
    return {name: os.environ[name] for name in (USER, PASSWORD, CERTIFICATES) if os.environ.get(name)}


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
    """Return how many copies of each row a keyspace must have: the larger of the connection's and the nodes' number.

    Raises:
        JobError: no node answers.
    """
    try:
        return replication.asked(connect(where), where.rf)
    except _DOWN as error:
        raise JobError(_silent(where, error)) from error


def disconnect(where: Connection) -> None:
    """Close the session of this process, so that it logs no errors about nodes that are stopped later."""
    session = connect(where)
    connect.cache_clear()
    session.cluster.shutdown()


class Keyspace:
    """One keyspace of recscale, made with its first table."""

    def __init__(self, where: Connection, name: str) -> None:
        self.name = name
        self._where = where
        self._known = False
        self._making = threading.RLock()
        self._copies = 1

    @property
    def spares_a_node(self) -> bool:
        """Whether a quorum of each row's copies remains if one node is lost."""
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
        """Return a version of a table, by default the newest; None if it is missing or about to be removed."""
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
        self,
        physical: str,
        columns: Mapping[str, str],
        partition: Sequence[str],
        clustering: Sequence[str],
        descending: Collection[str] = (),
    ) -> None:
        """Create an empty table unless it is there, and give one that an older version made the columns that it lacks.

        Within a partition the columns in `descending` are sorted from the last on.
        """
        listed = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        key = f"({_names(partition)}){''.join(f', {_names([name])}' for name in clustering)}"
        order = ", ".join(f'"{name}" {"DESC" if name in descending else "ASC"}' for name in clustering)
        self.run(
            f"CREATE TABLE IF NOT EXISTS {self.name}.{physical} ({listed}, PRIMARY KEY ({key})) WITH "
            f"{f'CLUSTERING ORDER BY ({order}) AND ' if order else ''}"
            "compression = {'class': 'LZ4Compressor'} AND gc_grace_seconds = 3600"
        )
        for name, kind in columns.items():
            if name not in self.columns(physical):
                try:
                    self.run(f'ALTER TABLE {self.name}.{physical} ADD "{name}" {kind}')
                except JobError:  # another application may have been first
                    if name not in self.columns(physical):
                        raise

    def columns(self, physical: str) -> set[str]:
        """Return the columns of a physical table; none where there is no such table."""
        found = self.run(
            "SELECT column_name FROM system_schema.columns WHERE keyspace_name = %s AND table_name = %s",
            [self.name, physical],
        )
        return {row["column_name"] for row in found}

    def drop(self, physical: str) -> None:
        """Drop a physical table."""
        self.run(f"DROP TABLE IF EXISTS {self.name}.{physical}")

    def get(self, physical: str, columns: Iterable[str], key: Sequence[Any]) -> list[dict[str, Any]]:
        """Read the rows with these values of key columns, by a prepared statement."""
        where = " AND ".join(f'"{name}" = ?' for name in columns)
        statement = _prepared(self.session(), f"SELECT * FROM {self.name}.{physical} WHERE {where}")
        return list(self.session().execute(statement, list(key)))

    def prepared(self, statement: str) -> Any:
        """Return a statement, prepared once in this process's session."""
        return _prepared(self.session(), statement)

    def _there(self) -> bool:
        """Whether the keyspace is there.

        Raises:
            JobError: it is there, but not made by recscale, of another version, or with fewer copies of each row than asked
                for.
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
                f"Cassandra's keyspace {self.name} was not made by recscale: it has tables, but no {_META}. Nothing in it was "
                "changed; rename the keyspace, or use another Cassandra"
            )
        layout = self._layout() if tables else None
        if layout is None:  # its making was interrupted
            return False
        if layout == "1":
            self._bring_up_to_date()
        elif layout != VERSION:
            raise JobError(
                f"Cassandra's keyspace {self.name} has layout version {layout}, and this recscale needs version {VERSION}. Make its "
                f"tables again: DROP KEYSPACE {self.name}, then make preprocess DATASET=..."
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
        """Make the keyspace unless it is there; other threads that write their first tables wait meanwhile."""
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
        self._copies = self._kept(wanted)  # an interrupted command may have made it with another number
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
        """Upgrade layout 1, which kept one version of each table, to this layout; if interrupted, it is done again."""
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

        Nodes take some seconds to notice that one of them is gone, and until then statements that need it may fail. If a
        quorum remains without it, the statement is repeated, although it may have been executed before. So the caller of an
        INSERT ... IF NOT EXISTS must check whether an existing row is its own.

        Args:
            statement: in the notation of Cassandra's driver.
            values: values of its parameters.
            timeout_s: seconds to wait for each answer.
            once: do not repeat the statement.

        Raises:
            JobError: no node answers.
        """
        return self.tried(
            lambda: list(self.session().execute(statement, list(values) or None, timeout=timeout_s)),
            once=once,
        )

    def tried(self, action: Callable[[], _Found], *, once: bool = False) -> _Found:
        """Return what statements of the driver return; they are repeated as `run` says.

        Raises:
            JobError: no node answers.
        """
        end = time.monotonic() + _MISSED_S
        while True:
            try:
                return action()
            except _DOWN as error:
                missed = isinstance(error, _MISSED) and self.spares_a_node
                if once or not missed or time.monotonic() > end:
                    raise JobError(_silent(self._where, error)) from error
            time.sleep(_PAUSE_S)

    def there(self) -> bool:
        """Whether the keyspace is there; without this question, or `make`, no statement is repeated.

        Raises:
            JobError: it is another's, or of another version.
        """
        return self._there()


@functools.cache
def _prepared(session: Session, statement: str) -> Any:
    return session.prepare(statement)


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _silent(where: Connection, error: BaseException) -> str:
    nodes, text = ", ".join(f"{host}:{where.port}" for host in where.hosts), str(error)
    if "AuthenticationFailed" in text or "requires authentication" in text:
        return (
            f"Cassandra at {nodes} refuses the user or the password: set {USER} and {PASSWORD} in the environment to those of a "
            "user who may create keyspaces"
        )
    return (
        f"Cassandra at {nodes} failed to answer ({type(error).__name__}: {text[:200]}). See its state and log "
        "(make status, make logs S=cassandra-1), start it (make setup CASSANDRA=1), or keep tables in Parquet files "
        f"(STORE=parquet). An existing cluster with TLS needs {CERTIFICATES} and {TRUST_STORE} in the environment."
    )
