"""The cluster as an experiment uses it: brought to a shape, lent to applications, left as it was found."""

import fcntl
import logging
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from cluster.dependencies import kind
from cluster.driver_host import DriverHost
from cluster.lifecycle import Cluster
from cluster.services import SERVICES
from cluster.settings import PARQUET, Settings
from cluster.shape import Shape, default_shape
from core.errors import ServiceError, UsageError
from experiments.results.events import Event
from experiments.results.parts import Launched, Part
from experiments.run.environment import for_driver, java_of
from experiments.run.launcher import HERE, Launcher, Runtime
from experiments.run.neighbours import neighbours
from experiments.run.rehearsal import record
from experiments.run.stores import as_running, files_of, spark_settings_of
from jobs.runtime.request import Request
from jobs.stores import STORAGES

logger = logging.getLogger(__name__)

SPARK = "spark"
"""The group of services that every trial uses."""

_WORKER = "spark-worker-"
_LEAVING_S = 5.0


@dataclass(frozen=True)
class Met:
    """Conditions that trials meet in the services that they use.

    Attributes:
        settings: with the numbers of services that run already, which may be others than the settings name.
        otherwise: digests of services that run in another way than these settings describe, by name.
        beside: names of services that run and are not used.
    """

    settings: Settings
    otherwise: Mapping[str, str] = field(default_factory=dict)
    beside: Sequence[str] = ()


class Harness:
    """Lends the cluster to one experiment at a time; a context manager.

    Nothing is started before the first `use`. On leaving, services that ran before run as they did, and all others
    that were started are stopped.

    Args:
        settings: where the cluster is.
        records_classes: whether Spark's classes are recorded where they are not yet, which is an application of its own.
    """

    def __init__(self, settings: Settings, *, records_classes: bool = True) -> None:
        self.settings = settings
        self._may_record = records_classes
        self.cluster = Cluster(settings)
        self._lock: IO[str] | None = None
        self._before: frozenset[str] = frozenset()
        self._used = False
        self._shape: Shape | None = None
        self._recording: Future[None] | None = None

    @property
    def external(self) -> bool:
        """Whether the master is somebody else's, with workers that cannot be reshaped."""
        return self.settings.spark.master is not None

    def __enter__(self) -> Self:
        self._lock = _take_lock(self.settings.run_dir)
        there = ("running", "died")  # who died is started again, for whoever wanted it
        self._before = frozenset(item.name for item in self.cluster.status() if item.state in there)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._lock is not None
        with self._lock:
            try:
                if self._used:
                    self._give_back()
            finally:
                if self._recording is not None:
                    wait([self._recording])  # it writes into the run folder, whatever comes of it

    def use(self, shape: Shape, *, measured: bool = True) -> None:
        """Bring the workers to a shape; the dead are started again.

        Args:
            shape: of the workers.
            measured: whether applications are to be measured on it: they all start from the archive of Spark's classes,
                which others need not wait for.

        Raises:
            ServiceError: they did not come up, a limit cannot be enforced, or an application of others holds too many cores.
        """
        if self.external:
            if shape.backend:
                raise ServiceError(
                    f"backend = {shape.backend!r} cannot be used with the workers of {self.settings.spark.master}, which "
                    "recscale did not start: leave it out of the spec, or unset spark.master"
                )
            if shape.limits:
                raise ServiceError(
                    f"{', '.join(shape.limits)} cannot be enforced on the workers of {self.settings.spark.master}, which "
                    "recscale did not start: limit them where they run and leave it out of the spec, or unset spark.master"
                )
            return
        self._used = True
        self._move(shape.backend or self.settings.backend)
        self._record_classes(self.cluster.driver_host)
        self._shape = replace(shape, workers=self._beside(shape))
        self.cluster.reshape(self._shape)
        if measured:
            self._await_classes()

    def restart_dead(self) -> None:
        """Start again the workers in use that died, while an application of this harness goes on.

        Raises:
            ServiceError: they did not come up.
        """
        if self._shape is not None:
            self.cluster.reshape(self._shape)

    def _beside(self, shape: Shape) -> int:
        """Return how many workers there must be for a trial of this shape beside what runs on them.

        An application that has just ended or died is listed for a moment more: it is waited for.
        """
        if not self.cluster.endpoint(SPARK):
            return shape.workers
        (page,) = (service.page for service in self.cluster.describe() if service.name == "spark-master")
        end = time.monotonic() + _LEAVING_S
        while True:
            try:
                return neighbours(page).kept(shape)
            except ServiceError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.2)

    def driver_host(self, backend: str = "") -> DriverHost:
        """Return the host of drivers under a backend, by default the settings'; it is made ready to be asked.

        Raises:
            ServiceError: it cannot be.
        """
        cluster = Cluster(self._under(backend or self.settings.backend))
        cluster.prepare()
        self._record_classes(cluster.driver_host)
        self._await_classes()
        return cluster.driver_host

    def _record_classes(self, driver_host: DriverHost) -> None:
        """Begin to record the archive of Spark's classes, unless it is there or was tried before."""
        archive = driver_host.class_archive
        wanted = self._may_record and not self.external and self._recording is None
        if not wanted or archive is None or archive.option:
            return
        logger.info("recording which classes Spark's processes need, once: they start faster from then on")
        environment, _ = for_driver(driver_host, java_of(self.cluster.settings))

        def recorded() -> None:
            try:
                record(archive, self.settings, driver_host.python, environment)
            except ServiceError as error:
                logger.warning("going on without: %s", error)

        pool = ThreadPoolExecutor(1)
        self._recording = pool.submit(recorded)
        pool.shutdown(wait=False)

    def _await_classes(self) -> None:
        """Wait until the archive is recorded, if that was begun."""
        if self._recording is not None:
            self._recording.result()

    def _under(self, backend: str) -> Settings:
        return self.settings if backend == self.settings.backend else replace(self.settings, backend=backend)

    def _move(self, backend: str) -> None:
        """Have Spark run under a backend: both want the same ports, so the other one's stops."""
        if backend != self.cluster.settings.backend:
            self.cluster.down({"spark"})
            self.cluster = Cluster(self._under(backend))

    @property
    def default_store(self) -> str:
        """The settings' store; else one whose service runs or is external, else files."""
        if self.settings.store is not None:
            return self.settings.store
        services = {name: storage.service for name, storage in STORAGES.items() if storage.service}
        running = (name for name, service in services.items() if self.cluster.endpoint(service))
        return next(running, PARQUET)

    def reach(self, store: str) -> dict[str, str]:
        """Return the Spark settings that an application needs to reach a store, which is started if it must be.

        Raises:
            ServiceError: it did not come up.
        """
        storage = STORAGES[store]
        if storage.service and self.cluster.settings.backend != self.settings.backend:
            raise ServiceError(
                f"the store {store} runs under the backend {self.settings.backend} and cannot be used from the other one: a spec "
                'that compares backends keeps its tables in files (store = "parquet")'
            )
        self._used = self._used or bool(storage.service)
        addresses = self.cluster.ensure(storage.service) if storage.service else ()
        jars = self.cluster.driver_host.jars(storage.jars) if storage.jars else ""
        return spark_settings_of(store, self.settings, addresses, jars)

    def met(self, stores: Collection[str]) -> Met:
        """Return what trials meet whose tables lie in these stores.

        Spark is brought to each trial's shape. Servers of stores that run stay as they are, whatever the settings say.

        Raises:
            JobError: the servers of a store do not answer.
        """
        storages = [STORAGES[store] for store in stores if STORAGES[store].service]
        services = {storage.service for storage in storages}
        settings = self.settings
        for storage in storages:
            running = self.cluster.endpoint(storage.service)
            if running:
                settings = as_running(settings, storage, running)
            else:
                settings = SERVICES[storage.service].needed(settings)
        otherwise = Cluster(settings).otherwise(services) if services else {}
        return Met(settings, otherwise, self.cluster.beside({SPARK, *services}))

    def launch(
        self,
        request: Request,
        folder: Path,
        shape: Shape,
        timeout_s: float,
        follow: Callable[[Event], None] = lambda _: None,
        *,
        runtime: Runtime = HERE,
    ) -> Launched:
        """Run one application on the workers as they are now, with the sources and the Python of `runtime`."""
        return self.launch_parts([Part(request, folder, timeout_s, follow)], folder, shape, runtime=runtime)[
            0
        ]

    def launch_parts(
        self, parts: Sequence[Part], folder: Path, shape: Shape, *, runtime: Runtime = HERE
    ) -> list[Launched]:
        """Run one application in whose session several parts run one after another; returns those that began."""
        driver_host = self.cluster.driver_host
        if runtime.python != HERE.python and self.cluster.settings.backend != "local":
            raise UsageError(
                "this revision or package needs Python packages of its own, and the containers have those of this clone: "
                "compare it with the backend local"
            )
        inputs = dict.fromkeys(Path(part.request.dataset_path) for part in parts if part.request.dataset_path)
        store = parts[0].request.store
        driver_host.refuse([*inputs, *files_of(store)])
        environment, own = for_driver(driver_host, java_of(self.cluster.settings), runtime)
        if not STORAGES[store].service:
            driver_host.give_access(
                [Path(root) for root in dict.fromkeys(part.request.store_root for part in parts)]
            )
        launcher = Launcher(
            driver_host=driver_host,
            cluster=None if self.external else self.cluster,
            environment=environment,
            own=own,
            watch_s=driver_host.watch_s,
            workers=frozenset(f"{_WORKER}{number}" for number in range(1, shape.workers + 1)),
            runtime=runtime,
            worker_pids=None
            if self.external or self.cluster.settings.backend != "local"
            else self._worker_pids,
        )
        return launcher.run_parts(parts, folder)

    @property
    def default_shape(self) -> Shape:
        """Return the shape in the settings."""
        return default_shape(self.settings)

    def _worker_pids(self) -> list[int]:
        """Return the processes of the workers on this host."""
        return [
            one.pid for one in self.cluster.running().values() if one.name.startswith(_WORKER) and one.alive
        ]

    def _give_back(self) -> None:
        self._move(self.settings.backend)
        kinds = {kind(name) for name in self._before}
        for service in {storage.service for storage in STORAGES.values()} - kinds - {""}:
            ours = [item.name for item in self.cluster.status() if kind(item.name) == service and item.pid]
            self.cluster.down(ours)
        if "spark-master" not in self._before:
            self.cluster.down({"spark"})
            return
        workers = sum(name.startswith(_WORKER) for name in self._before)
        if workers:
            self.cluster.reshape(replace(self.default_shape, workers=workers))
            return
        started = {item.name for item in self.cluster.status() if item.state in ("running", "died")}
        self.cluster.down({name for name in started if name.startswith(_WORKER)})


def _take_lock(run_dir: Path) -> IO[str]:
    """Hold the cluster for this process; the lock goes with the process, however it ends."""
    folder = run_dir / "experiments"
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise ServiceError(
            f"another experiment uses this cluster (process {holder}); two at once would disturb each other's times. "
            "Wait for it, or give this one a cluster of its own: --cluster-set run_dir=/folder and other ports"
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
