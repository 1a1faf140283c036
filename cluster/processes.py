"""Find and end the processes of a service, and no others.

A process is a service's own if its environment carries the service's mark, which its children inherit: executors,
their Python workers, MLflow's helpers. The number in a pid file proves nothing, it may belong to somebody else by now.
"""

import errno
import os
import signal
import socket
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil

from cluster.service import Address, Port
from cluster.settings import SERVICE_MARKER, environment_name

_POLL_S = 0.05
_SAME_START_S = 1.0  # start times come from the wall clock and vary a little
_KILL_S = 10.0
_ABSENT = 2  # consecutive searches that must find nothing: a process in `exec` shows no mark for a moment


def mark(process: psutil.Process) -> str | None:
    """Return the mark in a process's environment; None without a mark, a process, or the right to read it."""
    try:
        return process.environ().get(SERVICE_MARKER)
    except (psutil.Error, OSError):
        return None


def marked(marker: str) -> list[psutil.Process]:
    """Return every living process with this mark, except this one."""
    return [
        process
        for process in psutil.process_iter()
        if process.pid != os.getpid() and mark(process) == marker and lives(process)
    ]


def marks(run: str) -> set[str]:
    """Return the names of all services with living processes whose mark begins with `run` and a colon."""
    found = (mark(process) for process in psutil.process_iter() if process.pid != os.getpid())
    return {
        name for name in (m.removeprefix(run + ":") for m in found if m and m.startswith(run + ":")) if name
    }


def lives(process: psutil.Process) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def find(pid: int, started: float, marker: str) -> psutil.Process | None:
    """Return the process that a pid file records, None if it has ended, even if its number was used again.

    Where the environment can be read the mark decides; else the start time must be the same. A process that is just
    being replaced by another program (a shell's `exec`) shows an empty environment for a moment, so a search that
    finds nothing is repeated.
    """
    for look in range(_ABSENT):
        if look:
            time.sleep(_POLL_S)
        found = _look(pid, started, marker)
        if found is not None or not psutil.pid_exists(pid):
            return found
    return None


def _look(pid: int, started: float, marker: str) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        if not lives(process):
            return None
        environment = _environment(process)
        if environment:
            ours = environment.get(SERVICE_MARKER) == marker
        else:
            ours = abs(process.create_time() - started) < _SAME_START_S
    except (psutil.Error, OSError):
        return None
    return process if ours else None


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.AccessDenied:
        return {}


def end(leader: psutil.Process | None, marker: str, grace_s: float) -> list[psutil.Process]:
    """Ask the leader's process group and all marked processes to stop, and kill the rest after `grace_s`.

    Args:
        leader: the service's first process if it still lives; it has its own session.
        marker: mark in the environment of all its processes.
        grace_s: seconds before force is used.

    Returns:
        Processes that could not be ended.
    """
    _signal_group(leader, marker)
    left = _wait(marker, leader, grace_s)
    for process in left:
        _send(process, signal.SIGKILL)
    return _wait(marker, leader, _KILL_S, force=True) if left else []


def _signal_group(leader: psutil.Process | None, marker: str) -> None:
    reached = None
    if leader is not None:
        with suppress(ProcessLookupError, PermissionError):
            group = os.getpgid(leader.pid)
            if group == os.getsid(leader.pid) != os.getsid(0):  # its own session
                os.killpg(group, signal.SIGTERM)
                reached = group
    for process in marked(marker):  # those outside the group, or all if the leader is gone
        with suppress(ProcessLookupError):
            if os.getpgid(process.pid) != reached:
                _send(process, signal.SIGTERM)


def _wait(
    marker: str, leader: psutil.Process | None, seconds: float, *, force: bool = False
) -> list[psutil.Process]:
    """Return the processes that still live after at most that many seconds."""
    deadline = time.monotonic() + seconds
    absent = 0
    while True:
        left = {process.pid: process for process in marked(marker)}
        if leader is not None and lives(leader):
            left[leader.pid] = leader
        absent = 0 if left else absent + 1
        if absent == _ABSENT or time.monotonic() > deadline:
            return list(left.values())
        if force:
            for process in left.values():
                _send(process, signal.SIGKILL)
        time.sleep(_POLL_S)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.Error):  # it ended meanwhile; psutil does not signal another process with its number
        process.send_signal(number)


def taken(address: Address) -> bool:
    """Whether a process listens on that address already.

    Raises:
        OSError: the host is not an address of this machine, or the port is privileged.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(tuple(address))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise
    return False


def holder(port: int) -> psutil.Process | None:
    """Return the process that listens on a port, None if it is not visible (another account's, a container's)."""
    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections(kind="tcp"):
            listening = connection.status == psutil.CONN_LISTEN and port in connection.laddr
            if listening and connection.pid:
                return psutil.Process(connection.pid)
    return None


def command(process: psutil.Process, width: int = 100) -> str:
    """Return a process's command line, cut at the end if long."""
    try:
        line = " ".join(process.cmdline()) or process.name()
    except psutil.Error:
        return "ended meanwhile"
    return line if len(line) <= width else line[: width - 1] + "…"


def free_port(host: str, avoid: Iterable[int] = ()) -> int:
    """Return a port that is free at the moment."""
    avoided = set(avoid)
    while True:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((host, 0))
            port = int(probe.getsockname()[1])
        if port not in avoided:
            return port


def started(pid: int) -> float:
    """Return the start time of a process in seconds of the epoch, 0 if it has ended."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return 0.0


def describe_taken(port: Port) -> str:
    """Describe the process that holds a port and the setting that changes the port."""
    address = port.published or port.address
    process = holder(address.port)
    if process is None:
        who = "a process that this account cannot see"
    else:
        owner = mark(process)
        ours = f", the service {owner}" if owner else ""
        line = command(process)
        who = f"pid {process.pid}{ours} ({line})"
        if "docker-proxy" in line:
            who = f"a container (docker ps --filter publish={address.port} names it)"
    if port.setting is None:
        return f"port {address} is taken by {who}; run the command again to have another one chosen"
    other = address.port + 1000 if address.port < 64000 else address.port - 1000
    return (
        f"port {address} is taken by {who}; stop that, or take another port: "
        f"--set {port.setting}={other} (environment {environment_name(port.setting)}={other})"
    )
