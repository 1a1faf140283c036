"""Repeat actions that the loss of a node interrupted, if a quorum of every row's copies remains."""

import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

from pyspark.sql import SparkSession

from jobs.stores.cassandra.access import Keyspace

_TIMES = 5
_PAUSE_S = 2.0
_QUORUM_S = 60.0
_DRIVER = r"com\.datastax\.oss\.driver"

_T = TypeVar("_T")


def repeated(action: Callable[[], _T], keyspace: Keyspace, forget: Callable[[], None]) -> _T:
    """Return an action's result; repeat the action if Cassandra's driver fails in it and a quorum still answers.

    The connector begins every read and write with a refresh of the schema. The driver (4.18) fails in it if the node that
    it is connected to goes away, although it connects to another node a second later.

    Args:
        action: an action that may be repeated, even after it was half done, such as writing rows with the same keys.
        keyspace: the keyspace that it uses.
        forget: called before each repetition: gives up the connector's sessions, as `forget_sessions` does.
    """
    for _ in range(_TIMES - 1):
        try:
            return action()
        except Exception as error:
            if not re.search(_DRIVER, str(error)) or not _quorum_is_left(keyspace):
                raise
        time.sleep(_PAUSE_S)
        forget()
    return action()


def forget_sessions(spark: SparkSession) -> None:
    """Close the sessions of the connector that nothing uses now; the next action opens another one.

    A session whose refresh of the schema has failed once may never end another one: the driver takes the failed refresh for
    one that still runs, and waits for it (4.18; Scylla's fork has mended it in its issue 841).
    """
    jvm: Any = spark.sparkContext._jvm  # noqa: SLF001 - Python's API knows no connector
    jvm.com.datastax.spark.connector.cql.CassandraConnector.evictCache()


def _quorum_is_left(keyspace: Keyspace) -> bool:
    if not keyspace.spares_a_node:
        return False
    # Nodes take some seconds to notice that one of them is gone; until then requests that need it may fail.
    end = time.monotonic() + _QUORUM_S
    while not keyspace.answers():
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE_S)
    return True
