"""Measurement of the cost of a stream's guarantees: one application in which all sides take turns, and the file of what came of it."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cluster.lifecycle import Cluster
from cluster.settings import PARQUET, Settings
from core.errors import UsageError
from core.options import nearest
from core.versioned import Kind, unchanged
from experiments.run.lake import run
from experiments.run.streams import kafka
from experiments.run.turns import balanced
from jobs.guarantees.ladders import FEEDBACK, LADDERS, ROOT, Ladder
from jobs.runtime.request import Result

FILE = "cost.json"
JOB = "cost_of_correctness"

_KEPT = Kind("what a stream's guarantees cost", (unchanged,), "It is measured anew")
_CASSANDRA = "cassandra"


@dataclasses.dataclass(frozen=True)
class Asked:
    """Extent of a measurement.

    Attributes:
        stream: whose guarantees.
        rows: messages; bad: share of them that cannot be read.
        repeats: measured rounds; a first one warms up, unless there is one alone.
        cores: tasks at a time.
        most: messages of one micro-batch at most.
        batches: small ones, in which the stream reads all messages once more at the end; 0 for none.
        seed: of the order of turns.
    """

    stream: str
    rows: int = 1_000_000
    bad: float = 0.0
    repeats: int = 3
    cores: int = 2
    most: int = 500_000
    batches: int = 0
    seed: int = 1

    @property
    def ladder(self) -> Ladder:
        """Sides of the stream."""
        return LADDERS[self.stream]


@dataclasses.dataclass(frozen=True)
class Measured:
    """Results of a measurement.

    Attributes:
        seconds: of each side, by its name, one a measured round in their order.
        later: early_p95_s, late_p95_s and late_of_early of small batches; empty where none were asked for.
        environment: tags of host and versions.
        ended_at: seconds since 1970.
    """

    asked: Asked
    seconds: Mapping[str, Sequence[float]]
    later: Mapping[str, float] = dataclasses.field(default_factory=dict)
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    ended_at: float = 0.0


def measure(settings: Settings, asked: Asked) -> Measured:
    """Send messages and let every side take them in, in each round.

    Raises:
        UsageError: an unknown stream, or a number that is not allowed.
        JobError: the topic has messages of others, or a side failed or lost messages.
        ServiceError: a service did not come up.
    """
    if asked.stream not in LADDERS:
        raise UsageError(
            f"no cost of guarantees is known to measure for {asked.stream!r}: {nearest(asked.stream, LADDERS)}"
        )
    if asked.repeats < 1 or asked.cores < 1:
        raise UsageError(f"repeats and cores must be 1 or more, got {asked.repeats} and {asked.cores}")
    store = (_CASSANDRA, ROOT) if asked.stream == FEEDBACK else (PARQUET, "")
    params = {
        "brokers": list(kafka(Cluster(settings), [store[0]])),
        "stream": asked.stream,
        "orders": orders(asked),
        "rows": asked.rows,
        "bad": asked.bad,
        "most": asked.most,
        "batches": asked.batches,
    }
    result = run(settings, JOB, params, cores=asked.cores, repeats=asked.repeats, store=store)
    return measured(asked, result)


def orders(asked: Asked) -> list[list[str]]:
    """Return the order of turns of each round: random, and balanced over them (`experiments.run.turns`)."""
    names = [side.name for side in asked.ladder.every]

    def shuffled(random: np.random.Generator) -> list[str]:
        return [names[place] for place in random.permutation(len(names))]

    return balanced(asked.repeats, f"{asked.stream} {asked.seed}", shuffled)


def measured(asked: Asked, result: Result) -> Measured:
    """Return what a job's result says of the measured rounds."""
    names = [side.name for side in asked.ladder.every]
    seconds = {
        name: [one.seconds for one in result.phases if one.phase == name and one.kind == "repeat"]
        for name in names
    }
    return Measured(asked, seconds, dict(result.metrics))


def keep(found: Measured, place: Path) -> Path:
    """Write what was found to its folder, whole or not at all; return the file."""
    place.mkdir(parents=True, exist_ok=True)
    _KEPT.write(place / FILE, dataclasses.asdict(found))
    return place / FILE
