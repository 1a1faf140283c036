"""Versions of the lake's tables that belong together, pinned in a file, so that a growing lake is read twice alike."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import DataError, UsageError
from core.files import read_json, write_json
from core.options import nearest
from datasets.publishers.lake.delta_log import commit, live, newest

_AT = "@"


@dataclass(frozen=True)
class Pins:
    """Versions of tables.

    Attributes:
        lake: folder of the lake.
        versions: of each table.
        commits: hash of what was committed as that version.
    """

    lake: Path
    versions: Mapping[str, int]
    commits: Mapping[str, str]

    def table(self, name: str) -> Path:
        """Return the folder of a table."""
        return self.lake / name

    def save(self, folder: Path) -> Path:
        """Write the file that `load` reads, unless it is there; return its path, which is the same for the same versions."""
        values = {
            "lake": str(self.lake),
            "versions": dict(self.versions),
            "commits": dict(self.commits),
        }
        digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]
        names = "-".join(f"{name}{_AT}{version}" for name, version in sorted(self.versions.items()))
        path = folder / f"{names}-{digest}.json"
        if read_json(path) != values:
            folder.mkdir(parents=True, exist_ok=True)
            write_json(path, values)
        return path

    def check(self) -> None:
        """Check that every pinned version can still be read.

        Raises:
            DataError: a table was made anew, or files of the version were removed (vacuum).
        """
        for name, version in self.versions.items():
            table = self.table(name)
            if commit(table, version) != self.commits[name]:
                raise DataError(
                    f"{table} was made anew since its version {version} was pinned: leave data.path= out, or set it to the "
                    "folder, to read the table that is there now"
                )
            gone = [file for file in live(table, version) if not (table / file).is_file()]
            if gone:
                raise DataError(
                    f"version {version} of {table} lacks {len(gone)} of its files (first: {gone[0]}), which were removed after "
                    "rows were rewritten or a person was erased: read the newest version"
                )


def pin(lake: Path, tables: Sequence[str], wanted: Sequence[str] = ()) -> Pins:
    """Pin tables to their newest versions, or to those that are wanted.

    Args:
        lake: folder of the lake.
        tables: names of the tables.
        wanted: as "users@3".

    Raises:
        UsageError: `wanted` names another table, or no number.
        DataError: a table or a version is not there.
    """
    given = dict(_version(text, tables) for text in wanted)
    versions = {name: given[name] if name in given else newest(lake / name) for name in tables}
    return Pins(lake, versions, {name: commit(lake / name, version) for name, version in versions.items()})


def load(path: Path) -> Pins:
    """Read a file that `save` wrote.

    Raises:
        DataError: it is missing or something else.
    """
    values = read_json(path) or {}
    try:
        return Pins(Path(values["lake"]), dict(values["versions"]), dict(values["commits"]))
    except (KeyError, TypeError, ValueError):
        raise DataError(
            f"{path} does not name versions of the lake's tables: set data.path= to the folder of the lake"
        ) from None


def _version(text: str, tables: Sequence[str]) -> tuple[str, int]:
    name, _, number = text.strip().partition(_AT)
    if name not in tables:
        raise UsageError(f"versions: unknown table {name!r}: {nearest(name, tables)}")
    if not number.isdecimal():
        raise UsageError(f"versions: {text!r} must be a table and its version, as in {name}{_AT}3")
    return name, int(number)
