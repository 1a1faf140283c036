"""Lets a new model take the place of the one whose lists readers see, when all active people have lists of it."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from pyspark import Broadcast
from pyspark.sql import Row

from core.errors import JobError, UsageError
from core.options import parse
from jobs.engine import list_files
from jobs.engine.list_files import Filed
from jobs.runtime.context import Context, JobKind
from jobs.runtime.request import Result
from jobs.stores.cassandra.access import Connection, credentials
from jobs.stores.cassandra.feedback import EVENTS
from jobs.stores.cassandra.lists import LISTS, OF_STREAM, People
from jobs.stores.cassandra.served import BEFORE, MODELS, NEXT, SERVED, Models, Served
from jobs.stores.cassandra.store import CassandraStore
from jobs.streaming.refreshing import Made, Maker

_BEFORE_S = 5.0
"""Seconds by which the stamps of these lists lie before the announcement: the stream's, which are made after it, must be larger on whatever host."""

_AT_ONCE = 500


@dataclass(frozen=True)
class PublishParams:
    """A model that is to be served, and for whom lists are made before.

    Attributes:
        folder: of the exported model.
        days: whoever did something in so many days has a list when the model is served; others get theirs made when it is read.
        k: length of the lists.
    """

    folder: str
    days: float = 30.0
    k: int = 10


class Publish:
    """Phases: refold (lists of active people), move (readers see them), clear (lists of models before the last). Counts: lists, removed.

    The model is announced first, so that the stream `refresh`, if it runs, makes lists with both; those that it makes replace those of this job.
    Readers see the old model's lists, whole, until all is done. What breaks off is begun again by the next run. The model before stays
    in Cassandra, and is published again in the same way.
    """

    kind: JobKind = "passes"

    def parameters(self) -> frozenset[str]:
        return frozenset(item.name for item in fields(PublishParams))

    def run(self, context: Context) -> Result:
        params = parse(PublishParams, context.request.params, "parameters of publish")
        store = context.store
        if not isinstance(store, CassandraStore):
            raise UsageError(f"publish needs the store cassandra, got {context.request.store}")
        if params.days <= 0 or params.k < 1:
            raise UsageError(f"days must be above 0 and k 1 or more, got days={params.days}, k={params.k}")
        folder = Path(params.folder).resolve()
        filed = list_files.read(folder)
        store.standing(EVENTS, LISTS, MODELS)
        publishing = _Publishing(context, store, params, filed, str(folder))
        counts: dict[str, int] = {}
        for _ in context.passes():
            counts = publishing.publish()
        return Result("publish", "ok", counts=counts, info={"model": filed.model, "version": filed.version})


@dataclass(frozen=True)
class _Publishing:
    context: Context
    store: CassandraStore
    params: PublishParams
    filed: Filed
    folder: str

    def publish(self) -> dict[str, int]:
        phase, models = self.context.phases.phase, Models(self._where, self._keyspace)
        there = models.all()
        before, earlier = there.get(SERVED), there.get(BEFORE)
        since = datetime.now(UTC) - timedelta(days=self.params.days)
        model = Served(self.filed.version, self.filed.model, self.folder, since)
        if before is not None and before.version == model.version:
            self.context.warn(
                f"version {model.version} of {model.model} is served already; lists of active people are made again"
            )
        if earlier is not None and earlier.version == model.version:
            time.sleep(_BEFORE_S)  # the stream may have made lists with it until a moment ago
        stamp = round((time.time() - _BEFORE_S) * 1_000_000)
        models.set(NEXT, model)
        with phase("refold"):
            made = self._refold(since, before, stamp)
        with phase("move"):
            if models.all().get(NEXT) != _as_kept(model):
                raise JobError(
                    "another model was announced meanwhile, so this one is not served: publish one at a time"
                )
            if before is not None and before.version != model.version:
                models.set(BEFORE, before)
            models.set(SERVED, model)
            models.clear(NEXT)
            self.context.spark.range(1).count()
        with phase("clear"):
            removed = self._clear({OF_STREAM, *(one.version for one in models.all().values())})
        return {"lists": made.people, "removed": removed}

    @property
    def _where(self) -> Connection:
        return Connection.of(self.context.spark.conf)

    @property
    def _keyspace(self) -> str:
        return self.store.keyspace.name

    def _refold(self, since: datetime, before: Served | None, stamp: int) -> Made:
        """Make the lists of all who did something lately."""
        events = self.store.whole(EVENTS.name)
        users = events.where(events["at"] >= since).select("user").distinct()
        sent = self.context.spark.sparkContext.broadcast(self.filed)
        try:
            refolding = _Refolding(
                sent,
                self._where,
                credentials(),
                self._keyspace,
                "" if before is None else before.version,
                self.params.k,
                stamp,
            )
            return sum(users.rdd.mapPartitions(refolding).collect(), Made())
        finally:
            sent.destroy()

    def _clear(self, kept: set[str]) -> int:
        """Remove the lists of other versions; a reader that has just asked which one is served finds it."""
        lists = self.store.whole(LISTS.name).select("user", "model_version")
        old = lists.where(~lists["model_version"].isin(sorted(kept)))
        clearing = _Clearing(self._where, credentials(), self._keyspace)
        return sum(old.rdd.mapPartitions(clearing).collect())


def _as_kept(model: Served) -> Served:
    """Return the model as Cassandra gives it back, whose times are in milliseconds."""
    since = model.active_since
    return (
        model
        if since is None
        else model._replace(active_since=since.replace(microsecond=since.microsecond // 1000 * 1000))
    )


@dataclass(frozen=True)
class _Refolding:
    """Makes the lists of a task's people.

    A list's `through` is that of the served model's list: the stream has written all of the person's events up to there.
    """

    filed: "Broadcast[Filed]"
    where: Connection
    environment: Mapping[str, str]
    keyspace: str
    served: str
    k: int
    stamp: int

    def __call__(self, rows: Iterable[Row]) -> Iterator[Made]:
        os.environ.update(self.environment)
        people, maker = People(self.where, self.keyspace), Maker(self.filed.value)
        left = (row["user"] for row in rows)
        while some := list(islice(left, _AT_ONCE)):
            through = dict(zip(some, people.covered(some, self.served), strict=True))
            yield maker.keep(people, through, self.k, self.stamp)


@dataclass(frozen=True)
class _Clearing:
    """Removes a task's rows of lists."""

    where: Connection
    environment: Mapping[str, str]
    keyspace: str

    def __call__(self, rows: Iterable[Row]) -> Iterator[int]:
        os.environ.update(self.environment)
        people, left = People(self.where, self.keyspace), iter(rows)
        while some := list(islice(left, _AT_ONCE)):
            people.remove_lists([(row["user"], row["model_version"]) for row in some])
            yield len(some)


JOB = Publish()
