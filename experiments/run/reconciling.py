"""Runs the jobs that compare what streams have kept and that erase a person from it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cluster.lifecycle import Cluster
from cluster.settings import PARQUET, Settings
from core.errors import UsageError
from experiments.run.lake import run
from experiments.run.streams import kafka
from jobs.reconciling.run import FEEDBACK, REFRESH
from jobs.runtime.request import Result
from jobs.stores.cassandra.access import PREFIX
from jobs.streams import STREAMS

_CASSANDRA = "cassandra"
_MOST_CORES = 8


def reconcile(
    settings: Settings,
    ledgers: Sequence[Path] = (),
    *,
    contents: bool = True,
    keyspace: str = "",
    folder: Path | None = None,
) -> Result:
    """Compare what the streams of the run folder have kept with what they have read.

    Args:
        settings: where the cluster is.
        ledgers: of producers.
        contents: whether rows are compared with Kafka's messages.
        keyspace: of the streams `feedback` and `refresh`; empty for their default.
        folder: that holds `streams` and `lake`, where it is not the run folder.

    Raises:
        UsageError: a ledger is not there.
        JobError: nothing was read yet, or the comparison failed.
        ServiceError: a service did not come up.
    """
    for path in ledgers:
        if not path.is_file():
            raise UsageError(
                f"there is no ledger {path}: name a file that python -m datasets produce --ledger FILE wrote"
            )
    params = {"ledgers": [str(path.resolve()) for path in ledgers], "contents": contents}
    return _run(settings, "reconcile", params, keyspace, folder or settings.run_dir)


def forget(settings: Settings, user: str, keyspace: str = "") -> Result:
    """Erase a person from what the streams of the run folder have kept, and compare the rest as `reconcile` does.

    Raises:
        JobError: a stream runs or has messages to read, or the erasure failed.
        ServiceError: a service did not come up.
    """
    return _run(settings, "forget", {"user": user}, keyspace, settings.run_dir)


def erased(result: Result) -> dict[str, int]:
    """Return the rows that `forget` has erased, by topic and table."""
    return {name: count for name, count in result.counts.items() if name not in ("compared", "differing")}


def _run(settings: Settings, job: str, params: dict[str, Any], keyspace: str, folder: Path) -> Result:
    store = PARQUET, ""
    if any((folder / "streams" / one).is_dir() for one in (FEEDBACK, REFRESH)):
        store = _CASSANDRA, (keyspace or str(STREAMS[FEEDBACK].options().keyspace)).removeprefix(PREFIX)
    brokers = kafka(Cluster(settings), [store[0]])
    where = {"folder": str(folder.resolve()), "brokers": brokers}
    cores = max(1, min(os.cpu_count() or 1, _MOST_CORES))
    return run(settings, job, {**params, **where}, cores=cores, store=store)
