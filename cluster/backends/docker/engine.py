"""Run `docker` and compose, and explain their errors."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from core.errors import ServiceError

_QUICK_S = 60.0
_LOCAL = "or run the services as processes: BACKEND=local"


@dataclass(frozen=True)
class Said:
    """Output of a command, and its success."""

    ok: bool
    out: str
    err: str


def docker(*arguments: str, timeout_s: float = _QUICK_S) -> str:
    """Run `docker` and return its output.

    Raises:
        ServiceError: there is no docker, its daemon does not answer, or the command fails; with the next step.
    """
    said = run(["docker", *arguments], timeout_s=timeout_s)
    if not said.ok:
        raise ServiceError(explain(said.err or said.out, f"docker {arguments[0]}"))
    return said.out.strip()


def compose(file: str, project: str, *arguments: str, environment: Mapping[str, str]) -> None:
    """Run compose on a file; `environment` supplies the values that the file leaves open.

    Raises:
        ServiceError: there is no compose, or it fails; with the next step.
    """
    command = [*composer(), "-p", project, "-f", file, *arguments]
    said = run(command, timeout_s=300.0, environment=environment)
    if not said.ok:
        raise ServiceError(explain(said.err or said.out, f"compose {arguments[0]}"))


@cache
def composer() -> tuple[str, ...]:
    """Return the command for compose: Docker's plugin, or else the separate program.

    Raises:
        ServiceError: neither is installed.
    """
    if run(["docker", "compose", "version"]).ok:
        return ("docker", "compose")
    if shutil.which("docker-compose"):
        return ("docker-compose",)
    raise ServiceError(
        "Docker is installed without compose: install the plugin (docker-compose-plugin, or Debian's "
        f"docker-compose), {_LOCAL}"
    )


def run(
    command: Sequence[str], *, timeout_s: float = _QUICK_S, environment: Mapping[str, str] | None = None
) -> Said:
    """Run a command and wait until it ends.

    Raises:
        ServiceError: the program is not installed, or does not end in time.
    """
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=timeout_s, check=False, env={**os.environ, **(environment or {})},
        )  # fmt: skip
    except FileNotFoundError:
        raise ServiceError(
            f"there is no program `{command[0]}`: install Docker (Debian, Ubuntu: apt-get install docker.io "
            f"docker-compose; else https://docs.docker.com/engine/install), {_LOCAL}"
        ) from None
    except subprocess.TimeoutExpired:
        raise ServiceError(
            f"`{' '.join(command[:3])}` did not end within {timeout_s:.0f} s: see whether the daemon is well "
            f"(docker info), {_LOCAL}"
        ) from None
    return Said(done.returncode == 0, done.stdout, done.stderr)


def explain(text: str, what: str) -> str:
    """Translate an error of Docker's into its meaning and the next step."""
    for mark, meaning in _MEANINGS:
        if mark in text.lower():
            return f"{meaning}\n  Docker says: {_last(text)}"
    return f"{what} failed: {_last(text)}\n  Next: see `docker ps -a`, or stop everything with `make down` and start again"


# The order counts: the first match is used.
_MEANINGS = (
    (
        "permission denied while trying to connect",
        (
            "this account may not use Docker's daemon: add it to the group docker (sudo usermod -aG docker $USER) and "
            f"log in again, {_LOCAL}"
        ),
    ),
    (
        "cannot connect to the docker daemon",
        (
            "Docker's daemon does not answer: start it (sudo systemctl start docker, or Docker Desktop) and see that "
            f"`docker version` names a server, {_LOCAL}"
        ),
    ),
    (
        "failed to connect to the docker api",  # as newer clients put it
        (
            "Docker's daemon does not answer: start it (sudo systemctl start docker, or Docker Desktop) and see that "
            f"`docker version` names a server, {_LOCAL}"
        ),
    ),
    (
        "no space left on device",
        (
            "the disk that Docker keeps images, volumes and logs on is full: see `docker system df`, make room "
            "(`docker image prune`, `docker builder prune`), then run it again"
        ),
    ),
    (
        "port is already allocated",
        "a port is taken by another container: see `docker ps`, stop that one, or take another port (`make doctor`)",
    ),
    (
        "address already in use",
        "a port is taken by another program: `make doctor` says by which and how to take another one",
    ),
    (
        "cannot assign requested address",
        "a port cannot be published: the setting host must be an address of this machine (host=127.0.0.1)",
    ),
)


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(lines[-3:])[-600:] if lines else "nothing"
