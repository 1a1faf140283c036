"""Trials: a cluster shape, a data set under its protocol, and one trial of the two."""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from cluster.settings import Settings
from core.errors import UsageError

_FILES = "parquet"  # the store whose tables bear no name of it
SHARED = "shared"
"""In place of a number of applications: trials of one shape run one after another in one application."""

LEAST_CPUS = 0.01
_ROUNDED = 1.001  # six times 0.3335 of a core is meant to be two cores
_MEMORY = re.compile(r"[1-9]\d*[mg]")


@dataclass(frozen=True)
class Shape:
    """Workers of one size.

    Attributes:
        workers: how many.
        cores: of each: how many tasks it runs at a time.
        memory: of each ("2g", "1500m").
        cpus: CPU time a second that each may take, all its processes together, as 0.5; None for no limit.
        pin: whether each runs on cores of its own, round robin over the host's.
        backend: how they are run, "local" or "docker"; empty for the settings'.
    """

    workers: int
    cores: int
    memory: str
    cpus: float | None = None
    pin: bool = False
    backend: str = ""

    def __post_init__(self) -> None:
        for name, count in (("workers", self.workers), ("cores", self.cores)):
            if count < 1:
                raise UsageError(f"{name} of a cluster shape must be 1 or more, got {count}")
        if self.cpus is not None and not LEAST_CPUS <= self.cpus < math.inf:
            raise UsageError(
                f"cpus must be {LEAST_CPUS} or more (processors that each worker may use), got {self.cpus:g}; leave "
                "cpus out for no limit"
            )
        if not _MEMORY.fullmatch(self.memory):
            raise UsageError(
                f"memory must be a whole number with g or m, for example 2g or 1500m, got {self.memory!r}"
            )

    def __str__(self) -> str:
        limit = "" if self.cpus is None else f"@{self.cpus:.3g}"
        where = f" {self.backend}" if self.backend else ""
        return f"w{self.workers}\u00d7{self.cores}c{limit}{' pinned' if self.pin else ''}{where}"

    @property
    def total_cores(self) -> int:
        """Cores of all workers together: how many tasks run at a time."""
        return self.workers * self.cores

    @property
    def capacity(self) -> float:
        """Cores' worth of CPU time that all workers together may take: a limited core counts as its share."""
        each = self.cores if self.cpus is None else min(self.cores, self.cpus)
        return self.workers * each

    @property
    def limits(self) -> dict[str, Any]:
        """Further limits of the workers, by their name in a spec; unset ones are left out."""
        limit: dict[str, Any] = {} if self.cpus is None else {"cpus": self.cpus}
        return limit | ({"pin": True} if self.pin else {})

    def tag(self, host_cores: int) -> str:
        """Reliability of times on this shape: the driver and the servers need a core too."""
        if self.capacity <= (host_cores - 1) * _ROUNDED:
            return "clean"
        return "shared-host" if self.capacity <= host_cores * _ROUNDED else "oversubscribed"


def default_shape(settings: Settings) -> Shape:
    """Return the shape of the settings: for preprocessing, and for what a spec leaves open."""
    spark = settings.spark
    return Shape(max(1, spark.workers), spark.cores, spark.memory, spark.cpus, spark.pin)


@dataclass(frozen=True)
class Data:
    """A data set and what is done to it before any trial.

    Attributes:
        name: `source/variant`.
        options: how the source is read.
        cleaning: parameters of the job `preprocess` that are not its defaults.
        store: where its tables lie; empty until the harness has said which store it is.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    cleaning: Mapping[str, Any] = field(default_factory=dict)
    store: str = ""

    @property
    def slug(self) -> str:
        """Names its tables in this store."""
        return self.tables + (f"-{self.store}" if self.store not in ("", _FILES) else "")

    @property
    def tables(self) -> str:
        """Names its tables in any store: readable, with a short hash where the data set's name does not say all."""
        plain = re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")
        if not self.options and not self.cleaning:
            return plain
        text = json.dumps([dict(self.options), dict(self.cleaning)], sort_keys=True, default=str)
        return f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def __str__(self) -> str:
        given = sorted({**self.options, **self.cleaning}.items())
        return self.name + "".join(f" {key}={value}" for key, value in given)


@dataclass(frozen=True)
class Trial:
    """One job with one set of parameters on one cluster shape.

    Attributes:
        label: short name for people: what tells it from the experiment's other trials, and its shape.
        params: the job's own parameters.
        data: None for a job that makes its own data.
        spark: settings beyond those that every trial gets.
        partitions: Spark's shuffle partitions and default parallelism, the same for all trials of an experiment.
        applications: how many Spark applications, each with `warmups` and then `repeats` passes.
        shared: its one application may be that of other trials, too, one after another in one session.
        timeout_s: seconds after which an application, or the trial's part of one, is stopped and counts as failed.
    """

    job: str
    label: str
    params: Mapping[str, Any]
    shape: Shape
    data: Data | None
    spark: Mapping[str, str]
    partitions: int = 8
    applications: int = 1
    repeats: int = 1
    warmups: int = 0
    timeout_s: float = 1800.0
    shared: bool = False

    def key(
        self,
        digest: str,
        code: str,
        lock: str,
        place: str,
        conditions: Mapping[str, Any] = MappingProxyType({}),
    ) -> str:
        """Return the hash of everything that may change what is measured; the number of applications is not.

        Args:
            digest: of the data set's rows and how they lie in their store; empty without a data set.
            code: hash of the sources of `jobs` and `datasets`.
            lock: hash of the locked packages.
            place: hash of the host, the backend's Java or image, and the driver's memory.
            conditions: of Spark and of the services that the trial uses (`experiments.run.conditions`).
        """
        limits = {**self.shape.limits, **({"backend": self.shape.backend} if self.shape.backend else {})}
        identity = {
            "job": self.job,
            "params": dict(self.params),
            "shape": [self.shape.workers, self.shape.cores, self.shape.memory, *limits.items()],
            "data": [self.data.slug, digest] if self.data else [],
            "spark": dict(self.spark),
            "partitions": self.partitions,
            "passes": [self.warmups, self.repeats],
            "shared": self.shared,
            "code": code,
            "lock": lock,
            "place": place,
            "conditions": dict(conditions),
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()

    @property
    def flat(self) -> dict[str, Any]:
        """Every value that defines it under the name that a spec gives it."""
        values: dict[str, Any] = dict(self.params)
        if self.data:
            values["dataset"] = self.data.name
            values |= {f"dataset.{key}": value for key, value in self.data.options.items()}
            values |= self.data.cleaning
            values["store"] = self.data.store
        values |= {"workers": self.shape.workers, "cores": self.shape.cores, "memory": self.shape.memory}
        values |= self.shape.limits
        values |= {"backend": self.shape.backend} if self.shape.backend else {}
        return values | {f"spark.{key.removeprefix('spark.')}": value for key, value in self.spark.items()}
