"""Log of a Delta table, without Spark: its beginning, its newest version, and the files that make up a version.

The format is the Delta transaction protocol: one JSON file of actions a version, and now and then a checkpoint in Parquet
that sums up all versions before it.
"""

import hashlib
import json
import re
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import unquote

import pyarrow.parquet as pq

from core.errors import DataError
from core.files import make_once, write_text

LOG = "_delta_log"
_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\.(?:\d{10}\.\d{10}\.)?parquet")


class File(NamedTuple):
    """One file of a version: its bytes, and its rows where the writer noted them."""

    size: int
    rows: int | None


class Written(NamedTuple):
    """One commit: the text that its writer gave it (`userMetadata`), and the names of the files that it added."""

    note: str
    files: frozenset[str]


def first(
    schema: str, partitioned: Sequence[str] = (), properties: Mapping[str, str] = MappingProxyType({})
) -> list[dict[str, Any]]:
    """Return the actions with which a table begins, as Delta itself begins one.

    Args:
        schema: as Spark's JSON; every column may be null, else each first write would change that.
        partitioned: columns by which files are kept apart.
        properties: of the table, as `delta.checkpointInterval`.
    """
    columns = json.loads(schema)
    columns["fields"] = [{**field, "nullable": True} for field in columns["fields"]]
    described = {
        "id": str(uuid.uuid4()),
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps(columns),
        "partitionColumns": list(partitioned),
        "configuration": dict(properties),
        "createdTime": int(time.time() * 1000),
    }
    return [{"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}, {"metaData": described}]


def begin(
    table: Path,
    schema: str,
    partitioned: Sequence[str] = (),
    properties: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Make an empty table, whose version is 0, unless it is there.

    Args:
        table: its folder.
        schema: as of `first`.
        partitioned: as of `first`.
        properties: as of `first`.
    """
    (table / LOG).mkdir(parents=True, exist_ok=True)
    if not versions(table):
        text = "".join(f"{json.dumps(action)}\n" for action in first(schema, partitioned, properties))
        make_once(file(table, 0), lambda path: write_text(path, text))


def file(table: Path, version: int) -> Path:
    """Return the file in which a version was committed, whether it is there or not."""
    return table / LOG / f"{version:020}.json"


def versions(table: Path) -> list[int]:
    """Return the versions whose commits are in the log, in order; none where there is no table."""
    return [int(match[1]) for match in _named(table, _COMMIT)]


def newest(table: Path) -> int:
    """Return the number of a table's newest version.

    Raises:
        DataError: there is no such table.
    """
    found = versions(table)
    if not found:
        raise DataError(
            f"there is no table of the lake at {table}: send messages (python -m datasets produce {table.name}) and let "
            "the stream write them (make stream NAME=lake), or set data.path= to the folder of your lake"
        )
    return found[-1]


def commit(table: Path, version: int) -> str:
    """Return a hash of what was committed as a version: a table that was made anew has others under the same numbers.

    Raises:
        DataError: the version is not in the log.
    """
    return hashlib.sha256(_bytes(table, version)).hexdigest()[:16]


def _bytes(table: Path, version: int) -> bytes:
    try:
        return file(table, version).read_bytes()
    except FileNotFoundError:
        raise DataError(
            f"version {version} of {table} is not in its log, whose newest is {newest(table)}: it was never there, or it is "
            "older than the log is kept. Choose another version, or leave it out for the newest"
        ) from None


def written(table: Path, version: int) -> Written:
    """Return what was committed as a version.

    Raises:
        DataError: the version is not in the log.
    """
    found = actions(table, version)
    notes = [action["commitInfo"].get("userMetadata") or "" for action in found if "commitInfo" in action]
    return Written("".join(notes), frozenset(added(found)))


def added(actions: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names in the table's folder of the files that these actions add."""
    return [unquote(action["add"]["path"]) for action in actions if "add" in action]


def live(table: Path, version: int) -> dict[str, File]:
    """Return the files that hold a version's rows, by their names in the table's folder.

    Raises:
        DataError: the log does not reach back far enough.
    """
    start, found = _checkpoint(table, version)
    for number in range(start, version + 1):
        for action in actions(table, number):
            if (added := action.get("add")) is not None:
                found[unquote(added["path"])] = _file(added)
            elif (removed := action.get("remove")) is not None:
                found.pop(unquote(removed["path"]), None)
    return found


def _checkpoint(table: Path, version: int) -> tuple[int, dict[str, File]]:
    """Return the first version after the newest checkpoint up to `version`, and the files that were live then."""
    parts = [match for match in _named(table, _CHECKPOINT) if int(match[1]) <= version]
    if not parts:
        return 0, {}
    last = max(int(match[1]) for match in parts)
    found: dict[str, File] = {}
    for match in parts:
        if int(match[1]) == last:
            rows = pq.read_table(table / LOG / match[0], columns=["add"])["add"].to_pylist()
            found |= {unquote(added["path"]): _file(added) for added in rows if added is not None}
    return last + 1, found


def _file(added: dict[str, Any]) -> File:
    noted = json.loads(added.get("stats") or "{}").get("numRecords")
    return File(int(added["size"]), None if noted is None else int(noted))


def actions(table: Path, version: int) -> list[dict[str, Any]]:
    """Return the actions that were committed as a version.

    Raises:
        DataError: the version is not in the log.
    """
    return [json.loads(line) for line in _bytes(table, version).decode("utf-8").splitlines() if line.strip()]


def _named(table: Path, pattern: re.Pattern[str]) -> list[re.Match[str]]:
    folder = table / LOG
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return [match for name in names if (match := pattern.fullmatch(name))]
