"""Runs the jobs that compare what streams have kept and that erase a person from it."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cluster.settings import PARQUET, Settings
from cluster.shape import default_shape
from core.errors import UsageError
from experiments.results.outcome import new_attempt
from experiments.run.alone import answer_of, fresh
from experiments.run.harness import Harness
from experiments.run.requests import request_in
from experiments.run.stores import spark_settings_of
from jobs.reconciling.run import FEEDBACK
from jobs.runtime.request import Result
from jobs.stores import STORAGES
from jobs.streaming.tables import EXTENSION, SETTINGS
from jobs.streams import STREAMS

logger = logging.getLogger(__name__)

_CASSANDRA = "cassandra"
_OURS = "recscale_"
_PARTITIONS = 8


def reconcile(
    settings: Settings, ledgers: Sequence[Path] = (), *, contents: bool = True, keyspace: str = ""
) -> Result:
    """Compare what the streams of the run folder have kept with what they have read.

    Args:
        settings: where the cluster is.
        ledgers: of producers.
        contents: whether rows are compared with Kafka's messages.
        keyspace: of the stream `feedback`; empty for its default.

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
    return _run(settings, "reconcile", params, keyspace)


def forget(settings: Settings, user: str, keyspace: str = "") -> Result:
    """Erase a person from what the streams of the run folder have kept.

    Raises:
        JobError: a stream runs or has messages to read, or the erasure failed.
        ServiceError: a service did not come up.
    """
    return _run(settings, "forget", {"user": user}, keyspace)


def _run(settings: Settings, job: str, params: dict[str, Any], keyspace: str) -> Result:
    shape = default_shape(settings)
    folder = fresh(settings.run_dir / "experiments" / job / new_attempt())
    with Harness(settings) as harness:
        brokers = harness.cluster.ensure("kafka")
        harness.use(shape, measured=False)
        spark = {
            **SETTINGS,
            "spark.sql.extensions": EXTENSION,
            "spark.jars": harness.cluster.driver_host.jars("streams"),
        }
        store, root = PARQUET, str(folder / "store")
        if (settings.run_dir / "streams" / FEEDBACK).is_dir():
            addresses = harness.cluster.ensure(_CASSANDRA)
            jars = harness.cluster.driver_host.jars(STORAGES[_CASSANDRA].jars)
            spark |= spark_settings_of(_CASSANDRA, settings, addresses, f"{spark['spark.jars']},{jars}")
            store, root = (
                _CASSANDRA,
                (keyspace or str(STREAMS[FEEDBACK].options().keyspace)).removeprefix(_OURS),
            )
        harness.cluster.driver_host.give_access([settings.run_dir / "streams", settings.run_dir / "lake"])
        request = request_in(
            folder,
            harness,
            shape,
            title=job,
            job=job,
            params={**params, "folder": str(settings.run_dir.resolve()), "brokers": list(brokers)},
            store=PARQUET,
            store_root=root,
            partitions=_PARTITIONS,
            spark=spark,
        )
        request = replace(request, store=store)  # its service runs, and its jars are among the settings
        return answer_of(harness, request, folder, shape, what=f"{job} of {settings.run_dir}")
