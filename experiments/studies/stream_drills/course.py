"""The course of a drill: streams run, a part is hit, it is mended, everything is read, everything is compared."""

import itertools
import logging
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import JobError
from datasets.topics.admin import administered, make_declared
from datasets.topics.connection import Connection
from experiments.results.events import Event
from experiments.run import environment
from experiments.run.producing import Producing, Sending
from experiments.run.reconciling import reconcile
from experiments.run.streams import Asked, kafka, run
from experiments.studies.stream_drills.drill import LAKE, Ground, StreamDrill, StreamDrilled
from jobs.streaming import offsets

logger = logging.getLogger(__name__)

_BATCHES, _LEAST = 20, 2000
"""Micro-batches in which a drill's messages are read, at least, and messages of one: fewer are no faster."""

_STUCK_S = 240.0
_DATASET, _PATIENCE = "synthetic/ml-100k", "180s"
_AGAIN = 3


@dataclass
class Course:
    """Follows the application of the streams, and does what is due at each event and at each tick between two.

    Attributes:
        struck: when the part was hit (time of day), None before; mended: when it was there again.
        recovery_s: see `experiments.studies.stream_drills.drill.StreamDrilled`.
        over: whether everything has been read, so that the application was stopped.
    """

    ground: Ground
    drill: StreamDrill
    producer: Producing
    brokers: tuple[str, ...]
    struck: float | None = None
    mended: float | None = None
    recovery_s: float | None = None
    victim: str = ""
    at: int = 0
    restarts: int = 0
    over: bool = False
    batch: int = -1
    _seen: tuple[int, ...] = ()
    _end: int | None = None
    _moved: float = field(default_factory=time.monotonic)

    def __call__(self, event: Event) -> None:
        """Do what is due.

        Raises:
            KeyboardInterrupt: everything has been read, so the application is to end.
            JobError: nothing was committed for minutes.
        """
        if event["event"] == "query_failed":
            self.ground.failures += self.struck is not None
            self.restarts += 1
        self._watch()
        if self.struck is None and self.drill.faulty:
            self._strike()
        elif self.drill.faulty and self.mended is None:
            self._mend()
        elif self.drill.faulty and self.recovery_s is None:
            self._recover()
        elif self.producer.over and self._all_read():
            self.over = True
            raise KeyboardInterrupt

    def _strike(self) -> None:
        share = 0.2 + 0.1 * (self.ground.seed % 4)
        if self.ground.committed(self.ground.setting.watched) < share * self.ground.total:
            return
        self.victim = self.drill.strike(self.ground)
        self.struck = time.time()
        self.at, self.batch = (
            self.ground.committed(self.ground.setting.watched),
            self.ground.batch(self.ground.setting.watched),
        )
        logger.info("drill %s: hit %s after %s messages", self.ground.kind, self.victim, f"{self.at:,}")
        self._moved = time.monotonic()

    def _mend(self) -> None:
        if self.drill.mend(self.ground):
            self.mended = time.time()
            self._moved = time.monotonic()

    def mend_now(self) -> None:
        """Bring back what was hit although the streams do not run."""
        end = time.monotonic() + _STUCK_S
        while self.mended is None and time.monotonic() < end:
            self._mend()

    def _recover(self) -> None:
        """Find the first batch that was committed after the part was there again, by the time of its file."""
        assert self.mended is not None  # it was mended before
        assert self.struck is not None
        for moment in commits(self.ground.checkpoint(self.ground.setting.watched), self.batch):
            if moment > self.mended:
                self.recovery_s = moment - self.struck
                return

    def _all_read(self) -> bool:
        if self._end is None:  # nothing more is sent, so it stays
            with administered(Connection.of(self.brokers)) as broker:
                self._end = sum(one.end for one in broker.held([self.ground.setting.topic]))
        return all(self.ground.committed(stream) == self._end for stream in self.ground.setting.streams)

    def _watch(self) -> None:
        seen = tuple(self.ground.batch(stream) for stream in self.ground.setting.streams)
        if seen != self._seen:
            self._seen, self._moved = seen, time.monotonic()
        elif time.monotonic() > self._moved + _STUCK_S:
            raise JobError(
                f"no batch was committed in {_STUCK_S:.0f} s; logs lie in {self.ground.run_dir / 'streaming'}, the producer's in "
                f"{self.producer.log}"
            )


def commits(checkpoint: Path, after: int = -1) -> list[float]:
    """Return when each batch after this one was committed, by the times of the files, in order."""
    numbers = (number for number in offsets.done(checkpoint) if number > after)
    return [(checkpoint / offsets.COMMITS / str(number)).stat().st_mtime for number in numbers]


def drilled(ground: Ground, drill: StreamDrill, identity: str) -> StreamDrilled:
    """Do a drill once on its own cluster, which is up.

    Raises:
        JobError: the streams stopped for good, or nothing went on.
    """
    begin = time.perf_counter()
    brokers = tuple(kafka(ground.cluster))
    make_declared(Connection.of(brokers))
    with Producing(_sending(ground), brokers, ground.run_dir) as producer:
        course = Course(ground, drill, producer, brokers)
        started = time.time()
        _streamed(ground, course)
        first = commits(ground.checkpoint(LAKE))
    acknowledged, bad = producer.acknowledged()
    compared = reconcile(ground.settings, [producer.ledger])
    pace = [later - earlier for earlier, later in itertools.pairwise(first)]
    return StreamDrilled(
        kind=ground.kind,
        seed=ground.seed,
        total=ground.total,
        victim=course.victim,
        at=course.at,
        cold_start_s=first[0] - started,
        batch_s=statistics.median(pace) if pace else 0.0,
        recovery_s=course.recovery_s,
        restarts=course.restarts,
        acknowledged=acknowledged,
        bad=bad,
        compared=compared.counts["compared"],
        differing=compared.counts["differing"],
        findings=[[str(cell) for cell in row] for row in compared.table[1:] if row[1] != "all equal"],
        reconcile_s=sum(phase.seconds for phase in compared.phases),
        seconds=time.perf_counter() - begin,
        notes=ground.notes,
        identity=identity,
        environment=environment.describe(ground.cluster.driver_host),
        ended_at=time.time(),
    )


def _sending(ground: Ground) -> Sending:
    """Return the messages of a drill."""
    setting = ground.setting
    return Sending(
        setting.topic,
        ground.total,
        max(1, round(ground.total / setting.rate_s)) if setting.rate_s else None,
        ground.seed,
        _DATASET if setting.topic in ("events", "ratings") else "",
        (
            *("--patience", _PATIENCE, "--bad", str(setting.bad)),
            *(("--bad-kinds", setting.kinds) if setting.kinds else ()),
        ),
    )


def _streamed(ground: Ground, course: Course) -> None:
    """Run the streams until everything is read; one that gives up is started again by hand, as a person would.

    Raises:
        KeyboardInterrupt: a person ended it.
        JobError: it gave up too often.
    """
    params = {
        "trigger_s": 0.0,
        "most": max(_LEAST, ground.total // _BATCHES),
        "options": {LAKE: {"topics": [ground.setting.topic]}},
    }
    asked = Asked(ground.setting.streams, params=params)
    for attempt in range(_AGAIN):
        try:
            run(ground.settings, asked, course)
        except KeyboardInterrupt:
            if not course.over:
                raise
            return
        except JobError as error:
            if course.struck is None or attempt + 1 == _AGAIN:
                raise
            ground.notes.append(
                f"the streams gave up and were started again by hand: {str(error).splitlines()[0]}"
            )
            course.restarts += 1
            if course.mended is None:
                ground.failures += 1
                course.mend_now()
