"""Applications of others on the same workers, for example a stream: what they hold, and what is left for a trial."""

import json
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass

from cluster.shape import Shape
from core.errors import ServiceError
from core.units import mebibytes

_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Worker:
    """A worker as the master lists it: its cores and megabytes, and how many of the cores applications hold."""

    cores: int
    memory: int
    used: int


@dataclass(frozen=True)
class Neighbours:
    """Running applications and the workers.

    Attributes:
        names: of the applications.
        workers: those that are alive.
    """

    names: Sequence[str]
    workers: Sequence[Worker]

    def kept(self, shape: Shape) -> int:
        """Return how many workers there must be for a trial of this shape, so that no application loses one.

        Raises:
            ServiceError: the trial would find too few free ones, or they are of another size.
        """
        if not self.names:
            return shape.workers
        held = sum(worker.used for worker in self.workers)
        free = sum(worker.used == 0 for worker in self.workers)
        told = f"{', '.join(self.names)} holds {held} of {sum(worker.cores for worker in self.workers)} cores of the workers"
        mend = (
            f"Stop it, or start more workers (make down, then make setup WORKERS={len(self.workers) - free + shape.workers} "
            f"CORES={shape.cores} MEMORY={shape.memory}) and it again"
        )
        wanted = (shape.cores, mebibytes(shape.memory))
        if any((worker.cores, worker.memory) != wanted for worker in self.workers) or shape.limits:
            raise ServiceError(
                f"{told}, and a trial on {shape} needs workers of {shape.cores} cores and {shape.memory}, for which these would have to "
                f"be stopped. {mend}"
            )
        if free < shape.workers:
            less = f"use fewer (WORKERS={free}), or " if free else ""
            raise ServiceError(
                f"{told}, so {free} of them are free and a trial on {shape} needs {shape.workers}: {less}{mend[0].lower()}{mend[1:]}"
            )
        return len(self.workers)


def neighbours(page: str) -> Neighbours:
    """Return what the master's page tells; nobody where it does not answer."""
    try:
        with urllib.request.urlopen(f"{page}/json/", timeout=_TIMEOUT_S) as answer:  # noqa: S310 - our own master's page
            told = json.load(answer)
    except (OSError, ValueError):
        return Neighbours((), ())
    return Neighbours(
        tuple(str(one["name"]) for one in told["activeapps"]),
        tuple(
            Worker(int(one["cores"]), int(one["memory"]), int(one["coresused"]))
            for one in told["workers"]
            if one["state"] == "ALIVE"
        ),
    )
