"""Drains backlogs at all points in rounds, each on a cluster of its own; what was measured is not measured again."""

import dataclasses
import logging
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from cluster.settings import Settings
from cluster.shape import Shape
from core.errors import JobError
from datasets.topics.admin import make_declared
from datasets.topics.connection import Connection
from experiments.results.outcome import new_attempt
from experiments.run import environment
from experiments.run.identity import code_hash, lock_hash
from experiments.run.own_cluster import own_cluster
from experiments.run.turns import balanced
from experiments.studies.rates.rig import Drained, Rig
from experiments.studies.rates.subjects import Subject
from experiments.studies.stream_scaling.measured import Measured, keep, kept, name_of
from experiments.studies.stream_scaling.points import Plan, Point
from jobs.streams import STREAMS

logger = logging.getLogger(__name__)

NAME = "stream_scaling"
"""Name of the folder with what was measured, and of the experiment in MLflow."""

BATCHES = 10
"""Micro-batches in which a backlog is read; the first is left out."""


@dataclass(frozen=True)
class Session:
    """Points that are measured for a stream.

    Attributes:
        settings: name the run folder.
        rounds: measurements of each point. All points are measured once before any is measured again.
        backlog: messages that are drained.
    """

    settings: Settings
    subject: Subject
    plan: Plan
    rounds: int
    backlog: int

    @property
    def place(self) -> Path:
        """Folder with what was measured."""
        return self.settings.run_dir / "experiments" / NAME

    @property
    def order(self) -> list[tuple[int, Point]]:
        """Rounds and points in the order in which they are measured."""
        points = self.plan.points
        orders = balanced(
            self.rounds,
            f"{self.subject.name} {self.plan}",
            lambda random: [points[place] for place in random.permutation(len(points))],
        )
        return [(number, point) for number, order in enumerate(orders, start=1) for point in order]

    def run(self) -> list[Measured]:
        """Measure what is not measured yet, and return all measurements of these points and rounds.

        One that fails is told and left out; the next run measures it again.

        Raises:
            ServiceError: a service did not come up.
        """
        attempt, found = new_attempt(), []
        for place, (number, point) in enumerate(self.order, start=1):
            told = f"{place} of {len(self.order)}: {point}, round {number}"
            one = self._kept(point, number)
            if one is not None:
                logger.info("%s: measured before, %s messages a second", told, f"{one.per_s:,.0f}")
                found.append(one)
                continue
            logger.info("%s: a backlog of %s messages", told, f"{self.backlog:,}")
            try:
                found.append(self._measure(point, number, attempt))
            except JobError as error:
                logger.error("%s failed: %s", told, error)
                continue
            keep(found[-1], self.place)
            logger.info("%s: drained at %s messages a second", told, f"{found[-1].per_s:,.0f}")
        return found

    @property
    def identity(self) -> str:
        """Everything besides point, round and backlog that a measurement depends on."""
        sending, most = self.subject.sending, self._most
        return f"{code_hash()} {lock_hash()} {sending.dataset} {sending.seed} {most}"

    @property
    def _most(self) -> int:
        return -(-self.backlog // BATCHES)

    def _kept(self, point: Point, number: int) -> Measured | None:
        """Return what was measured with the same code and packages; None if it is to be measured."""
        one = kept(self.place / name_of(self.subject.name, point, self.backlog, number))
        return one if one is not None and one.identity == self.identity and one.good else None

    def _measure(self, point: Point, number: int, attempt: str) -> Measured:
        name = name_of(self.subject.name, point, self.backlog, number)
        folder = self.settings.run_dir.resolve() / NAME / name
        begin = time.perf_counter()
        with own_cluster(self.settings, folder, sets(point)) as cluster:
            try:
                cluster.up({"spark", "kafka", *STREAMS[self.subject.stream].services})
                make_declared(Connection.of(cluster.ensure("kafka")), point.partitions)
                drained = self._drained(cluster.settings, point, folder)
                described = environment.describe(cluster.driver_host)
            finally:
                cluster.down()
        if not drained.differences:  # what a bad one left is for whoever looks for the reason
            shutil.rmtree(folder)
        shape = Shape(point.workers, 1, self.subject.memory)
        return Measured(
            stream=self.subject.name,
            point=point,
            round=number,
            backlog=self.backlog,
            messages=drained.messages,
            per_s=drained.per_s,
            differences=drained.differences,
            seconds=time.perf_counter() - begin,
            tag=shape.tag(environment.host()["host.cores"]),
            identity=self.identity,
            attempt=attempt,
            environment=described,
            ended_at=time.time(),
        )

    def _drained(self, settings: Settings, point: Point, folder: Path) -> Drained:
        subject = dataclasses.replace(self.subject, cores=point.workers, most=self._most)
        return Rig(settings, subject, folder / "rates").drain(self.backlog)


def sets(point: Point) -> list[str]:
    """Return the settings of a point's cluster; its one Cassandra node starts for a stream that writes there."""
    return [
        f"kafka.brokers={point.brokers}",
        f"spark.workers={point.workers}",
        *("spark.cores=1", "spark.memory=1g", "cassandra.nodes=1"),
    ]
