"""Tables in a Cassandra keyspace, written and read through the Spark Cassandra connector.

The keys allow these reads: one user's ratings (`ratings` by user, sorted by item), one user's or item's key, text or
statistics, one user's recommendations as one row, one item's neighbours as one row, and every table whole, by Spark.

A write fills a new physical table, which then becomes the newest version of its table. See jobs.stores.cassandra.versions for
how versions are published, opened and removed.
"""

import re
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from core.errors import JobError
from jobs.prepare.summary import SUMMARY, named
from jobs.retention import Retention
from jobs.runtime.failures import DISK_FULL
from jobs.stores.cassandra.access import Connection, Keyspace, keyspace_name, secrets
from jobs.stores.cassandra.feedback import Table
from jobs.stores.cassandra.outage import OutageError, ended_by_outage
from jobs.stores.cassandra.retry import forget_sessions, repeated
from jobs.stores.cassandra.versions import Claims, KeyspaceVersions

_T = TypeVar("_T")
_SEEN_S = 30.0
FORMAT = "org.apache.spark.sql.cassandra"


class Key(NamedTuple):
    """Columns of a primary key: partition columns, and clustering columns that sort within a partition."""

    partition: tuple[str, ...]
    clustering: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of the key in their order."""
        return self.partition + self.clustering


_BY_USER, _BY_ITEM = Key(("user",)), Key(("item",))
KEYS: Mapping[str, Key] = {
    "ratings": Key(("user",), ("item",)),
    "users": _BY_USER,
    "items": _BY_ITEM,
    "user_stats": _BY_USER,
    "item_stats": _BY_ITEM,
    "summary": Key(("key",)),
}
_PREFIXES = {"recommendations_": _BY_USER, "similar_items_": _BY_ITEM}
_NUMBERED = Key(("task",), ("number",))
"""Key of a table whose rows have no key: the task that wrote a row, and the row's number in that task."""
_OUTAGE = r"AllNodesFailed|NoNodeAvailable|WriteTimeout|Unavailable|ClosedConnection|HeartbeatException|Control channel"
_ABSENT = "absent"
"""Column with the names of a row's lists and maps that are null, as opposed to empty."""

# A quorum of a row's copies finds what a quorum has acknowledged, so with three copies the loss of one node loses nothing.
# The connector's default level for reading is LOCAL_ONE, which may ask a node that was away during the write.
CONSISTENCY = {
    "spark.cassandra.output.consistency.level": "LOCAL_QUORUM",
    "spark.cassandra.input.consistency.level": "LOCAL_QUORUM",
}
# Measured on rows of 30 bytes: the connector's own 1 KiB batches and 5 writes at a time take three times as long.
TUNING = {
    "spark.cassandra.output.batch.size.bytes": str(32 * 1024),
    "spark.cassandra.output.batch.grouping.buffer.size": "100",
    "spark.cassandra.output.concurrent.writes": "16",
    "spark.cassandra.output.ignoreNulls": "true",  # in a new table a null has nothing to delete
}
_TYPES: Mapping[type[T.DataType], str] = {
    T.IntegerType: "int",
    T.LongType: "bigint",
    T.FloatType: "float",
    T.DoubleType: "double",
    T.StringType: "text",
    T.BooleanType: "boolean",
    T.TimestampType: "timestamp",
    T.DateType: "date",
    T.BinaryType: "blob",
}


class CassandraStore:
    """The tables of one data set in one keyspace; the session's settings name the nodes."""

    def __init__(self, spark: SparkSession, root: str, retention: Retention | None = None) -> None:
        self.spark = spark
        for key, value in secrets().items():
            spark.conf.set(key, value)
        self.keyspace = Keyspace(Connection.of(spark.conf), keyspace_name(root))
        self._versions = KeyspaceVersions(self.keyspace, retention)
        self._claims = Claims(self.keyspace, (retention or Retention()).held_s)
        self._written: dict[str, str] = {}

    def read(self, table: str, version: int | None = None) -> DataFrame:
        """Return a version of a table."""
        entry = self._versions.open(table, version)
        columns = T.StructType.fromJson(entry.columns)
        rows = self.whole(entry.physical)
        return rows.select(*(_restored(field).alias(field.name) for field in columns))

    def rows(self, table: str, version: int | None = None) -> list[Mapping[str, Any]]:
        """Return all rows of a small table."""
        return [row.asDict() for row in self.read(table, version).collect()]

    def write(self, table: str, frame: DataFrame) -> int:
        """Publish a table's newest version, completely or not at all.

        The version stays until this store writes the table again or is closed, even if others write it meanwhile, so that a
        summary can name it.

        Raises:
            JobError: Cassandra does not accept it, or a column cannot be stored without loss.
        """
        rows = keyed(frame, key_of(table))
        physical = self.empty(table, rows.schema)
        filled = False
        try:
            self.fill(physical, ordered(rows, key_of(table)), TUNING)
            filled = True
            version = self._versions.publish(table, physical, frame.schema.jsonValue())
        except BaseException as error:
            if not filled:
                self.drop(table, physical)
            # If it was published but the answer was lost, it stays; otherwise the next write removes it.
            self._claims.let_go(table, physical)
            explained = self._explained(table, error)
            if explained is None:
                raise
            raise explained from error
        if table in self._written:
            self._claims.let_go(table, self._written[table])
        self._written[table] = physical
        with suppress(JobError):  # it is published; the next write removes what stays now
            self._versions.sweep(table, self._named(table))
        return version

    def _named(self, table: str) -> set[int]:
        entries = self.keyspace.entries(SUMMARY) if table != SUMMARY else []
        return named((self.keyspace.rows(entry) for entry in entries), table)

    def empty(self, table: str, schema: T.StructType) -> str:
        """Make a new physical table that belongs to no version yet, wait until the connector knows it, and return its name.

        It stays until `drop`, or for some minutes after the end of this process.
        """
        physical, key = f"{table}_{uuid.uuid4().hex[:8]}", key_of(table)
        columns = columns_of(schema)
        self.keyspace.make()
        self._claims.hold(table, physical)
        self.keyspace.create(physical, columns, key.partition, key.clustering)
        self._wait_until_seen(physical)
        return physical

    def standing(self, *tables: Table) -> None:
        """Make tables without versions, to which rows are added for good, unless they are there; wait until the connector knows them."""
        self.keyspace.make()
        for one in tables:
            self.keyspace.create(one.name, one.columns, one.partition, one.clustering, one.descending)
            self._wait_until_seen(one.name)

    def fill(self, physical: str, rows: DataFrame, tuning: Mapping[str, str]) -> None:
        """Write rows to a physical table in the order of the frame."""
        self._repeated(lambda: self._append(physical, rows, tuning))

    def _repeated(self, action: Callable[[], _T]) -> _T:
        return repeated(action, self.keyspace, partial(forget_sessions, self.spark))

    def _append(self, physical: str, rows: DataFrame, tuning: Mapping[str, str]) -> None:
        with ended_by_outage(self.spark.sparkContext, self.keyspace.session()):
            self._at(rows.write.format(FORMAT).options(**tuning), physical).mode("append").save()

    def whole(self, physical: str) -> DataFrame:
        """Return a physical table with all its columns."""
        access = self._at(self.spark.read.format(FORMAT), physical)
        frame: DataFrame = self._repeated(access.load)
        return frame

    def drop(self, table: str, physical: str) -> None:
        """Drop a physical table of no version; if Cassandra does not answer, the table's next write drops it."""
        with suppress(JobError):
            self.keyspace.drop(physical)
        self._claims.let_go(table, physical)

    def partition(self, physical: str, table: str, *key: Any) -> list[dict[str, Any]]:
        """Return the rows of one partition: a read by key, without Spark."""
        return self.keyspace.get(physical, key_of(table).partition, key)

    def _at(self, access: Any, physical: str) -> Any:
        return access.options(keyspace=self.keyspace.name, table=physical, **CONSISTENCY)

    def versions(self, table: str) -> list[int]:
        return [entry.version for entry in self.keyspace.entries(table)]

    def has(self, table: str) -> bool:
        """Whether the table is there; only a version that was written whole is published."""
        return self.keyspace.entry(table) is not None

    def get(self, table: str, *key: Any) -> dict[str, Any] | None:
        """Return the row with this primary key, None if there is none: a point read, without Spark."""
        entry = self.keyspace.entry(table)
        found = self.keyspace.get(entry.physical, key_of(table).columns, key) if entry else []
        if not found:
            return None
        absent = found[0].pop(_ABSENT, None) or ()
        return {**found[0], **dict.fromkeys(absent)}

    def close(self) -> None:
        self._versions.close()
        self._claims.close()

    def _wait_until_seen(self, physical: str) -> None:
        """Wait until the connector knows a new table, which takes a second or two."""
        end = time.monotonic() + _SEEN_S
        while True:
            try:
                self.whole(physical)
            except AnalysisException:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)
            else:
                return

    def _explained(self, table: str, error: BaseException) -> JobError | None:
        if re.search(f"{DISK_FULL}|disk usage exceeds", str(error)):
            return JobError(
                f"a Cassandra node's disk is full: table {table!r} of {self.keyspace.name} could not be written and is "
                "unchanged. Free some space there, start the node if it stopped (make setup), then run again."
            )
        if isinstance(error, OutageError) or re.search(_OUTAGE, str(error)):
            return JobError(
                f"Cassandra stopped answering while table {table!r} of {self.keyspace.name} was written; the table is "
                "unchanged. The node's log says why, for example a full disk (make status, make logs S=cassandra-1). "
                "Start it again (make setup), then run again."
            )
        return None


def key_of(table: str) -> Key:
    """Return a table's primary key; rows of an unknown table are numbered."""
    for prefix, key in _PREFIXES.items():
        if table.startswith(prefix):
            return key
    return KEYS.get(table, _NUMBERED)


def keyed(frame: DataFrame, key: Key) -> DataFrame:
    """Return rows with the key's columns, in types that Cassandra can store without loss."""
    rows = frame.select(*(_exact(field).alias(field.name) for field in frame.schema))
    collections = [
        F.when(F.col(field.name).isNull(), F.lit(field.name)) for field in frame.schema if _is_list(field)
    ]
    if collections:
        rows = rows.withColumn(_ABSENT, F.array_compact(F.array(*collections)))
    if key is _NUMBERED:
        number = F.monotonically_increasing_id()
        rows = rows.withColumns({"task": F.spark_partition_id(), "number": number})
    return rows


def ordered(rows: DataFrame, key: Key) -> DataFrame:
    """Order rows by partition: a batch of one partition costs a node little more than a single row."""
    if key is _NUMBERED:
        return rows
    return rows.repartition(*key.partition).sortWithinPartitions(*key.columns)


def columns_of(schema: T.StructType) -> dict[str, str]:
    """Return the CQL type of each column.

    Raises:
        JobError: a type without a counterpart in CQL.
    """
    return {field.name: _cql(field.dataType, field.name) for field in schema}


def _cql(kind: T.DataType, name: str) -> str:
    if isinstance(kind, T.ArrayType):
        return f"frozen<list<{_cql(kind.elementType, name)}>>"
    if isinstance(kind, T.MapType):
        return f"frozen<map<{_cql(kind.keyType, name)}, {_cql(kind.valueType, name)}>>"
    if type(kind) not in _TYPES:
        raise JobError(
            f"column {name!r} has type {kind.simpleString()}, which cannot be stored in Cassandra: cast it, or set STORE=parquet. "
            f"Possible types: {', '.join(sorted(known.typeName() for known in _TYPES))}, arrays and maps of these"
        )
    return _TYPES[type(kind)]


def _is_list(field: T.StructField) -> bool:
    return isinstance(field.dataType, T.ArrayType | T.MapType)


def _restored(field: T.StructField) -> Column:
    """Return a column as it was written; the connector reads a null list as an empty one."""
    column = F.col(field.name).cast(field.dataType)
    return F.when(~F.array_contains(_ABSENT, field.name), column) if _is_list(field) else column


def _exact(field: T.StructField) -> Column:
    """Return the column; a time with microseconds is an error, because Cassandra would cut them off."""
    column = F.col(field.name)
    if not isinstance(field.dataType, T.TimestampType):
        return column
    micros = F.unix_micros(column)
    told = F.concat(
        F.lit(f"column {field.name!r} has the time "),
        column.cast("string"),
        F.lit(
            ", and Cassandra keeps only milliseconds: "
            "use the Parquet store (STORE=parquet) or round the times"
        ),
    )
    return F.when(micros % 1000 != 0, F.raise_error(told).cast("timestamp")).otherwise(column)


STORE = CassandraStore
