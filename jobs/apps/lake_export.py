"""Writes a version of the lake's tables as plain Parquet, for readers that do not know Delta."""

import shutil
from dataclasses import dataclass, fields
from pathlib import Path

from core.errors import UsageError
from core.files import write_json
from core.options import parse
from datasets.formats.spark_paths import local
from jobs.apps.lake_compact import chosen
from jobs.runtime.context import Context, JobKind
from jobs.runtime.request import Result
from jobs.streaming.tables import DAY


@dataclass(frozen=True)
class ExportParams:
    """Parameters of the job.

    Attributes:
        lake: folder of the tables.
        to: folder that gets one of Parquet files for each table; it must not hold them yet.
        topics: which; none stands for every table that there is.
        version: of the one table that is named; below 0 for the newest.
    """

    lake: Path
    to: Path
    topics: tuple[str, ...] = ()
    version: int = -1


class LakeExport:
    """One phase, `export`, over all tables. Beside each table stands _VERSION.json with the version that it has."""

    kind: JobKind = "passes"

    def parameters(self) -> frozenset[str]:
        return frozenset(field.name for field in fields(ExportParams))

    def run(self, context: Context) -> Result:
        params = parse(ExportParams, context.request.params, "parameters of lake_export")
        tables = chosen(params.lake, params.topics)
        if params.version >= 0 and len(tables) > 1:
            raise UsageError(
                f"version {params.version} is that of one table: name the topic, too ({', '.join(tables)})"
            )
        taken = [name for name, table in tables.items() if (params.to / table.path.name).exists()]
        if taken:
            raise UsageError(f"{params.to} has {', '.join(taken)} already: remove it, or name another folder")
        versions = {}
        for _ in context.passes():
            with context.phases.phase("export"):
                for name, table in tables.items():
                    versions[name] = table.version() if params.version < 0 else params.version
                    frame = table.read(context.spark, versions[name])
                    part = params.to / f".{table.path.name}.part"
                    shutil.rmtree(part, ignore_errors=True)
                    frame.write.partitionBy(DAY).parquet(local(part))
                    write_json(part / "_VERSION.json", {"topic": name, "version": versions[name]})
                    part.rename(params.to / table.path.name)
        return Result(
            job="lake_export",
            status="ok",
            counts={f"version.{name}": version for name, version in versions.items()},
            table=[["table", "version"], *([name, version] for name, version in versions.items())],
        )


JOB = LakeExport()
