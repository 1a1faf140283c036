"""Trials of freshness: one list alone, then likes through the stream and made at read in turns, beside a lake that has work to do."""

import dataclasses
import datetime as dt
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cluster.lifecycle import Cluster
from cluster.settings import Settings
from core.errors import JobError
from core.versioned import Kind, unchanged
from datasets.topics import declared
from datasets.topics.admin import administered, make_declared
from datasets.topics.connection import Connection as ToKafka
from experiments.run.producing import Producing, Sending
from experiments.run.stores import spark_settings_of
from experiments.run.streams import Asked, kafka
from experiments.run.turns import balanced
from experiments.studies.freshness import invented
from experiments.studies.freshness.probes import AtRead, OfRows, Probe, Prober, Reader
from experiments.studies.freshness.streaming import streaming
from experiments.studies.rates.generator import put_first
from jobs.engine.events import Event as Said
from jobs.engine.list_files import Filed
from jobs.engine.lists import Lists
from jobs.engine.personal import Personal
from jobs.stores import STORAGES
from jobs.stores.cassandra.access import PREFIX, Connection, Keyspace
from jobs.stores.cassandra.feedback import EVENTS
from jobs.stores.cassandra.lists import LISTS, People
from jobs.streaming.offsets import nested
from jobs.streaming.refreshing import Maker

logger = logging.getLogger(__name__)

FILE = "freshness.json"
STREAM, READ = "stream refresh", "made at read"
WAYS = (STREAM, READ)
PARTS = ("sent", "acked", "row", "listed")
"""What a probe's times say, in order, each in seconds since it was to be sent."""

_KEYSPACE = "recscale_freshness"
_LOADS = {100_000: "synthetic/ml-100k", 10_000_000: "synthetic/ml-10m", 100_000_000: "synthetic/ml-100m"}
"""Data sets whose ratings are the lake's messages, by about how many they have."""

_PATIENCE_S = 300.0
_MARGIN_S = 60.0
_LONGEST_WARMUP_S, _AGAIN_S = 180.0, 10.0
_BEHIND_S = 15.0
"""Lag of the lake in seconds, up to which it keeps up: its batches begin every ten."""

_ALONE = 2_000
_KEPT = Kind("freshness of lists", (unchanged,), "It is measured anew")


@dataclass(frozen=True)
class Effort:
    """Size of an experiment.

    Attributes:
        rate: likes a second on average; lake_rate: messages a second that the lake takes in meanwhile.
        warmup_s, measured_s: of each trial; rounds: of both ways.
        people: who like; history: likes of each before.
        items, rank, k: of the model, and length of the lists.
    """

    rate: float = 20.0
    lake_rate: float = 34_000.0
    warmup_s: float = 60.0
    measured_s: float = 120.0
    rounds: int = 1
    people: int = 500
    history: int = 100
    items: int = 26_744
    rank: int = 64
    k: int = 10
    seed: int = 1


@dataclass(frozen=True)
class Trial:
    """One trial.

    Attributes:
        way: of WAYS; round: from 1.
        seconds: of each probe, since it was to be sent, by PARTS.
        lake_lag_s: the lake's largest lag in the measured part; None if it told none.
    """

    way: str
    round: int
    seconds: tuple[tuple[float, ...], ...]
    lake_lag_s: float | None

    def of(self, part: str, share: float) -> float:
        """Return the seconds that this share of the probes took at most up to a part."""
        return float(np.quantile(np.array(self.seconds)[:, PARTS.index(part)], share))


@dataclass(frozen=True)
class Found:
    """Results so far.

    Attributes:
        asked: the effort, as plain values.
        alone_s: seconds of one list after another, of a person's events, on the quiet machine.
        trials: in their order.
        environment: tags of host and versions.
        ended_at: seconds since 1970.
    """

    asked: Mapping[str, Any]
    alone_s: tuple[float, ...]
    trials: tuple[Trial, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    ended_at: float = 0.0

    def median(self, way: str, part: str, share: float) -> float | None:
        """Return the median over rounds of `Trial.of`; None without a trial."""
        found = [one.of(part, share) for one in self.trials if one.way == way]
        return float(np.median(found)) if found else None


def keep(found: Found, place: Path) -> Path:
    """Write what was found, whole or not at all; return the file."""
    place.mkdir(parents=True, exist_ok=True)
    _KEPT.write(place / FILE, dataclasses.asdict(found))
    return place / FILE


def measure(settings: Settings, effort: Effort, folder: Path, note: Callable[[Found], object]) -> Found:
    """Measure how soon lists have likes.

    Args:
        settings: where the cluster is.
        effort: size of the experiment.
        folder: of the model's file, and of the streams while they run.
        note: is given what was found so far, after each trial.

    Raises:
        JobError: a stream or the producer failed, or a like is in no list after a minute.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    filed = invented.model(
        folder / "model", [f"item-{n}" for n in range(effort.items)], effort.rank, effort.seed
    )
    found = Found(dataclasses.asdict(effort), tuple(_alone(filed, effort)))
    logger.info(
        "one list alone: %.2f ms (median), %.2f ms (99%%)", *(1000 * np.quantile(found.alone_s, (0.5, 0.99)))
    )
    bench = _Bench(settings, effort, folder, filed)
    orders = balanced(
        effort.rounds, "freshness", lambda draw: [WAYS[at] for at in draw.permutation(len(WAYS))]
    )
    for number, order in enumerate(orders, start=1):
        for way in order:
            logger.info("round %d of %d: lists by %s", number, effort.rounds, way)
            trial = bench.trial(way, number)
            logger.info(
                "listed after %.0f ms (median), %.0f ms (95%%), %.0f ms (99%%)",
                *(1000 * trial.of("listed", share) for share in (0.5, 0.95, 0.99)),
            )
            found = dataclasses.replace(found, trials=(*found.trials, trial))
            note(found)
    return found


def _alone(filed: Filed, effort: Effort) -> Iterator[float]:
    """Yield the seconds of one person's list after another, from their events in memory, with reasons."""
    personal = Personal(Lists(filed.known), filed.items)
    random = np.random.default_rng(effort.seed)
    now = dt.datetime.now(dt.UTC)
    for number in range(_ALONE + 20):
        liked = random.choice(effort.items, effort.history, replace=False).tolist()
        events = [Said(now, str(item), "like", f"item-{item}", None, None) for item in liked]
        begin = time.perf_counter()
        personal.recommend("somebody", events, now, effort.k)
        if number >= 20:  # compiled by then
            yield time.perf_counter() - begin


class _Bench:
    """Place of the trials: each has a keyspace, a lake and checkpoints of its own, which are removed after it."""

    def __init__(self, settings: Settings, effort: Effort, folder: Path, filed: Filed) -> None:
        self.settings, self.effort, self.folder, self.filed = settings, effort, folder, filed
        self.cluster = Cluster(settings)
        self.brokers = kafka(self.cluster, {"cassandra"})
        self.connection = ToKafka.of(self.brokers)
        make_declared(self.connection)
        self.reach = spark_settings_of("cassandra", settings, self.cluster.ensure("cassandra"), "")

    def trial(self, way: str, number: int) -> Trial:
        effort, place = self.effort, self.folder / "streams-of-a-trial"
        people, users = self._people(number)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        self.cluster.driver_host.give_access([self.folder, place])
        names = ("lake", "refresh") if way == STREAM else ("lake",)
        reader: Reader = (
            OfRows(people, self.filed.version)
            if way == STREAM
            else AtRead(people, Maker(self.filed), effort.k)
        )
        prober = Prober(self.connection, reader, users, effort.items, effort.seed * 1000 + number)
        asked = {name: self._asked(name, place) for name in names}
        with streaming(self.settings, asked) as followers, self._load(place):
            lags = followers["lake"].lags
            self._warm(prober, lags)
            lags.clear()
            probes = prober.run(effort.rate, effort.measured_s)
            lag = max(lags, default=None)
        shutil.rmtree(place, ignore_errors=True)
        return Trial(way, number, tuple(map(_seconds, probes)), lag)

    def _warm(self, prober: Prober, lags: Sequence[float]) -> None:
        """Send probes that do not count until the lake has made up for its cold start.

        Raises:
            JobError: it does not keep up.
        """
        effort = self.effort
        prober.run(effort.rate, effort.warmup_s)
        end = time.monotonic() + _LONGEST_WARMUP_S
        while not lags or lags[-1] > _BEHIND_S:
            if time.monotonic() > end:
                raise JobError(
                    f"the lake does not keep up with {effort.lake_rate:,.0f} messages a second on this machine, beside likes and lists: it is "
                    f"{f'{lags[-1]:.0f} s' if lags else 'nobody knows how much'} behind (--lake-rate sets fewer)"
                )
            prober.run(effort.rate, _AGAIN_S)

    def _people(self, number: int) -> tuple[People, list[str]]:
        """Return who likes, with their histories in tables that were made anew."""
        STORAGES["cassandra"].drop(_KEYSPACE.removeprefix(PREFIX), self.reach)
        where = Connection.of(self.reach)
        keyspace = Keyspace(where, _KEYSPACE)
        keyspace.make()
        for table in (EVENTS, LISTS):
            keyspace.create(table.name, table.columns, table.partition, table.clustering, table.descending)
        people, effort = People(where, _KEYSPACE), self.effort
        seed = effort.seed * 1000 + number
        return people, invented.histories(people, effort.people, effort.history, effort.items, seed)

    @contextmanager
    def _load(self, place: Path) -> Iterator[None]:
        """Let the lake have work meanwhile."""
        seconds = self.effort.warmup_s + _LONGEST_WARMUP_S + self.effort.measured_s + _MARGIN_S
        total = round(self.effort.lake_rate * seconds)
        dataset = next((name for rows, name in _LOADS.items() if rows >= 1.1 * total), _LOADS[max(_LOADS)])
        with Producing(
            Sending("ratings", total, self.effort.lake_rate, dataset=dataset), self.brokers, place
        ) as load:
            put_first(load.pid)
            yield
            if load.over:
                raise JobError(
                    f"the lake's messages ended before the trial did (see {load.log}): let it be shorter (--measured), or fewer a "
                    "second (--lake-rate)"
                )

    def _asked(self, name: str, place: Path) -> Asked:
        """Return a stream that begins where its topics end now."""
        with administered(self.connection) as broker:
            begin = {(one.topic, one.partition): one.end for one in broker.held(declared.topics())}
        options = {
            "lake": {"topics": "ratings"},
            "refresh": {
                "model": str((self.folder / "model").resolve()),
                "keyspace": _KEYSPACE,
                "k": self.effort.k,
            },
        }
        params = {"folder": str(place.resolve()), "begin": nested(begin), "options": {name: options[name]}}
        return Asked([name], params=params)


def _seconds(probe: Probe) -> tuple[float, ...]:
    times = [getattr(probe, part) for part in PARTS]
    # A list can be read before the row was: both are looked for in turns.
    row = PARTS.index("row")
    times[row] = times[row] if times[row] is not None else times[-1]
    return tuple(moment - probe.due for moment in times)
