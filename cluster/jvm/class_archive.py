"""Archive of Spark's classes, which JVMs map into memory instead of loading and verifying each class.

An archive belongs to one Java and one set of jars: "-XX:ArchiveClassesAtExit" has a JVM write what it has loaded (JEP 350), and
another one with "-XX:SharedArchiveFile" maps it, or goes without where Java or jars are others. Measured on two virtual
cores, an application of a tiny data set comes to its first phase in about two thirds of the time.
"""

import fcntl
import hashlib
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster.jvm import java
from cluster.settings import Settings
from core.errors import ServiceError


def class_archive(settings: Settings) -> "ClassArchive":
    """Return the archive for this machine's Java and the Spark of this Python.

    Raises:
        ServiceError: this Python has no pyspark.
    """
    spec = importlib.util.find_spec("pyspark")
    if spec is None or not spec.origin:
        raise ServiceError("pyspark is not installed in this Python: run `bash setup.sh`")
    return ClassArchive(settings.run_dir / "classes", Path(spec.origin).parent, settings.spark.java_home)


@dataclass(frozen=True)
class ClassArchive:
    """The archive for one Java and one Spark in a folder that holds such archives.

    Attributes:
        folder: of the archives.
        spark: Spark's home folder.
        java_home: as the settings name it; None for the one that is found.
    """

    folder: Path
    spark: Path
    java_home: Path | None

    @property
    def path(self) -> Path:
        """File of the archive; its name changes with the Java, the jars and their folder."""
        jars = sorted(f"{jar.name} {jar.stat().st_size}" for jar in (self.spark / "jars").glob("*.jar"))
        made_of = "\n".join([java.version_line(self.java_home), str(self.spark), *jars])
        return self.folder.resolve() / f"spark-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}.jsa"

    @property
    def option(self) -> str:
        """JVM option that uses the archive; empty if there is no archive."""
        return f"-XX:SharedArchiveFile={self.path}" if self.path.is_file() else ""

    def record(self, rehearse: Callable[[str], None]) -> None:
        """Make the archive unless it is there.

        Args:
            rehearse: runs a JVM with the option that it is given, until the JVM ends.

        Raises:
            ServiceError: the JVM wrote no archive.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._alone():
            if self.path.is_file():
                return
            temporary = self.path.with_name(f"{self.path.name}.part")
            temporary.unlink(missing_ok=True)
            try:
                rehearse(f"-XX:ArchiveClassesAtExit={temporary} -Xlog:cds=off -Xlog:cds+dynamic=off")
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            if not temporary.is_file():
                raise ServiceError(
                    f"no archive of Spark's classes was written to {self.folder}: it needs 200 MB of free space"
                )
            temporary.replace(self.path)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder's lock, which ends with the process."""
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
