"""Repeat what the loss of a node interrupted, where a quorum of every row's copies is left without it."""

import re
import time
from collections.abc import Callable
from typing import TypeVar

from jobs.cassandra import Keyspace

_TIMES = 5
_PAUSE_S = 2.0
_QUORUM_S = 60.0
_DRIVER = r"com\.datastax\.oss\.driver"

_T = TypeVar("_T")


def repeated(action: Callable[[], _T], keyspace: Keyspace) -> _T:
    """Return what an action returns; it is done again when Cassandra's driver fails in it and a quorum still answers.

    The connector begins every read and write with a refresh of the schema, and the driver (4.18) ends that in an error
    when the node that it listens to goes away, though it turns to another one a second later.

    Args:
        action: may be done twice, or once and a half: writes of rows with the same keys are.
        keyspace: what it works on.
    """
    for _ in range(_TIMES - 1):
        try:
            return action()
        except Exception as error:
            if not re.search(_DRIVER, str(error)) or not _quorum_is_left(keyspace):
                raise
        time.sleep(_PAUSE_S)
    return action()


def _quorum_is_left(keyspace: Keyspace) -> bool:
    if not keyspace.spares_a_node:
        return False
    # Nodes take some seconds to miss one of them, and until then a request that it has part in may not be answered.
    end = time.monotonic() + _QUORUM_S
    while not keyspace.answers():
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE_S)
    return True
