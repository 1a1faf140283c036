"""End Spark jobs that write to a Cassandra that no longer answers.

If the connector (3.5.1, AsyncExecutor) finds no node for a write, it repeats the write at once, recursively and without a
limit, until the stack overflows. Then it waits for ever, even if the node is back.
"""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from cassandra.cluster import NoHostAvailable, Session
from pyspark import SparkContext

from core.errors import JobError

_EVERY_S = 0.5
_ANSWER_S = 5.0
_SILENCE_S = 60.0
"""Longest silence: a node that collects garbage answers late, while a node that is gone refuses connections at once."""


class OutageError(JobError):
    """No node of Cassandra answers any more."""


@contextmanager
def ended_by_outage(context: SparkContext, session: Session) -> Iterator[None]:
    """Cancel the Spark jobs of the enclosed block if no node answers.

    Raises:
        OutageError: instead of the cancelled job's error.
    """
    tag = f"cassandra-{uuid.uuid4().hex[:8]}"
    context.addJobTag(tag)
    context.setInterruptOnCancel(True)  # the connector's tasks wait for a semaphore
    watch = _Watch(context, session, tag)
    watch.start()
    try:
        yield
    except Exception as error:
        if watch.reason is None:
            raise
        raise OutageError(watch.reason) from error
    finally:
        watch.stopped.set()
        watch.join()
        context.setInterruptOnCancel(False)
        context.removeJobTag(tag)


class _Watch(threading.Thread):
    def __init__(self, context: SparkContext, session: Session, tag: str) -> None:
        super().__init__(name="cassandra-watch", daemon=True)
        self.stopped = threading.Event()
        self.reason: str | None = None
        self._context, self._session, self._tag = context, session, tag

    def run(self) -> None:
        answered, refusals = time.monotonic(), 0
        while not self.stopped.wait(_EVERY_S):
            try:
                self._session.execute("SELECT key FROM system.local", timeout=_ANSWER_S)
                answered, refusals = time.monotonic(), 0
            except Exception as error:  # noqa: BLE001 - any error means that no node answered
                refusals += isinstance(error, NoHostAvailable)
                if refusals > 1 or time.monotonic() - answered > _SILENCE_S:
                    self.reason = f"{type(error).__name__}: {str(error)[:200]}"
                    self._context.cancelJobsWithTag(self._tag)
                    return
