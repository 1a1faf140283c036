"""Start services in the order of their requirements, wait until they are ready, and stop them in reverse."""

import dataclasses
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from cluster import security
from cluster.backends.docker.backend import Docker
from cluster.backends.local.backend import Local
from cluster.dependencies import backwards, layers, stopping, with_dependents, with_required
from cluster.driver_host import DriverHost
from cluster.log_files import tail
from cluster.readiness import wait
from cluster.service import Backend, Running, Service, Shell
from cluster.services import SERVICES, described
from cluster.settings import Settings
from cluster.shape import Shape
from cluster.status import Status, of_external, of_running, of_stopped
from core.errors import ServiceError, UsageError
from core.lock import locked, undisturbed
from core.options import nearest

logger = logging.getLogger(__name__)

BACKENDS: dict[str, Callable[[Settings], Backend]] = {"local": Local, "docker": Docker}


class Cluster:
    """Services that the settings describe.

    Args:
        settings: say which services run, where, and how many.
    """

    def __init__(self, settings: Settings) -> None:
        self._take(settings)

    def up(self, only: Collection[str] | None = None) -> list[str]:
        """Start missing services and wait until all are ready; repeating it is harmless.

        Services that run with other settings are restarted, surplus ones are stopped. If it fails or is interrupted,
        the services that this call started are stopped again.

        Args:
            only: groups ("spark", "mlflow") or names of services; those that they require are started too.

        Returns:
            Names of the services that were started.

        Raises:
            ServiceError: a service did not start; with the end of its log and the next step.
        """
        for service in self._select(self.describe(), only):  # refuse a wrong name before making folders
            if service.refusal:  # refuse before stopping anything
                raise ServiceError(service.refusal)
        with locked(self.settings.run_dir):
            self._backend.prepare(self._select(self.describe(), only))
            self._refuse_without_secret(only)
            self._stop_unfit(only)
            # Described again, as stopped services have released their ports.
            wanted = self._select(self.describe(), only)
            alive = {name for name, record in self._backend.running().items() if record.alive}
            missing = {s.name for s in wanted if not s.external and s.name not in alive}
            try:
                self._bring_up(wanted, missing)
            except BaseException:
                self._undo([service for service in wanted if service.name in missing])
                raise
            return [service.name for service in wanted if service.name in missing]

    def join(self) -> list[str]:
        """Bring this machine's workers to the settings' number and size, for the external master in the settings.

        Returns:
            Names of the workers that were started.

        Raises:
            ServiceError: they did not join, or a master of our own runs in this run folder.
        """
        own = self._backend.running().get("spark-master")
        if own is not None:
            raise ServiceError(
                f"{self.settings.run_dir} already runs a master ({own.url}): `make setup WORKERS=...` gives it workers "
                "on this machine, `make down` stops it, and RECSCALE_RUN_DIR=/folder keeps both apart"
            )
        return self.up({"spark"})

    def prepare(self) -> None:
        """Make what the backend needs before services start, such as the image; may take minutes the first time.

        Raises:
            ServiceError: it is not to be had.
        """
        with locked(self.settings.run_dir):
            self._backend.prepare(self.describe())

    def reshape(self, shape: Shape) -> list[str]:
        """Bring the workers to a shape, and wait until the master lists exactly them; its backend is the cluster's own affair.

        Returns:
            Names of the services that were started, the master too if it was missing.

        Raises:
            ServiceError: they did not start, a limit cannot be enforced here, or the master is external, whose workers
                are not ours to change.
        """
        if self.settings.spark.master is not None:
            raise ServiceError(
                f"the workers of the external master {self.settings.spark.master} cannot be changed here; "
                "unset spark.master (RECSCALE_SPARK_MASTER) to have a cluster started here"
            )
        self._take(shape.of(self.settings))
        return self.up({"spark"})

    def down(self, names: Collection[str] | None = None) -> list[str]:
        """Stop services, dependent ones first, and return the names of those that ran.

        Args:
            names: groups or names; None for all. Services that require one of them are stopped too.

        Raises:
            ServiceError: a service still runs; all others were stopped.
        """
        if not self.settings.run_dir.exists():
            return []
        with locked(self.settings.run_dir):
            records, orphans = self._backend.running(), self._backend.orphans()
            if names is None:
                return self._stop(set(records) | orphans, records)
            known: list[Service | Running] = [*self.describe(), *records.values()]
            groups = {one.name: one.group for one in known} | dict.fromkeys(orphans, "")
            _check_names(names, groups)
            return self._stop({n for n, group in groups.items() if n in names or group in names}, records)

    def status(self) -> list[Status]:
        """Return the state of every described service, and of others that still run."""
        records = dict(self._backend.running())
        statuses = []
        for service in self.describe():
            if service.external:
                statuses.append(of_external(service))
            elif service.name in records:
                statuses.append(of_running(records.pop(service.name)))
            else:
                statuses.append(of_stopped(service))
        return statuses + [of_running(record) for record in records.values()]

    def running(self) -> Mapping[str, Running]:
        """Return the records of services that were started here and not stopped since, by name."""
        return self._backend.running()

    def died(self) -> list[Status]:
        """Return the services that were started here and ended without being stopped."""
        return [of_running(record) for record in self._backend.running().values() if not record.alive]

    def log(self, name: str) -> Path:
        """Return the log file of a service, running or not; the file may not exist.

        Raises:
            UsageError: there is no such service.
        """
        path = self._backend.log(name)
        known = [service.name for service in self.describe()]
        if name not in known and not path.exists():
            raise UsageError(f"unknown service {name!r}: {nearest(name, known)}")
        return path

    def log_tail(self, name: str, lines: int = 20) -> str:
        """Return the last lines of a service's output, empty if it never ran."""
        return tail(self.log(name), lines)

    def follow(self, name: str, lines: int) -> Iterator[str]:
        """Yield the last lines of a service's output and then what it adds, for ever; errors as of `log`."""
        self.log(name)
        return self._backend.follow(name, lines)

    def shell(self, name: str) -> Shell:
        """Return the command for an interactive shell in a service's environment.

        Raises:
            UsageError: there is no such service.
            ServiceError: it does not run.
        """
        self.log(name)
        return self._backend.shell(name)

    def clean(self, *, everything: bool) -> list[str]:
        """Remove services' data outside the run folder, images too with `everything`; return what was removed."""
        return self._backend.clean(everything=everything)

    @property
    def driver_host(self) -> DriverHost:
        """Host of applications' drivers."""
        return self._backend.driver_host

    @property
    def spark_master(self) -> str:
        """URL of Spark's master, running or not."""
        return next(service.url for service in self.describe() if service.name == "spark-master")

    def endpoint(self, group: str) -> list[str]:
        """Return the addresses, for clients, of a group's services: the external ones, or ours that run; maybe none."""
        external = self._external(group)
        if external:
            return [address for service in external for address in service.url.split(",")]
        records = self._backend.running().values()
        return [record.url for record in records if record.group == group and record.alive]

    def address(self, group: str) -> str | None:
        """Return the first of a group's addresses for clients, None where none of its services runs."""
        return next(iter(self.endpoint(group)), None)

    def ensure(self, name: str) -> list[str]:
        """Return the addresses of a kind of service, which is started if none of its services runs.

        Args:
            name: key in `cluster.services.SERVICES`. If the settings start none of this kind, as many are started as it
                needs at least.

        Raises:
            ServiceError: they did not start, or the external ones do not answer.
        """
        found = self.endpoint(name)
        if not found:
            self._take(SERVICES[name].needed(self.settings))
        if not found or self._external(name):
            self.up({name})
        return found or self.endpoint(name)

    def otherwise(self, groups: Collection[str]) -> dict[str, str]:
        """Return the digests of services of these groups that run with other settings, by name."""
        digests = self._digests()
        return {
            name: record.digest
            for name, record in self._backend.running().items()
            if record.group in groups and record.alive and digests.get(name) != record.digest
        }

    def beside(self, groups: Collection[str]) -> list[str]:
        """Return the names of running services that are in none of these groups."""
        records = self._backend.running()
        return sorted(name for name, one in records.items() if one.alive and one.group not in groups)

    def _take(self, settings: Settings) -> None:
        """Go on with these settings."""
        self.settings = settings
        self._backend = BACKENDS[settings.backend](settings)

    def _external(self, group: str) -> list[Service]:
        return [service for service in self.describe() if service.group == group and service.external]

    def _digests(self) -> dict[str, str]:
        """Return the digest that each of our services would have if it were started now."""
        ours = [service for service in self.describe() if not service.external]
        return {service.name: security.digest(service, self.settings.run_dir) for service in ours}

    def describe(self) -> list[Service]:
        """Return every service that the settings describe."""
        return described(self.settings, self._backend.place)

    def _select(self, described: list[Service], only: Collection[str] | None) -> list[Service]:
        if only is None:
            return described
        _check_names(only, {service.name: service.group for service in described})
        named = [service for service in described if service.name in only or service.group in only]
        # Numbered services are ready only together, so one adds the others.
        kinds = {service.kind for service in named}
        chosen = with_required({s.name for s in described if s.kind in kinds}, described)
        return [service for service in described if service.name in chosen]

    def _refuse_without_secret(self, only: Collection[str] | None) -> None:
        """Refuse to restart a service without the secret that it has, which would open it to everybody."""
        records = self._backend.running()
        for service in self._select(self.describe(), only):
            record = records.get(service.name)
            if record and record.alive and set(record.secrets) - set(service.secrets):
                raise ServiceError(
                    f"{service.name} was started with a secret (RECSCALE_SPARK_SECRET) and this command has none: set the "
                    "same one, or stop the cluster first (make down) to go on without"
                )

    def _stop_unfit(self, only: Collection[str] | None) -> None:
        """Stop services that died, have no record, have other settings, or are no longer described."""
        described = self.describe()
        groups = {service.group for service in self._select(described, only) if not service.external}
        digests = self._digests()
        records = self._backend.running()
        alive = {name for name, record in records.items() if record.alive}
        there = alive | {service.name for service in described if service.external}
        unfit = {
            name
            for name, record in records.items()
            if record.group in groups
            and (
                name not in alive
                or digests.get(name) != record.digest
                or not there.issuperset(record.requires)
            )
        }
        orphans = self._backend.orphans() & set(digests)
        for name in self._stop(unfit | orphans, records):
            logger.info("stopped %s, which the settings no longer describe", name)

    def _stop(self, names: Collection[str], records: Mapping[str, Running]) -> list[str]:
        """Stop services, dependents first; those that do not depend on one another stop at the same time."""
        chosen = with_dependents(names, list(records.values()))
        known = [record for record in records.values() if record.name in chosen]
        unknown = sorted(chosen - set(records), reverse=True)
        stopped: list[str] = []
        failures: list[str] = []

        def stop(name: str) -> bool:
            try:
                return self._backend.stop(name)
            except ServiceError as error:
                failures.append(str(error))
                return False

        for group in [[name] for name in unknown] + stopping(known):
            with ThreadPoolExecutor(len(group)) as pool:
                stopped += [name for name, ran in zip(group, pool.map(stop, group), strict=True) if ran]
        if failures:
            raise ServiceError("\n".join(failures))
        return stopped

    def _bring_up(self, wanted: list[Service], missing: Collection[str]) -> None:
        """Start missing services, each once those that it requires are ready; return when all are ready."""
        starts: dict[str, float] = {}

        def ready(service: Service) -> None:
            if service.name in starts:
                logger.info(
                    "%s is ready after %.1f s", service.name, time.monotonic() - starts.pop(service.name)
                )

        for layer in layers(wanted):
            required = {name for service in layer for name in service.requires}
            wait([service for service in wanted if service.name in required], self._backend, ready)
            for service in layer:
                if service.name in missing:
                    logger.info("starting %s", service.name)
                    starts[service.name] = time.monotonic()
                    self._backend.start(service)
        wait(wanted, self._backend, ready)

    def _undo(self, services: list[Service]) -> None:
        with undisturbed():
            for service in backwards(services):
                with suppress(ServiceError):  # the first error is the one to show
                    self._backend.stop(service.name)


def in_use(settings: Settings, service: str | None = None) -> list[Settings]:
    """Return the settings once for each backend that runs services of the run folder, their own backend first.

    If no backend runs any or can be asked, the settings are returned unchanged.

    Args:
        settings: of any backend.
        service: consider only backends that run this one.
    """
    found = []
    for backend in sorted(BACKENDS, key=lambda name: name != settings.backend):
        one = dataclasses.replace(settings, backend=backend)
        with suppress(ServiceError):  # without a Docker daemon there are no containers
            running = BACKENDS[backend](one).running()
            if service in running or (service is None and running):
                found.append(one)
    return found or [settings]


def _check_names(names: Collection[str], groups: Mapping[str, str]) -> None:
    known = set(groups) | set(groups.values()) - {""}
    for name in names:
        if name not in known:
            raise UsageError(f"unknown service {name!r}: {nearest(name, known)}")
