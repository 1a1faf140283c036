"""Tables in folders of Parquet files without Spark: what is there, and single rows."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jobs.prepare.summary import SUMMARY, facts_of, versions_of, whole
from jobs.storage import Read, Reader
from jobs.stores.parquet.versions import FolderVersions


class ParquetStorage:
    """Tables in a folder of the run folder; no service is needed."""

    service = ""
    jars = ""
    variables: tuple[str, ...] = ()
    file_variables: tuple[str, ...] = ()

    def spark_settings(
        self,
        addresses: Sequence[str],  # noqa: ARG002 - there are none
        options: Mapping[str, Any],  # noqa: ARG002 - there are none
        jars: str,  # noqa: ARG002 - none are needed
    ) -> dict[str, str]:
        return {}

    def running(self, addresses: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - no service
        return {}

    def root(self, tables: str, folder: Path) -> str:  # noqa: ARG002 - the folder is named after them
        return str(folder.resolve())

    def holds(self, root: str, spark: Mapping[str, str], digest: str) -> bool:  # noqa: ARG002 - files need no settings
        folders = FolderVersions(Path(root))
        rows = folders.rows(SUMMARY) if folders.versions(SUMMARY) else []
        return whole(rows, digest, folders.versions)

    def layout(self, root: str, spark: Mapping[str, str]) -> str:  # noqa: ARG002 - as above
        """Return the number of files of ratings, which is that of the tasks that wrote them."""
        folders = FolderVersions(Path(root))
        versions = versions_of(facts_of(folders.rows(SUMMARY)))
        ratings = folders.folder("ratings", versions["ratings"])
        return f"{len(list(ratings.glob('part-*')))} files"

    def table(self, root: str, spark: Mapping[str, str], table: str, read: Reader[Read]) -> Read | None:  # noqa: ARG002 - as above
        import pyarrow.parquet as pq  # noqa: PLC0415 - only this needs it, and it takes a moment

        link = Path(root) / table
        if not (link / "_SUCCESS").exists():
            return None
        folder = link.resolve()
        return read(pq.read_table(folder).to_pylist(), folder.name)

    def private(self, root: str, folder: Path, made: Sequence[str]) -> str:
        own = folder / "store"
        own.mkdir(parents=True, exist_ok=True)
        for table in Path(root).iterdir():
            if table.is_symlink() and not table.name.startswith(tuple(made)):
                (own / table.name).symlink_to(table.resolve())
        return str(own.resolve())

    def drop(self, root: str, spark: Mapping[str, str]) -> None:  # noqa: ARG002 - as above
        shutil.rmtree(root, ignore_errors=True)


STORAGE = ParquetStorage()
