"""Download the jars that a lock file in `cluster/jvm/jars` pins, once, and verify their checksums.

Each line of a lock is `group:artifact:version[:classifier]` and the SHA-256 of that jar. Ivy, which Spark brings,
knows where Maven's central repository is; the setting `maven` names another one, a mirror for example.
"""

import hashlib
import importlib.util
import shutil
import subprocess
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import quoteattr

from cluster.jvm import java
from cluster.settings import Settings
from core.errors import ServiceError

LOCKS = Path(__file__).resolve().parent / "jars"
_TIMEOUT_S = 1800
_SETTINGS = (
    '<ivysettings><settings defaultResolver="maven"/><resolvers>'
    '<ibiblio name="maven" m2compatible="true" usepoms="false"{root}/></resolvers></ivysettings>'
)
_MODULE = (
    '<ivy-module version="2.0" xmlns:m="recscale">'
    '<info organisation="recscale" module="jars"/><dependencies>{dependencies}</dependencies></ivy-module>'
)
_PATTERN = "[artifact]-[revision](-[classifier]).[ext]"


@dataclass(frozen=True, order=True)
class Jar:
    """One pinned jar."""

    group: str
    artifact: str
    version: str
    classifier: str
    sha256: str

    @property
    def file(self) -> str:
        """Name of the jar's file."""
        return "-".join(filter(None, (self.artifact, self.version, self.classifier))) + ".jar"


def locked(name: str) -> list[Jar]:
    """Return the jars of `cluster/jvm/jars/<name>.lock` in order."""
    lines = (LOCKS / f"{name}.lock").read_text(encoding="utf-8").splitlines()
    jars = []
    for line in lines:
        if line.strip() and not line.startswith("#"):
            coordinates, digest = line.split()
            group, artifact, version, *classifier = coordinates.split(":")
            jars.append(Jar(group, artifact, version, "".join(classifier), digest))
    return sorted(jars)


def folder(name: str, run_dir: Path) -> Path:
    """Return the folder for a lock's jars; its name changes with the lock's content."""
    text = "\n".join(f"{jar}" for jar in locked(name))
    return run_dir / "jars" / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def present(name: str, run_dir: Path) -> bool:
    """Whether the lock's jars are there; they were verified when they were downloaded."""
    return folder(name, run_dir).is_dir()


def fetch(name: str, settings: Settings, ivy: Callable[[Path], list[str]] | None = None) -> Path:
    """Return the folder with the jars of a lock, downloading and verifying them if they are not there.

    Args:
        name: of the lock.
        settings: name the folder that they go to and the repository that they come from.
        ivy: returns the command that runs Ivy, which may write the given folder; default: this machine's Java.

    Raises:
        ServiceError: they cannot be downloaded, or one has another checksum than the lock; nothing is left behind.
    """
    target = folder(name, settings.run_dir)
    if target.is_dir():
        return target
    jars = locked(name)
    temporary = target.with_name(f"{target.name}.part-{uuid.uuid4().hex[:8]}")
    try:
        temporary.mkdir(parents=True)
        _download(jars, temporary, settings, ivy(temporary) if ivy else _ivy(settings))
        _verify(jars, temporary)
        for file in ("ivy.xml", "ivysettings.xml"):
            (temporary / file).unlink()
        shutil.rmtree(temporary / "cache")
        try:
            temporary.rename(target)
        except OSError:
            if not target.is_dir():  # otherwise another command has put them there
                raise
    except OSError as error:
        raise ServiceError(
            f"the jars of {name} could not be kept in {target.parent}: {error}; free some space there (about 200 MB) "
            "or name another folder: RECSCALE_RUN_DIR=/folder"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def listed(name: str, settings: Settings) -> str:
    """Return the jars of a lock as Spark's setting spark.jars wants them, fetching them first."""
    there = fetch(name, settings)
    return ",".join((there / jar.file).resolve().as_uri() for jar in locked(name))


def _download(jars: list[Jar], into: Path, settings: Settings, ivy: list[str]) -> None:
    root = f" root={quoteattr(settings.maven)}" if settings.maven else ""
    (into / "ivysettings.xml").write_text(_SETTINGS.format(root=root), encoding="utf-8")
    (into / "ivy.xml").write_text(_MODULE.format(dependencies=_dependencies(jars)), encoding="utf-8")
    command = [
        *ivy,
        *("-settings", str(into / "ivysettings.xml"), "-cache", str(into / "cache")),
        *("-ivy", str(into / "ivy.xml"), "-retrieve", str(into / _PATTERN)),
    ]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=_TIMEOUT_S, check=False, text=True, errors="replace",
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ServiceError(
            f"the jars were not downloaded within {_TIMEOUT_S // 60} minutes; run the command again"
        ) from None
    missing = [jar.file for jar in jars if not (into / jar.file).exists()]
    if done.returncode or missing:
        causes = [line.strip() for line in done.stdout.splitlines() if "ERROR" in line or "refused" in line]
        said = f" Ivy says: {causes[0][:300]}" if causes else ""
        raise ServiceError(
            f"{len(missing) or 'some'} of {len(jars)} jars could not be downloaded ({', '.join(missing[:3])}).{said}\n"
            "  Next: check the connection to Maven's central repository, or name a mirror: "
            "--set maven=https://mirror/path (environment RECSCALE_MAVEN); then run it again"
        )


def _dependencies(jars: list[Jar]) -> str:
    parts = []
    for (group, name, version), same in groupby(jars, key=lambda jar: (jar.group, jar.artifact, jar.version)):
        artifacts = "".join(
            f'<artifact name="{name}" type="jar" ext="jar"'
            + (f' m:classifier="{jar.classifier}"' if jar.classifier else "")
            + "/>"
            for jar in same
        )
        parts.append(
            f'<dependency org="{group}" name="{name}" rev="{version}" transitive="false">{artifacts}</dependency>'
        )
    return "".join(parts)


def _verify(jars: list[Jar], there: Path) -> None:
    for jar in jars:
        with (there / jar.file).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != jar.sha256:
            raise ServiceError(
                f"{jar.file} is not the file that was pinned: its SHA-256 is {found}, not {jar.sha256}; nothing was "
                "kept. Next: run it again; if it stays so, the repository or the way to it cannot be trusted "
                "(another one: --set maven=https://mirror/path)"
            )


def _ivy(settings: Settings) -> list[str]:
    spec = importlib.util.find_spec("pyspark")
    found = sorted((Path(spec.origin).parent / "jars").glob("ivy-*.jar")) if spec and spec.origin else []
    if not found:
        raise ServiceError("pyspark is not installed in this Python: run `bash setup.sh`")
    return [str(java.find(settings.spark.java_home) / "bin" / "java"), "-jar", str(found[-1])]
