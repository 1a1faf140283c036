"""`stream-demo`: messages, lake and Cassandra, a proof that nothing is lost, a model and its recommendations, in one command."""

import json
import logging
import os
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from cluster import configuration
from cluster.jvm.environment import SHORT_LIVES
from cluster.lifecycle import Cluster
from cluster.settings import Settings
from core.errors import JobError
from core.units import count_text, positive, size_text, time_text
from datasets.__main__ import main as datasets
from datasets.topics.admin import make_declared
from datasets.topics.connection import Connection
from datasets.topics.declared import DEAD_LETTERS
from experiments.cli import arguments as shared
from experiments.cli.commands import Command
from experiments.cli.commands.reconcile import told
from experiments.cli.commands.stream_model import changed, stream_model
from experiments.metric_table import BIAS, MEAN, RMSE
from experiments.page.tables import Table
from experiments.page.text_tables import as_text
from experiments.report.show import finish
from experiments.run.alone import fresh
from experiments.run.harness import Harness
from experiments.run.progress import Progress
from experiments.run.reconciling import erased, forget, reconcile
from experiments.run.runner import Sweep
from experiments.run.streams import Asked, run
from experiments.spec import loading as spec
from experiments.studies.freshness.one_like import like
from experiments.studies.volume.growth import SPANS, a_second
from experiments.studies.volume.measured import in_lake, measured
from jobs.apps.train import MODEL_FOLDER

logger = logging.getLogger(__name__)

FOLDER = "stream-demo"
_LISTS = "stream_lists"
SETS = ("kafka.brokers=1", "cassandra.nodes=1")
WORKER = ("spark.workers=1", "spark.cores=2")
"""Workers that are started, where none run: with two each application would warm up a second JVM for a few thousand rows."""

STREAMS = ("lake", "feedback")
RATE = 1_000

_INVENTED = {"users": 2_000, "movies": 600, "series": 200, "tracks": 2_000}
_FOLLOWED = {"ratings": 20_000, "events": 20_000}
_BAD = "0.01"
_CANDIDATES = 50
"""Titles that are rated for each user: an example needs fewer than a model does that somebody uses."""


@dataclass
class Demo:
    """One run of the demo.

    Attributes:
        share: of the usual number of messages.
        rows: of the table at the end: step, seconds, what came of it.
        lists: of one person before and after a like.
    """

    settings: Settings
    share: float
    rows: list[list[str]] = field(default_factory=list)
    lists: str = ""

    @property
    def folder(self) -> Path:
        """Folder of ledgers and results."""
        return self.settings.run_dir / FOLDER

    def run(self, forget: str | None) -> None:
        """Do all steps; what they started is stopped after them.

        Args:
            forget: key of a person who is erased before the model is fitted; None for nobody.

        Raises:
            RecscaleError: a step failed.
        """
        fresh(self.folder)
        cluster = Cluster(self.settings)
        before = {status.name for status in cluster.status() if status.state == "running"}
        try:
            self._step("Kafka", lambda: self._services(cluster, {"kafka"}))
            with ThreadPoolExecutor(1) as beside:
                others = beside.submit(
                    self._step, "services", lambda: self._services(cluster, {"cassandra", "spark"})
                )
                self._step("producers", lambda: self._produced(cluster))
                others.result()
            self._step("streams", self._streamed)
            # Both read what the streams have left; an erasure changes it, so it comes between them.
            with ThreadPoolExecutor(1) as beside:
                compared = beside.submit(self._step, "reconciled", self._reconciled)
                if forget is not None:
                    compared.result()
                    self._step(f"{forget} forgotten", lambda: self._forgotten(forget))
                self._step("model", self._modelled)
                compared.result()
            self._step("volume", lambda: self._measured(cluster))
            self._step("a like", self._liked)
        finally:
            cluster.down({status.name for status in cluster.status() if status.pid} - before)

    def table(self) -> Table:
        """Return the numbers of all steps."""
        return Table(["step", "seconds", "what came of it"], self.rows)

    def _step(self, name: str, do: Callable[[], str]) -> None:
        logger.info("== %s", name)
        begin, row = time.perf_counter(), [name, "", "failed, see above"]
        self.rows.append(row)
        row[2] = do()
        row[1] = f"{time.perf_counter() - begin:.0f}"

    def _services(self, cluster: Cluster, groups: Collection[str]) -> str:
        cluster.up(groups)
        return ", ".join(status.name for status in cluster.status() if status.state == "running")

    def _produced(self, cluster: Cluster) -> str:
        brokers = ",".join(cluster.endpoint("kafka"))
        place = ["--brokers", brokers, "--cache", str(self.settings.run_dir / "data")]
        place += ["--data", str(self.settings.data)] if self.settings.data else []
        acknowledged = bad = 0
        make_declared(Connection.of(brokers.split(",")))
        for name, usual in {**_INVENTED, **_FOLLOWED}.items():
            result, ledger = self.folder / f"{name}.json", self.folder / f"{name}.ledger"
            wanted = ["--total", str(max(1, round(usual * self.share))), "--bad", _BAD]
            kept = ["--ledger", str(ledger), "--result", str(result)]
            _done(datasets(["produce", name, *wanted, *kept, *place]), f"python -m datasets produce {name}")
            values = json.loads(result.read_text(encoding="utf-8"))
            acknowledged += values["acknowledged"]
            bad += sum(values["bad"].values())
        return f"{acknowledged:,} messages acknowledged in {len(_INVENTED) + len(_FOLLOWED)} topics, {bad:,} of them bad on purpose"

    def _streamed(self) -> str:
        spark = self.settings.spark  # nothing runs beside the streams, so they take all of it
        run(self.settings, Asked(STREAMS, spark.workers * spark.cores, drain=True, params={"trigger_s": 0}))
        rows = {size.topic: size.messages for size in in_lake(self.settings.run_dir / "lake")}
        dead = rows.pop(DEAD_LETTERS)
        return f"{sum(rows.values()):,} rows in the lake's {len(rows)} tables, {dead:,} dead letters with their reasons"

    def _reconciled(self) -> str:
        result = reconcile(self.settings, sorted(self.folder.glob("*.ledger")))
        _done(told(result), "make reconcile")
        return f"{result.counts['compared']:,} messages and rows compared: each is where it belongs, exactly once"

    def _modelled(self) -> str:
        trained = stream_model(self.settings, {"data.candidates": _CANDIDATES}, once=True)
        _done(trained.code, "python -m experiments stream-model")
        assert trained.outcome is not None
        metrics = trained.outcome.measured[-1].metrics
        rows = sum(1 for _ in trained.files[0].open(encoding="utf-8")) - 1
        return (
            f"RMSE {metrics[RMSE.key]:.3f} (user and item means {metrics[BIAS.key]:.3f}, mean {metrics[MEAN.key]:.3f}); "
            f"{count_text(rows)} rows in {trained.files[0]}"
        )

    def _liked(self) -> str:
        with Harness(self.settings, records_classes=False) as harness:
            text = (spec.SPECS / f"{_LISTS}.toml").read_text(encoding="utf-8")
            sweep = Sweep(changed(text, {}, _LISTS), self.settings, Progress(), text, adds=True)
            ended = sweep.within(harness)
        _done(finish(sweep, ended, only={key for key, _ in sweep.keyed}), "a training of the model of lists")
        (outcome,) = (item for item in sweep.kept() if item.status == "ok")
        folder = outcome.folder(self.settings.run_dir) / f"app-{outcome.measured[-1].number}" / MODEL_FOLDER
        liked = like(self.settings, folder)
        self.lists = f"{as_text(liked.table())}\n\n{liked.told}"
        return liked.told

    def _measured(self, cluster: Cluster) -> str:
        found = a_second(measured(cluster, self.settings.run_dir), RATE)
        each = ", ".join(f"{size / RATE:,.0f} B in {place}" for place, size in found.items())
        year = size_text(sum(found.values()) * SPANS["year"])
        return f"a message takes {each}; {RATE:,} a second make {year} a year"

    def _forgotten(self, user: str) -> str:
        result = forget(self.settings, user)
        _done(told(result), "make forget")
        return f"{sum(erased(result).values()):,} rows erased from lake, dead letters and Cassandra; reconciled again"


def _done(code: int, command: str) -> None:
    """Refuse to go on after a step that did not end well.

    Raises:
        JobError: it did not.
    """
    if code:
        raise JobError(f"{command} ended with {code}; what it said stands above")


def _run(arguments: Namespace) -> int:
    share = positive(arguments.share, "--share")
    os.environ.setdefault("JAVA_TOOL_OPTIONS", SHORT_LIVES)
    settings = configuration.load([*SETS, *arguments.cluster_set])
    if not Cluster(settings).endpoint("spark"):
        settings = configuration.load([*SETS, *WORKER, *arguments.cluster_set])
    demo = Demo(settings, share)
    begin, verdict = time.perf_counter(), "failed interrupted"
    try:
        demo.run(arguments.forget)
        verdict = f"ok {time_text(time.perf_counter() - begin)}"
    except Exception as error:
        verdict = f"failed {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        raise
    finally:
        lists = f"{demo.lists}\n\n" if demo.lists else ""
        print(f"\n{as_text(demo.table())}\n\n{lists}stream-demo: {verdict}", flush=True)
    return 0


def _arguments(parser_: ArgumentParser) -> None:
    shared.cluster(parser_)
    parser_.add_argument("--share", default="1", help="share of the usual number of messages (default 1)")
    parser_.add_argument(
        "--forget", metavar="USER", help="erase this person, reconcile again, and fit the model without them"
    )


COMMAND = Command(
    "from producers through Kafka, lake and Cassandra to a model, reconciled, with one table of numbers",
    _run,
    _arguments,
)
