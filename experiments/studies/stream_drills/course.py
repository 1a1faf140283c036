"""The course of a drill: streams run, a part is hit, it is mended, everything is read, everything is compared."""

import itertools
import logging
import math
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import JobError
from datasets.topics.admin import administered, make_declared
from datasets.topics.connection import Connection
from experiments.results.events import Event
from experiments.run import environment
from experiments.run.producing import Producing, Sending
from experiments.run.reconciling import reconcile
from experiments.run.streams import Asked, kafka, run
from experiments.studies.freshness import invented
from experiments.studies.stream_drills.drill import LAKE, REFRESH, Ground, StreamDrill, StreamDrilled
from jobs.streaming import offsets

logger = logging.getLogger(__name__)

_SPREAD = 0.6
"""Share of the messages before the last of several parts is hit: while it is missed there must be others left."""

_BATCHES, _LEAST = 20, 2000
"""Micro-batches in which a drill's messages are read, at least, and messages of one: fewer are no faster."""

_PACE_S = 1.0
"""Seconds between two micro-batches where messages come over time: without a pause each has next to nothing to do."""

_STUCK_S = 240.0
_DATASET, _PATIENCE = "synthetic/ml-100k", "180s"
_AGAIN = 3
_MODEL, _ITEMS, _RANK = "model", 2_000, 16
"""Of the model that lists are made with: most items of _DATASET, and some that it has not."""


@dataclass
class Hit:
    """One part that is hit in the course of a drill.

    Attributes:
        drill: that hits it; watched: stream whose next committed batch shows that all is well again.
        share: of the messages that are committed before.
        struck: when it was hit (time of day), None before; mended: when it was there again.
        victim: what was hit; at: messages that were committed by then; batch: the last one of them.
        recovery_s: from `struck` to the first batch that was committed after `mended`.
    """

    drill: StreamDrill
    watched: str
    share: float
    struck: float | None = None
    mended: float | None = None
    victim: str = ""
    at: int = 0
    batch: int = -1
    recovery_s: float | None = None


@dataclass
class Course:
    """Follows the application of the streams, and does what is due at each event and at each tick between two.

    Attributes:
        send: starts the producer; producer: that was started, None before.
        hits: parts in the order in which they are hit.
        over: whether everything has been read, so that the application was stopped.
    """

    # Spark keeps the files of the last hundred batches only, so each is noted when it is there.

    ground: Ground
    hits: Sequence[Hit]
    send: Callable[[], Producing]
    brokers: tuple[str, ...]
    producer: Producing | None = None
    restarts: int = 0
    over: bool = False
    _committed: dict[int, float] = field(default_factory=dict)
    _seen: tuple[int, ...] = ()
    _end: int | None = None
    _moved: float = field(default_factory=time.monotonic)

    @property
    def first(self) -> float:
        """Time at which the lake's first batch was committed."""
        return min(self._committed.values())

    @property
    def quiet(self) -> list[float]:
        """Times at which batches of the lake were committed before anything was hit, in order."""
        struck = min((one.struck for one in self.hits if one.struck is not None), default=math.inf)
        return sorted(moment for moment in self._committed.values() if moment < struck)

    @property
    def now(self) -> Hit | None:
        """Part whose turn it is, None after the last."""
        return next((one for one in self.hits if one.recovery_s is None), None)

    def __call__(self, event: Event) -> None:
        """Do what is due.

        Raises:
            KeyboardInterrupt: everything has been read, so the application is to end.
            JobError: nothing was committed for minutes, or everything was read before each part was hit.
        """
        if event["event"] == "query_failed":
            self.ground.failures += 1
            self.restarts += 1
        if self.producer is None and event["event"] == "window_start":
            self.producer = self.send()
        self._watch()
        hit = self.now
        if hit is None:
            self._end_if_read()
        elif hit.struck is None:
            self._strike(hit)
        elif hit.mended is None:
            self._mend(hit)
        else:
            _recover(self.ground, hit)

    def _strike(self, hit: Hit) -> None:
        ground = self.ground
        if ground.committed(hit.watched) < hit.share * ground.total:
            return
        if self._all_read():
            raise JobError(
                f"everything was read before {hit.drill.what} was hit: let there be more messages (TOTAL), or spread them over more time"
            )
        ground.failures = 0
        hit.victim = hit.drill.strike(ground)
        hit.struck = time.time()
        hit.at, hit.batch = ground.committed(hit.watched), ground.batch(hit.watched)
        logger.info("drill %s: hit %s after %s messages", ground.kind, hit.victim, f"{hit.at:,}")
        self._moved = time.monotonic()

    def _mend(self, hit: Hit) -> None:
        if hit.drill.mend(self.ground):
            hit.mended = time.time()
            self._moved = time.monotonic()

    def mend_now(self, hit: Hit) -> None:
        """Bring back what was hit although the streams do not run."""
        end = time.monotonic() + _STUCK_S
        while hit.mended is None and time.monotonic() < end:
            self._mend(hit)

    def _end_if_read(self) -> None:
        if self._all_read():
            self.over = True
            raise KeyboardInterrupt

    def _all_read(self) -> bool:
        if self.producer is None or not self.producer.over:
            return False
        if self._end is None:  # nothing more is sent, so it stays
            with administered(Connection.of(self.brokers)) as broker:
                self._end = sum(one.end for one in broker.held([self.ground.setting.topic]))
        return all(self.ground.committed(stream) == self._end for stream in self.ground.setting.streams)

    def _watch(self) -> None:
        seen = tuple(self.ground.batch(stream) for stream in self.ground.setting.streams)
        if seen != self._seen:
            self._seen, self._moved = seen, time.monotonic()
            self._committed |= commits(self.ground.checkpoint(LAKE))
        elif time.monotonic() > self._moved + _STUCK_S:
            told = f", the producer's in {self.producer.log}" if self.producer else ""
            raise JobError(
                f"no batch was committed in {_STUCK_S:.0f} s; logs lie in {self.ground.run_dir / 'streaming'}{told}"
            )


def hits_of(drill: StreamDrill, seed: int) -> list[Hit]:
    """Return the parts that a drill hits, each in its turn."""
    parts = drill.parts
    if len(parts) == 1:
        return [Hit(parts[0], drill.setting.watched, 0.2 + 0.1 * (seed % 4))]
    return [
        Hit(one, one.setting.watched, _SPREAD * number / len(parts)) for number, one in enumerate(parts, 1)
    ]


def _recover(ground: Ground, hit: Hit) -> None:
    """Find the first batch that was committed after the part was there again, by the time of its file."""
    assert hit.struck is not None  # it was mended, so it was hit before
    assert hit.mended is not None
    for batch, moment in sorted(commits(ground.checkpoint(hit.watched)).items()):
        if batch > hit.batch and moment > hit.mended:
            hit.recovery_s = moment - hit.struck
            return


def commits(checkpoint: Path) -> dict[int, float]:
    """Return when each batch was committed whose file is still there, by the times of the files."""
    found = {}
    for number in offsets.done(checkpoint):
        with suppress(FileNotFoundError):  # Spark removes old ones
            found[number] = (checkpoint / offsets.COMMITS / str(number)).stat().st_mtime
    return found


def drilled(ground: Ground, drill: StreamDrill, identity: str) -> StreamDrilled:
    """Do a drill once on its own cluster, which is up.

    Raises:
        JobError: the streams stopped for good, or nothing went on.
    """
    begin = time.perf_counter()
    brokers = tuple(kafka(ground.cluster))
    make_declared(Connection.of(brokers))
    hits = hits_of(drill, ground.seed)
    with ExitStack() as stack:

        def send() -> Producing:
            return stack.enter_context(Producing(_sending(ground), brokers, ground.run_dir))

        course = Course(ground, hits, send, brokers, None if ground.setting.rate_s else send())
        started = time.time()
        _streamed(ground, course)
    producer = course.producer
    assert producer is not None  # everything that it sent was read
    acknowledged, bad = producer.acknowledged()
    if len(hits) > 1:
        ground.notes += [f"{one.victim}: went on after {one.recovery_s:.1f} s" for one in hits]
    compared = reconcile(ground.settings, [producer.ledger])
    pace = [later - earlier for earlier, later in itertools.pairwise(course.quiet)]
    return StreamDrilled(
        kind=ground.kind,
        seed=ground.seed,
        total=ground.total,
        victim=", then ".join(one.victim for one in hits),
        at=hits[0].at if hits else 0,
        cold_start_s=course.first - started,
        batch_s=statistics.median(pace) if pace else 0.0,
        recovery_s=max((one.recovery_s for one in hits if one.recovery_s is not None), default=None),
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
    params: dict[str, Any] = {
        "trigger_s": _PACE_S if ground.setting.rate_s else 0.0,
        "most": max(_LEAST, ground.total // _BATCHES),
        "options": {LAKE: {"topics": [ground.setting.topic]}},
    }
    if REFRESH in ground.setting.streams:
        model = ground.run_dir / _MODEL
        invented.model(model, [str(number) for number in range(_ITEMS)], _RANK, ground.seed)
        params["options"][REFRESH] = {"model": str(model.resolve())}
    asked = Asked(ground.setting.streams, params=params)
    for attempt in range(_AGAIN):
        try:
            run(ground.settings, asked, course)
        except KeyboardInterrupt:
            if not course.over:
                raise
            return
        except JobError as error:
            hit = course.now
            if hit is None or hit.struck is None or attempt + 1 == _AGAIN:
                raise
            ground.notes.append(
                f"the streams gave up and were started again by hand: {str(error).splitlines()[0]}"
            )
            course.restarts += 1
            if hit.mended is None:
                ground.failures += 1
                course.mend_now(hit)
