"""Compacts the lake's tables and removes files that no recent version needs."""

from dataclasses import dataclass, fields
from pathlib import Path

from core.errors import UsageError
from core.options import nearest, parse
from datasets.topics import declared
from jobs.runtime.context import Context, JobKind
from jobs.runtime.request import Result
from jobs.streaming.tables import Table


@dataclass(frozen=True)
class CompactParams:
    """Parameters of the job.

    Attributes:
        lake: folder of the tables.
        topics: whose tables are compacted; none stands for every table that there is, the dead letters' too.
        keep_h: hours for which older versions can still be read.
    """

    lake: Path
    topics: tuple[str, ...] = ()
    keep_h: float = 24.0


class LakeCompact:
    """One phase, `compact`, over all tables."""

    kind: JobKind = "passes"

    def parameters(self) -> frozenset[str]:
        return frozenset(field.name for field in fields(CompactParams))

    def run(self, context: Context) -> Result:
        params = parse(CompactParams, context.request.params, "parameters of lake_compact")
        if params.keep_h < 0:
            raise UsageError(f"keep_h in parameters of lake_compact must be 0 or more, got {params.keep_h}")
        tables = chosen(params.lake, params.topics)
        rows: list[list[object]] = []
        for _ in context.passes():
            with context.phases.phase("compact"):
                for name, table in tables.items():
                    found = table.compact(context.spark, params.keep_h)
                    rows.append([name, *found.values()])
        return Result(
            job="lake_compact",
            status="ok",
            counts={f"removed.{row[0]}": int(str(row[3])) for row in rows},
            table=[["table", "files before", "files after", "removed from disk"], *rows],
        )


def chosen(lake: Path, topics: tuple[str, ...]) -> dict[str, Table]:
    """Return the tables of these topics, of all that have one where none is named.

    Raises:
        UsageError: a topic is unknown or has no table.
    """
    every = {name: Table.of(lake, name) for name in declared.topics()}
    there = {name: table for name, table in every.items() if table.exists}
    for name in topics:
        if name not in there:
            raise UsageError(f"the lake in {lake} has no table of {name!r}: {nearest(name, there)}")
    if not there:
        raise UsageError(f"there is no table in {lake}: make stream NAME=lake fills it")
    return {name: there[name] for name in topics or there}


JOB = LakeCompact()
