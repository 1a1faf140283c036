"""A Cassandra node is killed while the trial's data is written to it; it is started again, and the work repeated."""

import dataclasses
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from cluster.services.cassandra import CassandraSettings
from cluster.settings import Settings
from core.errors import JobError, UsageError
from experiments.run.harness import Harness
from experiments.run.prepare import manifest_of
from experiments.spec.trial import Trial
from experiments.studies.drills import act, rows, victims
from experiments.studies.drills.again import Ran
from experiments.studies.drills.drill import Drilled, Ground
from experiments.studies.drills.fault import Fault
from jobs.runtime.request import Request
from jobs.stores import STORAGES

logger = logging.getLogger(__name__)

PHASE = "write"
CASSANDRA = "cassandra"
_TURNS = 3
TABLES = ("ratings", "users", "items", "user_stats", "item_stats")


class Cassandra:
    """Preprocessing is disturbed where it writes its tables; the trial is then run on what stands there.

    It writes to a keyspace of its own, which is dropped in the end. With three nodes and three copies of each row a quorum
    is left: the write must go on, and no row may be missing. With one node, or fewer than a quorum of a row's copies left,
    nothing can be written meanwhile: then the application must say so within seconds, and leave no half table behind.
    """

    what = "a Cassandra node, while the trial's data is written"
    recovered = "the node, started again after the application had ended, serves clients"
    fixed: Mapping[str, Any] = MappingProxyType({"data.store": CASSANDRA})

    def refusal(self, settings: Settings, trial: Trial) -> str | None:
        if settings.of(CassandraSettings).contact_points:
            return (
                f"the nodes {', '.join(settings.of(CassandraSettings).contact_points)} were not started here, and what was not started "
                "here is not killed; unset cassandra.contact_points (RECSCALE_CASSANDRA_CONTACT_POINTS)"
            )
        if trial.data is None or trial.data.store != CASSANDRA:
            return 'its tables must lie in Cassandra: store = "cassandra"'
        return act.on_workers(settings, trial)

    def run(self, ground: Ground) -> Drilled:
        trial = ground.undisturbed.trial
        with Harness(ground.settings) as harness:
            nodes = harness.reach(CASSANDRA)
            harness.use(trial.shape)
            request, usual = _writing(ground, trial)
            private = dataclasses.replace(
                request, store_root=f"{request.store_root}-drill", spark={**request.spark, **nodes}
            )
            try:
                return self._drilled(ground, harness, private, usual)
            finally:
                with suppress(JobError):  # whatever led here is the error to show
                    STORAGES[private.store].drop(private.store_root, private.spark)

    def _drilled(self, ground: Ground, harness: Harness, request: Request, usual: float) -> Drilled:
        fault, ran = _disturbed(ground, harness, request, usual)
        ended = time.perf_counter() - fault.struck()
        came = act.Came(fault, PHASE, ran, ended, fault.usual_s)
        act.swept(ground, came)
        harness.cluster.up({"cassandra"})
        came.recovery_s = time.perf_counter() - fault.struck()
        if not ran.ok:
            came.recomputed_tasks = ran.tasks.succeeded
            came.again = act.applied(ground, harness, request, "again")
        if ran.ok or (came.again is not None and came.again.ok):
            _compare(ground, harness, came, ran.request)
        return act.drilled(ground, came)


def _disturbed(ground: Ground, harness: Harness, request: Request, usual: float) -> tuple[Fault, Ran]:
    """Write and strike; where the write was over before the fault, its own time says when to strike the next one."""
    name = "disturbed"
    for turn in range(2, _TURNS + 2):
        fault = Fault(PHASE, 0, usual, lambda: _hit(ground, harness), follow=ground.progress.follow)
        ran = act.applied(ground, harness, request, name, fault)
        if fault.at is not None or not ran.ok:
            break
        usual, name = ran.seconds(PHASE, 0) or usual, f"disturbed-{turn}"
        logger.info("it had written everything before the fault, in %.1f s", usual)
    return fault, ran


def _writing(ground: Ground, trial: Trial) -> tuple[Request, float]:
    """Return the request that preprocessed the trial's data, and what its writing took.

    Raises:
        JobError: it is not there any more.
    """
    assert trial.data is not None
    run_dir = ground.settings.run_dir
    place = run_dir / "experiments" / "preprocess" / trial.data.slug / "request.json"
    try:
        manifest = manifest_of(run_dir / "store" / trial.data.slug) or {"seconds": {}}
        return Request.load(place), float(manifest["seconds"][PHASE])
    except (OSError, ValueError, KeyError, UsageError) as error:
        raise JobError(
            f"the record of how {trial.data} was preprocessed is missing or damaged ({place}): remove "
            f"{run_dir / 'store' / trial.data.slug} and run the drill again, which preprocesses it again"
        ) from error


def _hit(ground: Ground, harness: Harness) -> str:
    names = [
        item.name for item in harness.cluster.status() if item.name.startswith("cassandra-") and item.pid
    ]
    if not names:
        raise JobError(
            "no Cassandra node runs, so the drill cannot kill one; see make status and make logs S=cassandra-1"
        )
    victims.kill(victims.service(ground.settings.run_dir, names[-1]))
    return f"{names[-1]} of {len(names)}"


def _compare(ground: Ground, harness: Harness, came: act.Came, wrote: Request) -> None:
    """Hold the tables against those that stood before, and a trial on them against the undisturbed one."""
    undisturbed = ground.undisturbed
    plain = dataclasses.replace(wrote, store_root=undisturbed.request.store_root)
    expected, total = 0, 0
    for table in TABLES:
        first, second = rows.read(plain, table), rows.read(wrote, table)
        came.differences += rows.differences(first, second, table)
        expected += first.count if first else 0
        total += second.count if second else 0
    rf = ground.settings.of(CassandraSettings).rf
    came.notes.append(
        f"{total:,} of {expected:,} rows of {len(TABLES)} tables are there, read from a quorum of {rf} "
        f"{'copies' if rf > 1 else 'copy'}, and were compared besides the trial's"
    )
    trained = dataclasses.replace(undisturbed.request, store_root=wrote.store_root)
    last = act.applied(ground, harness, trained, "trial")
    if last.ok:
        act.held(ground, came, last.launched.result.fingerprint, rows.read(last.request, undisturbed.table))
    else:
        came.differences.append(f"trial: it fails on what was written: {last.launched.result.error}")


DRILL = Cassandra()
