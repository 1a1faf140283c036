"""Run of one application by itself, in a folder of its own."""

import shutil
from collections.abc import Callable
from pathlib import Path

from cluster.shape import Shape
from core.errors import JobError
from experiments.results.events import Event, tell_warnings
from experiments.results.parts import Launched
from experiments.run.harness import Harness
from experiments.run.launcher import HERE, Runtime
from jobs.runtime.request import Request, Result

LONG_S = 6 * 3600.0
"""Limit of an application that is not a trial."""


def fresh(folder: Path) -> Path:
    """Return the folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def run_alone(
    harness: Harness,
    request: Request,
    folder: Path,
    shape: Shape,
    *,
    timeout_s: float = LONG_S,
    follow: Callable[[Event], None] = lambda _: None,
    runtime: Runtime = HERE,
) -> Launched:
    """Run a request on the workers as they are now; its folder of work is removed.

    Raises:
        KeyboardInterrupt: a person ended it.
    """
    try:
        launched = harness.launch(request, folder, shape, timeout_s, follow, runtime=runtime)
    finally:
        shutil.rmtree(folder / "work", ignore_errors=True)
    if launched.status == "killed":
        raise KeyboardInterrupt
    return launched


def answer_of(harness: Harness, request: Request, folder: Path, shape: Shape, *, what: str) -> Result:
    """Run a request as `run_alone` does, tell a person the job's warnings, and return its answer.

    Args:
        harness: lends the cluster.
        request: what is run.
        folder: of the request.
        shape: of the workers.
        what: it does, for messages: "preprocessing movielens/1m".

    Raises:
        JobError: the job failed; with the reason and the driver's log.
        KeyboardInterrupt: a person ended it.
    """
    result = run_alone(harness, request, folder, shape, follow=tell_warnings).result
    if result.status != "ok":
        raise JobError(f"{what} failed: {result.error}\n(driver's log: {folder / 'driver.log'})")
    return result
