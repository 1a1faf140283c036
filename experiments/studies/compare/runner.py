"""Run of a comparison: the applications of both sides in turns, each kept on disk as it ends."""

import dataclasses
import hashlib
import json
import logging
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.settings import Settings
from core.errors import JobError, UsageError
from core.files import write_json
from experiments.results.events import Tail
from experiments.results.outcome import Application, Outcome, begin
from experiments.run import environment
from experiments.run.alone import fresh, run_alone
from experiments.run.applications import verdict
from experiments.run.conditions import basis, common, conditions, where
from experiments.run.harness import Harness
from experiments.run.launcher import HERE
from experiments.run.prepare import Prepared, prepare
from experiments.run.progress import Progress
from experiments.run.requests import application_request, store_of
from experiments.run.spark_settings import JAVA_OPTIONS
from experiments.spec.experiment import Experiment
from experiments.spec.trial import Trial
from experiments.studies.compare.ledger import PER_USER, Ledger
from experiments.studies.compare.runtimes import Ready, code_of, ready
from experiments.studies.compare.sides import NAMES, Side, sides_of
from experiments.studies.compare.users import same_rows
from experiments.telemetry import memory, telemetry

logger = logging.getLogger(__name__)

MOST_DISTURBED = 3


@dataclass
class Pairing:
    """One comparison of two sides of a spec.

    Attributes:
        given: what each side was asked to be, by "baseline" and "contender"; nothing makes both the spec's own trial.
        sets: values that both sides share, in place of the spec's.
        pairs: how many there are to be in the end.
        series: tells independent comparisons of the same sides apart; each has an order of its own.
        ledger: what was measured; known once both sides can run.
    """

    experiment: Experiment
    settings: Settings
    progress: Progress
    given: dict[str, dict[str, Any]]
    sets: dict[str, Any] = field(default_factory=dict)
    pairs: int = 10
    series: int = 1
    ledger: Ledger | None = None

    def run(self) -> Ledger:
        """Measure what is missing; every application that ended well is on disk when this returns or raises.

        Raises:
            UsageError: sides that cannot be compared, or a revision or package that does not build.
            JobError: an application failed.
            ServiceError, DataError: cluster or data are not there.
            KeyboardInterrupt: after all that was started was stopped.
        """
        for name, value in (("pairs", self.pairs), ("series", self.series)):
            if value < 1:
                raise UsageError(f"--{name} must be at least 1, got {value}")
        with Harness(self.settings) as harness:
            pair = sides_of(
                self.experiment,
                self.sets,
                self.given["baseline"],
                self.given["contender"],
                harness.default_shape,
            )
            sides = {side.name: _stored(side, harness) for side in pair}
            able = {name: ready(side, self.settings.run_dir) for name, side in sides.items()}
            data = {name: self._prepare(side.trial, harness) for name, side in sides.items()}
            _same_data(data)
            ledger = self.ledger = self._open(harness, able, data)
            missing = self.pairs - ledger.pairs
            self._announce(ledger, missing)
            if missing > 0:
                _Applications(self, harness, able, data, ledger).all()
            return ledger

    def _prepare(self, trial: Trial, harness: Harness) -> Prepared | None:
        if trial.data is None:
            return None
        return prepare(trial.data, harness, [trial.shape], trial.spark)

    def _open(self, harness: Harness, able: dict[str, Ready], data: dict[str, Prepared | None]) -> Ledger:
        fresh = {name: self._outcome(harness, able[name], data[name]) for name in NAMES}
        words = {name: able[name].side.words for name in NAMES}
        same = fresh["baseline"].key == fresh["contender"].key
        about = {"experiment": self.experiment.name, "sides": words, "same": same}
        identity: list[Any] = [[fresh[name].key for name in NAMES], words, environment.host()]
        if self.series != 1:
            identity.append(self.series)
            about["series"] = self.series
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
        return Ledger.open(
            place_of(self.settings.run_dir, self.experiment.name) / key, fresh, {**about, "key": key}
        )

    def _outcome(self, harness: Harness, able: Ready, data: Prepared | None) -> Outcome:
        trial, store = able.side.trial, store_of(able.side.trial)
        driver_host, met = harness.driver_host(trial.shape.backend), harness.met({store})
        further = environment.of_workers(self.settings)
        place = environment.place_hash(self.settings.spark.driver_memory, driver_host, further)
        digests = {data.data.slug: data.digest} if data else {}
        context = {
            "shape_tag": environment.shape_tag(trial.shape, self.settings),
            "basis": basis(able.code, able.lock, place, digests, common(met.settings, {store})),
            "data": data.described if data else {},
            "environment": {
                **environment.describe(driver_host),
                **able.described,
                **further,
                **where(met.settings),
                "services.beside": ", ".join(met.beside),
            },
            "tags": {"side": able.side.name},
        }
        used = conditions(met.settings, trial, store, met.otherwise)
        key = trial.key(data.identity if data else "", able.code, able.lock, place, used)
        return begin(self.experiment.name, dataclasses.replace(trial, applications=self.pairs), key, context)

    def _announce(self, ledger: Ledger, missing: int) -> None:
        words = ledger.about["sides"]
        kept = f", {ledger.pairs} measured before and kept" if ledger.pairs else ""
        logger.info(
            "%s: contender (%s) against baseline (%s), %d pairs%s",
            self.experiment.name, words["contender"], words["baseline"], self.pairs, kept,
        )  # fmt: skip
        if missing > 0 and ledger.alternated:
            logger.warning(
                "%d pairs were measured by an older version in fixed turns (A B, B A); those that are missing come in "
                "random, balanced order", ledger.alternated,
            )  # fmt: skip
        pilots = sum(not ledger.pilots[name].measured for name in NAMES)
        self.progress.total = 2 * missing + pilots if missing > 0 else 0


@dataclass
class _Applications:
    """The applications of one run of a comparison."""

    pairing: Pairing
    harness: Harness
    able: dict[str, Ready]
    data: dict[str, Prepared | None]
    ledger: Ledger

    def all(self) -> None:
        for name in NAMES:
            if not self.ledger.pilots[name].measured:
                self.ledger.add_pilot(name, self._one(name, None, "pilot, not counted"))
        same_rows({name: self.ledger.place(name, None) / PER_USER for name in NAMES})
        self.ledger.plan(self.pairing.pairs)
        lost = 0
        while (pair := self.ledger.pairs) < self.pairing.pairs:
            for name in self.ledger.order(pair):
                what = f"pair {pair + 1} of {self.pairing.pairs}"
                self.ledger.add(name, self._one(name, pair, what))
            if self.ledger.drop_disturbed():
                lost += 1
                self._again(pair, lost)

    def _again(self, pair: int, lost: int) -> None:
        """Say that a pair is measured again; give up where that keeps happening."""
        if lost == MOST_DISTURBED:
            raise JobError(
                f"executors were lost in {lost} pairs, whose times mean nothing: give workers more memory, or find out in "
                "their logs (make logs S=spark-worker-1) why they go; the pairs that ended well are kept"
            )
        progress = self.pairing.progress
        progress.total = (progress.total or 0) + 2
        logger.warning("pair %d lost executors, its times mean nothing: it is measured again", pair + 1)

    def _one(self, name: str, number: int | None, what: str) -> Application:
        side, progress = self.able[name], self.pairing.progress
        trial = side.side.trial
        folder = self.ledger.place(name, number)
        fresh(folder)
        self.harness.use(trial.shape)
        request = application_request(
            self.harness,
            trial,
            self.pairing.experiment.name,
            self.data[name],
            number=number or 0,
            folder=folder,
        )
        python = (
            self.harness.cluster.driver_host.python
            if side.runtime.python == HERE.python
            else side.runtime.python
        )
        own = {**request.spark, "spark.pyspark.python": python}
        if any(item.runtime.python != HERE.python for item in self.able.values()):
            # Another Python has jars of its own, which the archive of classes does not fit: no side uses it then.
            own = {key: value for key, value in own.items() if key not in JAVA_OPTIONS}
        per_user = str((folder / PER_USER).resolve()) if number is None else ""
        request = dataclasses.replace(request, spark=own, per_user=per_user)
        progress.start(f"{what}: {name} ({side.side.words})")
        try:
            launched = run_alone(
                self.harness,
                request,
                folder,
                trial.shape,
                timeout_s=trial.timeout_s,
                follow=progress.follow,
                runtime=side.runtime,
            )
        except KeyboardInterrupt:
            progress.end("interrupted")
            raise
        log, events = telemetry.read(folder / "eventlog"), Tail(Path(request.events)).new()
        digest = memory.digest(log, events, memory.samples(folder))
        write_json(folder / "telemetry.json", digest)
        shutil.rmtree(folder / "eventlog", ignore_errors=True)
        application = Application.of(number or 0, launched, digest)
        progress.end(verdict(application))
        if application.status == "failed":
            raise JobError(
                f"an application of the {name} ({side.side.words}) failed, so nothing can be said of the two: "
                f"{application.error}\n(driver's log: {folder / 'driver.log'}) The pairs that ended well are kept; the "
                "same command goes on from there"
            )
        if code_of(side.runtime) != side.code:
            raise JobError(
                f"the sources of the {name} changed while it was measured: {side.runtime.root}. Leave them alone while "
                "they are compared, or commit them and compare revisions"
            )
        return application


def place_of(run_dir: Path, experiment: str) -> Path:
    """Return the folder of all comparisons of a spec."""
    return run_dir / "comparisons" / experiment


def _stored(side: Side, harness: Harness) -> Side:
    data = side.trial.data
    if data is None or data.store:
        return side
    data = dataclasses.replace(data, store=harness.default_store)
    return dataclasses.replace(side, trial=dataclasses.replace(side.trial, data=data))


def _same_data(data: dict[str, Prepared | None]) -> None:
    first, second = (data[name] for name in NAMES)
    if first and second and first.digest != second.digest:
        raise UsageError(
            f"the two sides read different rows ({first.data} and {second.data}): their times mean different work and "
            "their quality cannot be compared; give both the same data set and the same cleaning"
        )
