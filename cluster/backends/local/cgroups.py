"""CPU limits for services, each enforced by a control group that holds the service and all its children.

Both versions of Linux's control groups are served: v1 by `cpu.cfs_quota_us` (Turner, Rao and Rao, CPU bandwidth control
for CFS, 2010), v2 by `cpu.max`. The kernel counts the CPU time of the whole group, so an executor and its Python workers
share what their worker was given.
"""

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.errors import ServiceError

PERIOD_US = 100_000
_LEAST_QUOTA_US = 1_000  # the kernel takes no less
_REMOVE_S = 5.0
_POLL_S = 0.05
_OWN = Path("/proc/self")
_MEND = (
    "run as root; or, under cgroup v2, where the cpu controller is delegated to this account "
    "(`systemd-run --user --scope -p CPUWeight=100 make ...`); or leave cpus out and use whole cores"
)


@dataclass(frozen=True)
class Hierarchy:
    """Version of the control groups and the folders in which groups with CPU limits can be made, tried in order."""

    version: int
    parents: tuple[Path, ...]


def of(run: Path, service: str, cpus: float | None) -> Path | None:
    """Make the group of a service of this run folder; None for a service without a limit. Errors as in `create`."""
    return None if cpus is None else create(_name(run, service), cpus)


def clear(run: Path, service: str, kept: str | None) -> None:
    """Remove the group of a service that has ended; `kept` is its folder, searched by name if empty.

    Raises:
        ServiceError: something still runs in it.
    """
    for group in [Path(kept)] if kept else places(_name(run, service)):
        remove(group)


def enter(group: Path, argv: tuple[str, ...]) -> tuple[str, ...]:
    """Return a command that first enters a group and then becomes `argv`; it ends with status 71 if it cannot."""
    script = 'echo $$ > "$0" || { echo "cannot enter the control group $0: ' + _MEND.replace("`", "'") + '"; '
    return ("/bin/sh", "-c", script + 'exit 71; }; exec "$@"', str(group / "cgroup.procs"), *argv)


def create(name: str, cpus: float, proc: Path = _OWN) -> Path:
    """Make a group whose processes together get `cpus` processors' time at most.

    Args:
        name: of the group, unique on this machine.
        cpus: seconds of CPU time a second, as 0.5.
        proc: this process's folder in /proc.

    Returns:
        Its folder.

    Raises:
        ServiceError: this machine or account cannot set CPU limits; with the reason and the next step.
    """
    found = hierarchy(proc)
    if found is None:
        raise ServiceError(_refusal(name, cpus, "no cgroup hierarchy with the cpu controller is mounted"))
    reasons = []
    for parent in found.parents:
        group = parent / name
        try:
            group.mkdir(exist_ok=True)
            _limit(group, found.version, cpus)
        except OSError as error:
            with contextlib.suppress(OSError):
                group.rmdir()
            reasons.append(f"{group}: {error.strerror or error}")
        else:
            return group
    why = "; ".join(reasons) or "no group above this process passes the cpu controller on"
    raise ServiceError(_refusal(name, cpus, why))


def remove(group: Path) -> None:
    """Remove a group whose processes have ended; one that is not there is fine.

    Raises:
        ServiceError: something still runs in it.
    """
    deadline = time.monotonic() + _REMOVE_S
    while True:
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"the control group {group} cannot be removed ({error.strerror}): see which processes are in "
                    f"{group / 'cgroup.procs'}, end them, then `rmdir {group}`"
                ) from error
            time.sleep(_POLL_S)  # a process that has just ended leaves its group a moment later
        else:
            return


def places(name: str, proc: Path = _OWN) -> Iterator[Path]:
    """Yield the groups of that name that exist where `create` would look."""
    found = hierarchy(proc)
    yield from (parent / name for parent in (found.parents if found else ()) if (parent / name).is_dir())


def hierarchy(proc: Path = _OWN) -> Hierarchy | None:
    """Return the hierarchy in which groups may be made on this machine, None if there is none."""
    own = _own_paths(proc)
    for mount, kind, options in _mounts(proc):
        if kind == "cgroup" and "cpu" in options:
            inner = mount / own.get("cpu", "/").lstrip("/")
            return Hierarchy(1, tuple(dict.fromkeys(p for p in (inner, mount) if p.is_dir())))
    for mount, kind, _ in _mounts(proc):
        if kind == "cgroup2":
            return Hierarchy(2, tuple(_passing_on(mount, own.get("", "/"))))
    return None


def _passing_on(mount: Path, own: str) -> Iterator[Path]:
    """Yield the groups, from this process's own upwards, whose children have the cpu controller."""
    inner = mount / own.lstrip("/")
    for group in (inner, *inner.parents):
        with contextlib.suppress(OSError):
            if "cpu" in (group / "cgroup.subtree_control").read_text(encoding="ascii").split():
                yield group
        if group == mount:
            return


def _limit(group: Path, version: int, cpus: float) -> None:
    quota = max(_LEAST_QUOTA_US, round(cpus * PERIOD_US))
    if version == 1:
        _write(group / "cpu.cfs_period_us", str(PERIOD_US))
        _write(group / "cpu.cfs_quota_us", str(quota))
    else:
        _write(group / "cpu.max", f"{quota} {PERIOD_US}")
    if not os.access(group / "cgroup.procs", os.W_OK):
        raise PermissionError(None, "no process may be put into it")


def _write(path: Path, text: str) -> None:
    """Write an existing file; in a control group a missing file means a missing controller."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode("ascii"))
    finally:
        os.close(descriptor)


def _own_paths(proc: Path) -> dict[str, str]:
    """Return the path of a process's group in each hierarchy, by controller; version 2 has the key ""."""
    found: dict[str, str] = {}
    with contextlib.suppress(OSError):
        for line in (proc / "cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            found |= dict.fromkeys(controllers.split(","), path)
    return found


def _mounts(proc: Path) -> Iterator[tuple[Path, str, list[str]]]:
    """Yield mount point, type and options of each mounted file system."""
    with contextlib.suppress(OSError):
        for line in (proc / "mountinfo").read_text(encoding="utf-8").splitlines():
            before, _, after = line.partition(" - ")
            kind, _, options = after.split(" ", 2)
            yield Path(before.split()[4]), kind, options.split(",")


def _name(run: Path, service: str) -> str:
    return f"recscale-{hashlib.sha256(str(run).encode()).hexdigest()[:12]}-{service}"


def _refusal(name: str, cpus: float, why: str) -> str:
    return f"{name} cannot be limited to {cpus:g} CPUs: {why}. Next: {_MEND}"
