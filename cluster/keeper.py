"""Starts a process below a small shell that outlives it and writes down its exit status.

The system tells an exit status to a process's parent alone, and the command that starts a service ends long before the
service does.
"""

import errno
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

import psutil

from cluster.processes import lives
from cluster.settings import SERVICE_MARKER

UNKNOWN = "ended by itself"
"""Said of a process whose exit status nobody knows."""

_SHELL = "/bin/sh"
# The keeper is asked to end with its whole group and must not, yet what it starts must: a signal that is caught, unlike
# one that is ignored, is none for a new program. It carries no mark, for it is not the service's to be found by.
_KEEP = f"""
trap : TERM INT HUP
ended=$1 mark=$2
shift 2
{SERVICE_MARKER}=$mark {_SHELL} -c 'echo $$ >&0; exec </dev/null 2>&1; exec "$@"' {_SHELL} "$@"
echo $? >"$ended"
"""
_LAST_THREADS_S = 1.0  # a JVM counts as ended when its first thread has; its exit status comes with the last
_POLL_S = 0.01
_SIGNALLED = 128  # a shell's way to say that a signal ended a program: this and the signal's number


class Kept(NamedTuple):
    """A process's number, and the keeper that waits for its end."""

    pid: int
    keeper: subprocess.Popen[bytes]


def start(
    argv: Sequence[str], *, mark: str, ended: Path, output: IO[bytes], cwd: Path, env: Mapping[str, str]
) -> Kept:
    """Start a program in a session of its own, with both its outputs in one file.

    Args:
        argv: its command.
        mark: what its environment and that of all its children says of them.
        ended: the file that its exit status goes to.
        output: where it writes to.
        cwd: its folder.
        env: the rest of its environment.

    Raises:
        OSError: there is no such program, or it cannot be started.
    """
    if shutil.which(argv[0], path=env.get("PATH", os.defpath)) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), argv[0])
    unmarked = {name: value for name, value in env.items() if name != SERVICE_MARKER}
    reader, writer = os.pipe()
    with open(reader, "rb") as said:  # noqa: PTH123 - a descriptor has no path to open
        try:
            keeper = subprocess.Popen(
                [_SHELL, "-c", _KEEP, _SHELL, str(ended), mark, *argv], stdin=writer, stdout=output,
                stderr=subprocess.DEVNULL, cwd=cwd, env=unmarked, start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(writer)
        line = said.readline()
    if not line.strip().isdigit():
        raise ChildProcessError(errno.EAGAIN, os.strerror(errno.EAGAIN), argv[0])
    return Kept(int(line), keeper)


def leave(keeper: int) -> None:
    """Let a keeper whose process has ended write its file and end; it takes milliseconds."""
    with suppress(psutil.Error):
        psutil.Process(keeper).wait(timeout=_LAST_THREADS_S)


def how_it_ended(ended: Path, keeper: int) -> str:
    """Say how a process ended that is gone, for people; only that it did where its keeper was killed too."""
    deadline = time.monotonic() + _LAST_THREADS_S
    while (code := _read(ended)) is None:
        if time.monotonic() > deadline or not _keeps(keeper):
            code = _read(ended)  # it may have been written between the two looks
            break
        time.sleep(_POLL_S)
    return UNKNOWN if code is None else _words(code)


def _read(ended: Path) -> int | None:
    try:
        return int(ended.read_text(encoding="ascii"))
    except (OSError, ValueError):  # not there yet, or not written yet
        return None


def _keeps(keeper: int) -> bool:
    try:
        return lives(psutil.Process(keeper))
    except psutil.Error:
        return False


def _words(code: int) -> str:
    with suppress(ValueError):
        return f"ended by {signal.Signals(code - _SIGNALLED).name}"
    return f"ended with exit status {code}"
