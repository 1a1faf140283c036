"""Shape of a cluster: how many workers of which size."""

import dataclasses
import math
import re
from dataclasses import dataclass
from typing import Any

from cluster.settings import Settings
from core.errors import UsageError

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

    def of(self, settings: Settings) -> Settings:
        """Return the settings with workers of this shape."""
        values = {name: value for name, value in vars(self).items() if name != "backend"}
        return dataclasses.replace(settings, spark=dataclasses.replace(settings.spark, **values))

    def tag(self, host_cores: int) -> str:
        """Reliability of times on this shape: the driver and the servers need a core too."""
        if self.capacity <= (host_cores - 1) * _ROUNDED:
            return "clean"
        return "shared-host" if self.capacity <= host_cores * _ROUNDED else "oversubscribed"


def default_shape(settings: Settings) -> Shape:
    """Return the shape of the settings: for preprocessing, and for what a spec leaves open."""
    spark = settings.spark
    return Shape(max(1, spark.workers), spark.cores, spark.memory, spark.cpus, spark.pin)
