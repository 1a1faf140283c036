"""Find a Java 17, the newest that this Spark supports."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from core.errors import ServiceError

VERSION = 17
_FOLDERS = (
    "/usr/lib/jvm",
    "/usr/java",
    "/opt/java",
    "/opt",
    "/Library/Java/JavaVirtualMachines",
    "/opt/homebrew/opt",
    "/usr/local/opt",
    "~/.sdkman/candidates/java",
    "~/.jdks",
)
MEND = (
    "install it (Debian, Ubuntu: apt-get install openjdk-17-jre-headless; Fedora: dnf install "
    "java-17-openjdk-headless; macOS: brew install openjdk@17) or name its folder: --set spark.java_home=/folder"
)


def find(
    setting: Path | None, environ: Mapping[str, str] = os.environ, folders: tuple[str, ...] = _FOLDERS
) -> Path:
    """Return the home folder of a Java 17: from the setting, JAVA_HOME, `java` on PATH, or any installed one.

    Raises:
        ServiceError: there is none, with what was found instead and how to install one.
    """
    if setting is not None:
        if version(setting) != VERSION:
            raise ServiceError(
                f"spark.java_home={setting} {_what(setting)}; Spark needs Java {VERSION}: {MEND}"
            )
        return setting
    seen: list[str] = []
    for home in _candidates(environ, folders):
        if version(home) == VERSION:
            return home
        if version(home) is not None:
            seen.append(f"Java {version(home)} in {home}")
    instead = f" (found {', '.join(dict.fromkeys(seen))})" if seen else ""
    raise ServiceError(f"Spark needs Java {VERSION}, which is not installed{instead}: {MEND}")


def version(home: Path) -> int | None:
    """Return the major version of the Java in `home`, None if there is no Java; starts no process."""
    if not os.access(home / "bin" / "java", os.X_OK):
        return None
    try:
        release = (home / "release").read_text(encoding="utf-8")
    except OSError:  # some packages have no such file; the folder's name has the version then
        release = ""
    match = re.search(r'JAVA_VERSION="(?:1\.)?(\d+)', release) or re.search(
        r"(?:java|jdk|jre|openjdk)[-@]?(?:1\.)?(\d+)", home.resolve().name
    )
    return int(match[1]) if match else None


@cache
def version_line(setting: Path | None) -> str:
    """Return the version line of the Java that is used here; empty if there is none."""
    try:
        program = find(setting) / "bin" / "java"
        done = subprocess.run(
            [program, "-version"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=20, check=True, text=True, errors="replace",
        )  # fmt: skip
    except (ServiceError, OSError, subprocess.SubprocessError):
        return ""
    # Java may first print the options that it took from the environment.
    return next((line for line in done.stdout.splitlines() if " version " in line), "")


def _candidates(environ: Mapping[str, str], folders: tuple[str, ...]) -> Iterator[Path]:
    if environ.get("JAVA_HOME"):
        yield Path(environ["JAVA_HOME"])
    on_path = shutil.which("java", path=environ.get("PATH", ""))
    if on_path:
        yield Path(on_path).resolve().parent.parent
    for folder in folders:
        for home in sorted(Path(folder).expanduser().glob("*")):
            yield from (
                home,
                home / "Contents" / "Home",
                home / "libexec" / "openjdk.jdk" / "Contents" / "Home",
            )


def _what(home: Path) -> str:
    found = version(home)
    return f"is Java {found}" if found else "holds no bin/java"
