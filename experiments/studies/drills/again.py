"""Runs an application that ran before once more, in a folder and with stored tables of its own."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from experiments.results.events import Event
from experiments.results.parts import Launched
from experiments.run.alone import run_alone
from experiments.run.harness import Harness
from experiments.spec.trial import Trial
from experiments.studies.drills.tasks import Tasks, read
from jobs.runtime.request import Request
from jobs.stores import STORAGES

_MADE = ("recommendations_", "similar_items_")  # tables that a trial writes; the others it only reads


@dataclass(frozen=True)
class Ran:
    """An application and what it left."""

    request: Request
    folder: Path
    launched: Launched
    tasks: Tasks

    @property
    def ok(self) -> bool:
        """Whether it ended well."""
        return self.launched.status == "ok"

    def seconds(self, phase: str, pass_: int) -> float | None:
        """Return what one pass of a phase took; None if it did not end."""
        found = [
            time.seconds
            for time in self.launched.result.phases
            if time.phase == phase and time.pass_ == pass_
        ]
        return found[0] if found else None


def run(
    harness: Harness,
    trial: Trial,
    request: Request,
    folder: Path,
    follow: Callable[[Event], None] = lambda _: None,
) -> Ran:
    """Run a request on the trial's shape in `folder`.

    Raises:
        KeyboardInterrupt: a person ended it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    moved = _moved(request, folder, harness)
    launched = run_alone(harness, moved, folder, trial.shape, timeout_s=trial.timeout_s, follow=follow)
    return Ran(moved, folder, launched, read(folder / "eventlog"))


def own_tables(request: Request, folder: Path) -> Request:
    """Return the request with a store of its own that shows the data set's tables and none that a trial made.

    Nobody else's rows are touched then. A store that cannot show another one's tables stays as it is.
    """
    root = STORAGES[request.store].private(request.store_root, folder, _MADE)
    return dataclasses.replace(request, store_root=root)


def _moved(request: Request, folder: Path, harness: Harness) -> Request:
    """Let everything that an application writes go to `folder`, and everything that it reaches be where it is now."""
    old, new = Path(request.events).parent, folder.resolve()
    spark = {
        key: value.replace(old.as_uri(), new.as_uri()).replace(str(old), str(new))
        for key, value in request.spark.items()
    }
    spark |= {**harness.reach(request.store), "spark.master": harness.cluster.spark_master}
    return dataclasses.replace(
        request, spark=spark, work=str(new / "work"), events=str(new / "events.jsonl"), application=0
    )
