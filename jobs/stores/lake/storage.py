"""Tables in Delta tables without Spark: settings for Spark, what is there, and single rows."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets.formats import delta
from datasets.publishers.lake.delta_log import LOG
from jobs.prepare.summary import SUMMARY, facts_of, versions_of, whole
from jobs.storage import Read, Reader
from jobs.stores.lake.versions import DeltaVersions


class LakeStorage:
    """Tables in a folder of the run folder; no service is needed."""

    service = ""
    jars = delta.JARS
    variables: tuple[str, ...] = ()
    file_variables: tuple[str, ...] = ()

    def spark_settings(
        self,
        addresses: Sequence[str],  # noqa: ARG002 - there are none
        options: Mapping[str, Any],  # noqa: ARG002 - there are none
        jars: str,
    ) -> dict[str, str]:
        return {
            "spark.jars": jars,
            "spark.sql.extensions": delta.EXTENSION,
            **delta.SETTINGS,
        }

    def running(self, addresses: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - no service
        return {}

    def root(self, tables: str, folder: Path) -> str:  # noqa: ARG002 - the folder is named after them
        return str(folder.resolve())

    def holds(self, root: str, spark: Mapping[str, str], digest: str) -> bool:  # noqa: ARG002 - files need no settings
        tables = DeltaVersions(Path(root))
        rows = tables.rows(SUMMARY) if tables.versions(SUMMARY) else []
        return whole(rows, digest, tables.versions)

    def layout(self, root: str, spark: Mapping[str, str]) -> str:  # noqa: ARG002 - as above
        """Return the number of files of ratings, which is that of the tasks that wrote them."""
        tables = DeltaVersions(Path(root))
        versions = versions_of(facts_of(tables.rows(SUMMARY)))
        return f"{len(tables.files('ratings', versions['ratings']))} files"

    def table(self, root: str, spark: Mapping[str, str], table: str, read: Reader[Read]) -> Read | None:  # noqa: ARG002 - as above
        tables = DeltaVersions(Path(root))
        if not tables.versions(table):
            return None
        try:
            number = tables.open(table)
            return read(tables.rows(table, number), f"{table}@{number}")
        finally:
            tables.close()

    def private(self, root: str, folder: Path, made: Sequence[str]) -> str:
        """Return a root of its own logs, whose files of rows are links: a write there adds files and commits, and changes none."""
        own = folder / "store"
        own.mkdir(parents=True, exist_ok=True)
        for table in Path(root).iterdir():
            if (table / LOG).is_dir() and not table.name.startswith(tuple(made)):
                shutil.copytree(table, own / table.name, copy_function=_linked)
        return str(own.resolve())

    def drop(self, root: str, spark: Mapping[str, str]) -> None:  # noqa: ARG002 - as above
        shutil.rmtree(root, ignore_errors=True)


def _linked(source: str, target: str) -> None:
    """Link a file of rows, which nobody changes; copy a log and marks, and what lies on another disk."""
    if source.endswith(".parquet") and Path(source).parent.name != LOG:
        try:
            os.link(source, target)
        except OSError:
            pass
        else:
            return
    shutil.copy2(source, target)


STORAGE = LakeStorage()
