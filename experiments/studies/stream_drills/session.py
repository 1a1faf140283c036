"""Runs drills of streams one after another, each on a cluster of its own, and keeps what came of each; finished ones are not done again."""

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.lifecycle import Cluster
from cluster.settings import Settings
from core.errors import RecordingError, UsageError
from experiments.run.identity import code_hash, lock_hash
from experiments.run.own_cluster import own_cluster
from experiments.run.producing import LEDGER, LOG
from experiments.studies.stream_drills.course import drilled
from experiments.studies.stream_drills.drill import FEEDBACK, Ground, StreamDrilled
from experiments.studies.stream_drills.kinds import DRILLS
from experiments.studies.stream_drills.record import NAME, keep, kept, record_missing

logger = logging.getLogger(__name__)

_SIZES = ("kafka.brokers=1", "cassandra.nodes=1", "spark.cores=1", "spark.memory=1g")


@dataclass(frozen=True)
class Session:
    """Drills of some kinds with some seeds; `settings` name the run folder and memory."""

    settings: Settings
    kinds: Sequence[str]
    seeds: Sequence[int]
    total: int

    @property
    def place(self) -> Path:
        """Folder with what came of each drill."""
        return self.settings.run_dir / "experiments" / NAME

    def run(self, *, leave_out: bool = False) -> list[StreamDrilled]:
        """Run what is not done yet, and return all that these kinds and seeds have come to.

        Args:
            leave_out: pass over kinds that cannot be done here instead of refusing.

        Raises:
            UsageError: one cannot be done here, and nothing was started.
            JobError, ServiceError: as of `experiments.studies.stream_drills.course.drilled`.
        """
        kinds = [kind for kind in self.kinds if self._possible(kind, leave_out=leave_out)]
        if not kinds:
            raise UsageError("none of the drills can be done here (see above)")
        identity = f"{code_hash()} {lock_hash()}"
        done = []
        for kind in kinds:
            for seed in self.seeds:
                done.append(self._kept(kind, seed, identity) or self._drill(kind, seed, identity))
                logger.info(
                    "drill %s: %s", done[-1].name, "reconciled" if done[-1].good else "NOT reconciled"
                )
                self._record()
        return done

    def _record(self) -> None:
        """Record what the record lacks, that of earlier drills too."""
        try:
            record_missing(self.settings, Cluster(self.settings).address("mlflow"), self.place)
        except RecordingError as error:
            told = "could not be recorded, stays in %s and will be with the next drill: %s"
            logger.warning(told, self.place, error)

    def _possible(self, kind: str, *, leave_out: bool) -> bool:
        refused = DRILLS[kind].refusal()
        if refused and not leave_out:
            raise UsageError(f"no drill {kind}: {refused}")
        if refused:
            logger.warning("left out %s: %s", kind, refused)
        return not refused

    def _kept(self, kind: str, seed: int, identity: str) -> StreamDrilled | None:
        """Return what came of a drill that was done with the same code and packages; None if it is to be done."""
        found = kept(self.place / f"{kind}-{seed}-{self.total}")
        return found if found is not None and found.identity == identity and found.good else None

    def _drill(self, kind: str, seed: int, identity: str) -> StreamDrilled:
        drill = DRILLS[kind]
        folder = self.settings.run_dir.resolve() / NAME / f"{kind}-{seed}-{self.total}"
        sets = [*_SIZES, f"spark.workers={drill.setting.workers}"]

        def clear(old: Cluster) -> None:
            drill.clear(Ground("", 0, 0, old.settings, drill.setting, old))

        with own_cluster(self.settings, folder, sets, clear) as cluster:
            ground = Ground(kind, seed, self.total, cluster.settings, drill.setting, cluster)
            logger.info("drill %s: %s", folder.name, drill.what)
            drill.prepare(ground)
            try:
                cluster.up({"spark", "kafka", *({"cassandra"} if FEEDBACK in drill.setting.streams else ())})
                found = drilled(ground, drill, identity)
            finally:
                cluster.down()
                drill.clear(ground)
        left = self.place / found.name
        left.mkdir(parents=True, exist_ok=True)
        for name in (LEDGER, LOG):
            shutil.copy(folder / name, left / name)
        keep(found, self.place)
        if found.good:  # what a bad one left is for whoever looks for the reason
            shutil.rmtree(folder)
        return found
