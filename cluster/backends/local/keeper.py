"""Start a process below a small shell that records its exit status.

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
"""Text for a process with an unknown exit status."""

_SHELL = "/bin/sh"
# A signal to the process group must end the service but not the keeper. The keeper catches it: unlike an ignored
# signal, a caught one is reset in a new program. The keeper carries no mark, as it is not part of the service.
_KEEP = f"""
trap : TERM INT HUP
ended=$1 mark=$2
shift 2
{SERVICE_MARKER}=$mark {_SHELL} -c 'echo $$ >&0; exec </dev/null 2>&1; exec "$@"' {_SHELL} "$@"
echo $? >"$ended"
"""
_LAST_THREADS_S = 1.0  # a JVM counts as ended before its last threads, which bring the exit status
_POLL_S = 0.01
_SIGNALLED = 128  # a shell reports a signal as this number plus the signal's


class Kept(NamedTuple):
    """Numbers of a process and of the keeper that waits for its end."""

    pid: int
    keeper: subprocess.Popen[bytes]


def start(
    argv: Sequence[str], *, mark: str, ended: Path, output: IO[bytes], cwd: Path, env: Mapping[str, str]
) -> Kept:
    """Start a program in its own session, with stdout and stderr in one file.

    Args:
        argv: the command.
        mark: value of the environment variable that identifies it and its children.
        ended: file for the exit status.
        output: file for its output.
        cwd: its working folder.
        env: the rest of its environment.

    Raises:
        OSError: the program does not exist or cannot be started.
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
    """Wait until the keeper of an ended process has written its file and ended, some milliseconds."""
    with suppress(psutil.Error):
        psutil.Process(keeper).wait(timeout=_LAST_THREADS_S)


def how_it_ended(ended: Path, keeper: int) -> str:
    """Describe the end of a process that is gone; UNKNOWN if its keeper was killed too."""
    deadline = time.monotonic() + _LAST_THREADS_S
    while (code := _read(ended)) is None:
        if time.monotonic() > deadline or not _keeps(keeper):
            code = _read(ended)  # it may have been written since the last read
            break
        time.sleep(_POLL_S)
    return UNKNOWN if code is None else _words(code)


def _read(ended: Path) -> int | None:
    try:
        return int(ended.read_text(encoding="ascii"))
    except (OSError, ValueError):  # not created or not written yet
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
