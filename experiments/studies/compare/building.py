"""Run of a program that makes an environment, with its output in a file."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.errors import UsageError
from experiments.results.events import last_lines
from experiments.run.launcher import stop_group


def built(command: Sequence[str], folder: Path, log: Path, environment: Mapping[str, str], what: str) -> None:
    """Run a command to its end; it and all that it started are gone when this returns or is interrupted.

    Args:
        command: the program and its arguments.
        folder: where it runs.
        log: gets its output.
        environment: of its process.
        what: names what is being made, in the error.

    Raises:
        UsageError: it failed; with the end of its output.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=out,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            process.wait()
        finally:
            stop_group(process)
    if process.returncode:
        raise UsageError(
            f"{what} failed (exit code {process.returncode}); nothing of it was kept. Its output ends with:\n"
            f"{last_lines(log, 12)}\n(all of it: {log})"
        )
