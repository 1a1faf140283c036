"""Build the image that all containers run, named by a hash of its contents.

Two names: that of its foundation (Debian, packages, jars, user), which times depend on, and that of the whole, with the
project's sources on top. A change of sources makes a new image within seconds, because the foundation is kept.
"""

import hashlib
import io
import logging
import os
import re
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cluster.backends.docker.engine import docker, explain, run
from cluster.backends.docker.ownership import give_access
from cluster.jvm import artifacts, java
from cluster.settings import ROOT, Settings
from core.errors import ServiceError
from core.plugins import further_sources

logger = logging.getLogger(__name__)

NAME = "recscale"
JARS = tuple(sorted(path.stem for path in artifacts.LOCKS.glob("*.lock")))
HOME = Path("/opt/recscale")
APP = Path("/app")
_DOCKERFILE = Path(__file__).with_name("Dockerfile")
_LOCKS = ("requirements-build.lock", "requirements.lock")
_PACKAGES = ("cluster", "core", "datasets", "experiments", "jobs")
_KINDS = {".py", ".toml", ".json", ".lock", ".j2", ".md", ""}
_CLONE = f"recscale.clone={hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]}"
_FILES = ("README.md", "pyproject.toml", *_LOCKS)
_USER = 1000
_TIMEOUT_S = 3600
_NO_NETWORK = (
    "temporary failure",
    "could not resolve",
    "network is unreachable",
    "connection",
    "no matching distribution",
)


@dataclass(frozen=True)
class Image:
    """Names of an image.

    Attributes:
        foundation: hash of all but the project's sources.
        tag: as Docker knows it, with the hash of everything.
    """

    foundation: str
    tag: str


def user() -> int:
    """Return the user's number in the containers: this account's, so that both may write mounts; never root's."""
    return os.getuid() or _USER


@cache
def image(base: str) -> Image:
    """Return the names of this clone's image on a base image, built or not."""
    foundation = hashlib.sha256(f"{base} {user()}".encode())
    for path in (_DOCKERFILE, *(ROOT / lock for lock in _LOCKS)):
        foundation.update(path.read_bytes())
    for name in JARS:
        foundation.update(artifacts.folder(name, Path()).name.encode())
    whole = foundation.copy()
    for name, path in _sources().items():
        whole.update(f"{name}\0".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return Image(foundation.hexdigest()[:12], f"{NAME}:{whole.hexdigest()[:12]}")


def built(settings: Settings) -> bool:
    """Whether this clone's image is built."""
    return run(["docker", "image", "inspect", image(settings.docker.base).tag]).ok


def build(settings: Settings) -> Image:
    """Build the image unless it exists, and remove this project's earlier images that nothing uses.

    Raises:
        ServiceError: no Docker daemon, network, disk space or base image; with the next step.
    """
    wanted = image(settings.docker.base)
    if built(settings):
        return wanted
    logger.info(
        "building the image %s (the first time this takes some minutes; then only what changed)", wanted.tag
    )
    begin = time.monotonic()
    fetch_jars(settings)
    _build(wanted.tag, _context(settings), settings)
    logger.info("%s is built after %.1f s", wanted.tag, time.monotonic() - begin)
    _forget_older(wanted)
    return wanted


def remove() -> list[str]:
    """Remove this clone's images that nothing uses, and return their names."""
    tags = _ours()
    return [tag for tag in tags if run(["docker", "image", "rm", tag]).ok]


def _has_java(settings: Settings) -> bool:
    try:
        return bool(java.find(settings.spark.java_home))
    except ServiceError:
        return False


def fetch_jars(settings: Settings) -> None:
    """Fetch the image's jars with this host's Java or, if it has none, with the image's.

    Raises:
        ServiceError: they cannot be downloaded, or the stage with Java cannot be built.
    """
    ivy = None if _has_java(settings) else _ivy_inside(settings)
    for name in JARS:
        artifacts.fetch(name, settings, ivy)


def _ivy_inside(settings: Settings) -> Callable[[Path], list[str]]:
    """Build the stage with Java and Spark's Ivy, and return the command that runs Ivy there: the host needs no Java."""
    stage = f"{NAME}-packages:{image(settings.docker.base).foundation}"
    _build(stage, _foundation(), settings, "--target", "packages")

    def command(folder: Path) -> list[str]:
        give_access([folder], user())
        run = [
            "docker",
            "run",
            "--rm",
            "--network",
            "host",
            "--user",
            str(user()),
            "-v",
            f"{folder}:{folder}",
            stage,
        ]
        return [*run, "sh", "-c", 'exec java -Duser.home=/tmp -jar "$SPARK_HOME"/jars/ivy-*.jar "$@"', "ivy"]

    return command


def _foundation() -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file of the first stage."""
    yield "Dockerfile", _DOCKERFILE.read_bytes()
    for lock in _LOCKS:
        yield lock, (ROOT / lock).read_bytes()


def _context(settings: Settings) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file of the build; the image contains no others of this clone."""
    yield from _foundation()
    for name in JARS:
        folder = artifacts.folder(name, settings.run_dir)
        for path in sorted(folder.iterdir()):
            yield f"jars/{folder.name}/{path.name}", path.read_bytes()
    for name, path in _sources().items():
        yield f"project/{name}", path.read_bytes()


def _sources() -> dict[str, Path]:
    """Return name and path of the project's own files, without hidden and generated ones, and of further plug-ins."""
    found = [path for package in _PACKAGES for path in (ROOT / package).rglob("*") if path.suffix in _KINDS]
    kept = [path for path in found if path.is_file() and not path.name.startswith(".")]
    own = [path for path in kept if "__pycache__" not in path.parts] + [ROOT / name for name in _FILES]
    return further_sources(_PACKAGES) | {path.relative_to(ROOT).as_posix(): path for path in sorted(own)}


def _build(tag: str, files: Iterator[tuple[str, bytes]], settings: Settings, *more: str) -> None:
    log = settings.run_dir / "logs" / "image.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [
        *("docker", "build", "--tag", tag, *more, "--network", "host", "--force-rm", "--label", _CLONE),
        *("--build-arg", f"BASE={settings.docker.base}", "--build-arg", f"UID={user()}", "-"),
    ]
    # Every Docker has this builder, and it prints one line a step, which suits a log.
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    try:
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT, env=environment
            )
            try:
                _send(process, files)
                process.wait(_TIMEOUT_S)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
    except FileNotFoundError:
        docker("version")  # raises with advice if Docker is missing
    except subprocess.TimeoutExpired:
        raise ServiceError(f"the image was not built within {_TIMEOUT_S // 60} minutes; see {log}") from None
    if process.returncode:
        raise ServiceError(_failure(log, settings))


def _send(process: subprocess.Popen[bytes], files: Iterator[tuple[str, bytes]]) -> None:
    assert process.stdin is not None
    try:
        with process.stdin as pipe, tarfile.open(fileobj=pipe, mode="w|") as archive:
            for name, content in files:
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(content), 0o644
                archive.addfile(entry, io.BytesIO(content))
    except BrokenPipeError:
        return  # Docker refused already; its message is in the log


_ENGINE_FAILED = (
    *("no space left", "permission denied while trying to connect"),
    *("cannot connect to the docker daemon", "failed to connect to the docker api"),
)


def _failure(log: Path, settings: Settings) -> str:
    text = log.read_text(encoding="utf-8", errors="replace")
    end = "".join(f"\n    {line}" for line in text.splitlines()[-12:])
    low = text.lower()
    steps = re.findall(r"^Step \d+/\d+ : (\w+)", text, re.MULTILINE)
    if any(mark in low for mark in _ENGINE_FAILED):
        return explain(text, "docker build")
    if steps and steps[-1] == "FROM":
        what = (
            f"the base image {settings.docker.base} is not here and cannot be pulled. Next: see that the registry can be "
            "reached, or name a Debian 12 image that is here: --set docker.base=NAME"
        )
    elif any(mark in low for mark in _NO_NETWORK):
        what = (
            "the image could not be built because packages could not be downloaded. Next: see that this machine reaches "
            "Debian's and Python's package indexes (behind a proxy: HTTP_PROXY in Docker's own configuration), then run it "
            "again: what was built is kept"
        )
    else:
        what = "the image could not be built. Next: read the log, mend what it names, run it again: what was built is kept"
    return f"{what}\n  The end of {log}:{end}"


def _ours() -> list[str]:
    """Return the images that this clone has built."""
    listed = docker("image", "ls", "--filter", f"label={_CLONE}", "--format", "{{.Repository}}:{{.Tag}}")
    return [tag for tag in listed.split() if tag.startswith((f"{NAME}:", f"{NAME}-packages:"))]


def _forget_older(wanted: Image) -> None:
    for tag in _ours():
        if tag.startswith(f"{NAME}:") and tag != wanted.tag:
            run(["docker", "image", "rm", tag])  # an image in use stays
