"""Runs streams beside trials: one application with cores of its own, started again when its driver dies."""

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.lifecycle import Cluster
from cluster.settings import PARQUET, Settings
from cluster.shape import Shape
from core.errors import JobError, UsageError
from datasets.formats import delta
from datasets.topics.admin import make_declared
from datasets.topics.connection import FILE_VARIABLES, Connection
from experiments.results.events import Event
from experiments.results.outcome import new_attempt
from experiments.results.parts import Launched
from experiments.run.alone import fresh
from experiments.run.environment import for_driver, java_of
from experiments.run.launcher import Launcher
from experiments.run.spark_settings import spark_settings
from experiments.run.stores import files_named, files_of, spark_settings_of, together
from jobs.runtime.request import Request
from jobs.stores import STORAGES
from jobs.streaming import offsets
from jobs.streaming.tables import SETTINGS
from jobs.streams import STREAMS, check_names

if TYPE_CHECKING:
    from experiments.run.stream_recording import Recordings

logger = logging.getLogger(__name__)

FOLDER = "streaming"
"""Folder, in the run folder, of the applications of streams: requests, events and drivers' logs."""

PARTITIONS = 4
"""Shuffle partitions, which a checkpoint fixes at its first start."""

_FOREVER = 1_000_000_000
_GRACE_S = 150.0  # longer than a query is given for its batch
_DIED = (
    "ended without a result",
    "the driver's JVM is gone",
    "died while the application ran",
    "Spark ended the application",
)


@dataclasses.dataclass(frozen=True)
class Asked:
    """Streams to run.

    Attributes:
        names: of the streams.
        cores: that the application may use, of all workers together.
        memory: of each of its executors.
        drain: end when what Kafka holds at the start is done.
        params: of the job `stream`.
        restarts: how often an application that died is started again without a batch committed in between.
    """

    names: Sequence[str]
    cores: int = 1
    memory: str = "1g"
    drain: bool = False
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    restarts: int = 3
    backoff_s: float = 2.0


def run(
    settings: Settings,
    asked: Asked,
    follow: Callable[[Event], None] = lambda _: None,
    repeats: int = 0,
    *,
    recordings: "Recordings | None" = None,
) -> Launched:
    """Run streams until they end or are stopped: services and topics that they need are made first.

    Args:
        settings: where the cluster is.
        asked: what to run.
        follow: called with each event of the application.
        repeats: windows to measure; 0 for one that ends with a drained stream, and for no end otherwise.
        recordings: record each start of the application; None for none, as of streams that are part of a measurement.

    Raises:
        UsageError: an unknown stream, or more cores than the workers have.
        ServiceError: as in `kafka`.
        JobError: a query or the application failed too often; names the offsets.
        KeyboardInterrupt: a person stopped it; the last batch was finished.
    """
    check_names(asked.names)
    if asked.cores < 1 or asked.cores > settings.spark.workers * settings.spark.cores:
        raise UsageError(
            f"STREAM_CORES must be 1 to {settings.spark.workers * settings.spark.cores}, the cores of all workers, got {asked.cores}"
        )
    cluster = Cluster(settings)
    brokers = kafka(cluster, {service for name in asked.names for service in STREAMS[name].services})
    for made in make_declared(Connection.of(brokers)):
        logger.info("made the topic %s", made)
    failures, standing = 0, _batches(settings, asked)
    while True:
        launched = _launch(cluster, asked, brokers, follow, repeats, recordings=recordings)
        if launched.status == "killed":
            raise KeyboardInterrupt
        error = launched.result.error
        if launched.status == "ok" or error is None:
            return launched
        before, standing = standing, _batches(settings, asked)
        failures = failures + 1 if standing == before else 1
        if failures > asked.restarts or not any(text in error for text in _DIED):
            raise JobError(f"the stream stopped: {error}\n{_standing(settings, asked)}")
        wait = asked.backoff_s * 2 ** (failures - 1)
        logger.warning(
            "the stream's application died (%d of %d); it starts again in %.0f s: %s",
            failures,
            asked.restarts,
            wait,
            error.splitlines()[0],
        )
        time.sleep(wait)


def _launch(
    cluster: Cluster,
    asked: Asked,
    brokers: Sequence[str],
    follow: Callable[[Event], None],
    repeats: int,
    *,
    recordings: "Recordings | None",
) -> Launched:
    settings = cluster.settings
    cluster.up({"spark"})
    folder = fresh(settings.run_dir / FOLDER / new_attempt())
    request = _request(cluster, asked, brokers, folder, repeats)
    driver_host = cluster.driver_host
    driver_host.give_access([settings.run_dir / "streams", settings.run_dir / "lake"])
    external = settings.spark.master is not None
    environment, own = for_driver(driver_host, java_of(settings))
    launcher = Launcher(
        driver_host=driver_host,
        cluster=None if external else cluster,
        environment=environment,
        own=own,
        watch_s=driver_host.watch_s,
        workers=frozenset(f"spark-worker-{number}" for number in range(1, settings.spark.workers + 1)),
        grace_s=_GRACE_S,
    )
    if recordings is None:
        return launcher.run(request, folder, math.inf, follow)
    with recordings.start(folder) as recording:
        launched = launcher.run(request, folder, math.inf, follow)
        recording.ended(launched, _standing(settings, asked) if launched.result.error else "")
    return launched


def _request(cluster: Cluster, asked: Asked, brokers: Sequence[str], folder: Path, repeats: int) -> Request:
    settings = cluster.settings
    each = min(asked.cores, settings.spark.cores)
    shape = Shape(-(-asked.cores // each), each, asked.memory)
    own = spark_settings(
        settings, cluster.driver_host, cluster.spark_master, f"stream {','.join(asked.names)}", shape,
        partitions=PARTITIONS, folder=folder,
    )  # fmt: skip
    services = {service for name in asked.names for service in STREAMS[name].services}
    return Request(
        job="stream",
        params={
            "streams": list(asked.names),
            "brokers": list(brokers),
            "folder": str(settings.run_dir.resolve()),
            "drain": asked.drain,
            **asked.params,
        },
        spark={
            **own,
            "spark.cores.max": str(asked.cores),
            "spark.scheduler.mode": "FAIR",
            # An event log grows as long as a stream runs; what it did stands in events.jsonl.
            "spark.eventLog.enabled": "false",
            **reach(cluster, services),
        },
        store=PARQUET,
        store_root=str((folder / "store").resolve()),
        work=str((folder / "work").resolve()),
        events=str((folder / "events.jsonl").resolve()),
        executors=shape.workers,
        warmups=0,
        repeats=repeats or (1 if asked.drain else _FOREVER),
        keep=str(folder.resolve()),
    )


def kafka(cluster: Cluster, stores: Collection[str] = ()) -> list[str]:
    """Return the addresses of Kafka's brokers for an application, which are started if they must be.

    Args:
        cluster: whose brokers.
        stores: that the application reaches, too.

    Raises:
        ServiceError: they did not come up; or, before anything is started, drivers cannot see a file of certificates that the
            environment names for Kafka or for one of the stores.
    """
    needed = [*files_named(FILE_VARIABLES), *(file for store in sorted(stores) for file in files_of(store))]
    cluster.driver_host.refuse(needed)
    return cluster.ensure("kafka")


def reach(cluster: Cluster, services: Collection[str]) -> dict[str, str]:
    """Return the Spark settings with which an application reaches Kafka, the lake and these services of stores.

    Raises:
        ServiceError: a service did not come up.
    """
    mine = {"spark.jars": cluster.driver_host.jars(delta.JARS), "spark.sql.extensions": delta.EXTENSION}
    return together(SETTINGS, mine, *(_of_store(cluster, name) for name in sorted(services)))


def _of_store(cluster: Cluster, name: str) -> dict[str, str]:
    jars = cluster.driver_host.jars(STORAGES[name].jars)
    return spark_settings_of(name, cluster.settings, cluster.ensure(name), jars)


def _committed(settings: Settings, asked: Asked) -> Iterator[tuple[str, int, offsets.Ends]]:
    """Yield each query's name, its last committed batch, and the offsets that come next."""
    for stream, query, checkpoint in offsets.checkpoints(
        Path(asked.params.get("folder", settings.run_dir)) / "streams"
    ):
        if stream in asked.names:
            yield f"{stream}.{query}", *offsets.committed(checkpoint)


def _batches(settings: Settings, asked: Asked) -> dict[str, int]:
    return {name: done for name, done, _ in _committed(settings, asked)}


def _standing(settings: Settings, asked: Asked) -> str:
    """Return where each query stands, so that somebody who must look knows at which message."""
    lines = []
    for name, done, ends in _committed(settings, asked):
        where = ", ".join(f"{topic}-{part} {end:,}" for (topic, part), end in sorted(ends.items()))
        lines.append(f"  {name}: batch {done} is done; next offsets {where or 'the first ones'}")
    return "\n".join(lines)
