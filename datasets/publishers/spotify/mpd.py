"""Reader of the Million Playlist Dataset's slices: JSON files of a thousand playlists each, one task a file."""

import json
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema

from core.errors import DataError
from datasets.formats.fields import SURROGATE
from datasets.formats.lines import rejected, shaped
from datasets.publishers.spotify.items import ENTRY, Item, interactions, items
from datasets.source import REJECTED, Raw

SLICES = "mpd.slice.*.json"
"""The names of the files."""

_LIST = re.compile(r'"playlists"\s*:\s*\[')
_SPACE = re.compile(r"\s*")
_NEXT = re.compile(r'\{\s*"name"\s*:')  # how a playlist begins; an entry begins with its position
_BROKEN = "is not the JSON of a playlist"
_END = "(the file ends within its list of playlists)"
_SHOWN = 100_000
_BATCH_ROWS = 20_000
_LATEST = 10**11

_ROW = T.StructType(
    [
        *ENTRY.fields,
        T.StructField("file", T.StringType()),
        T.StructField("playlist", T.IntegerType()),
        T.StructField("pos", T.IntegerType()),
        T.StructField("record", T.StringType()),
        T.StructField("reason", T.StringType()),
    ]
)


def read_slices(spark: SparkSession, folder: Path, item: Item) -> Raw:
    """Read all slices in a folder.

    Keys are `pid`, `track_uri` and `artist_uri`. The time of every entry is `modified_at` of its playlist, the only one
    that is published. A playlist or entry that cannot be read is rejected as JSON; where the file itself is broken,
    reading continues at the next playlist, and the skipped text is rejected (its first 100,000 characters are kept).

    Raises:
        DataError: the folder holds no slice.
    """
    paths = sorted(str(path) for path in folder.glob(SLICES))
    if not paths:
        raise DataError(
            f"{folder} has no file {SLICES}; put the slices of the Million Playlist Dataset there"
        )
    rows = spark.range(len(paths), numPartitions=len(paths)).mapInArrow(partial(_rows, paths, item), _ROW)
    good, bad = rows.where("reason IS NULL"), rows.where("reason IS NOT NULL")
    order = F.struct("file", "playlist", "pos")
    return Raw(
        interactions(good, item, order),
        items(good, item, order),
        rejected(spark, _refused(bad)),
    )


def slices(folder: Path) -> list[str]:
    """Return the paths of all slices in a folder, in order.

    Raises:
        DataError: there is none.
    """
    paths = sorted(str(path) for path in folder.glob(SLICES))
    if not paths:
        raise DataError(f"{folder} holds no {SLICES}; put the slices of the Million Playlist Dataset there")
    return paths


def _refused(rows: DataFrame) -> DataFrame:
    return shaped(rows.select("file", F.col("record").alias("text"), "reason"), REJECTED)


def _rows(paths: Sequence[str], item: Item, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    schema = to_arrow_schema(_ROW)
    for batch in batches:
        for number in batch.column(0).to_pylist():
            path = Path(paths[number])
            waiting: list[dict[str, Any]] = []
            for row in rows_of(path.read_bytes().decode("utf-8-sig", errors="surrogateescape"), item):
                waiting.append({**row, "file": path.name})
                if len(waiting) == _BATCH_ROWS:
                    yield pa.RecordBatch.from_pylist(waiting, schema=schema)
                    waiting = []
            yield pa.RecordBatch.from_pylist(waiting, schema=schema)


def rows_of(text: str, item: Item) -> Iterator[dict[str, Any]]:
    """Yield the entries of a slice, and its unreadable parts with a `reason`."""
    index = 0
    for playlist in playlists(text):
        if isinstance(playlist, str):
            yield {"record": _shown(playlist), "reason": _BROKEN}
            continue
        yield from _entries(playlist, index, item)
        index += 1


def playlists(text: str) -> Iterator[Any]:
    """Yield the parsed playlists of a slice, and as plain strings the parts of its text that are not playlists."""
    decode = json.JSONDecoder().raw_decode
    begin = _LIST.search(text)
    if begin is None:
        yield text
    while begin is not None:
        at = begin.end()
        while True:
            at = _content(text, at)
            if text[at : at + 1] == "]":
                break
            if text[at : at + 1] == ",":
                at += 1
                continue
            try:
                found, end = decode(text, at)
                yield found if not isinstance(found, str) else json.dumps(found)
            except (ValueError, RecursionError):
                following = _NEXT.search(text, at + 1)
                end = following.start() if following else len(text)
                yield text[at:end] or _END
            at = end
            if at >= len(text):
                return
        begin = _LIST.search(text, at)  # a second slice in the same file


def _content(text: str, at: int) -> int:
    """Return where the spaces that begin at `at` end."""
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _entries(playlist: Any, index: int, item: Item) -> Iterator[dict[str, Any]]:
    reason = _playlist_reason(playlist)
    if reason is not None:
        yield {"record": _shown(json.dumps(playlist)), "reason": reason}
        return
    user, seconds = str(playlist["pid"]), playlist.get("modified_at")
    for pos, entry in enumerate(playlist["tracks"]):
        reason = _entry_reason(entry, item)
        if reason is not None:
            yield {"record": _shown(json.dumps({"pid": playlist["pid"], "track": entry})), "reason": reason}
            continue
        length = entry.get("duration_ms")
        yield {
            "user": user,
            "seconds": seconds,
            "track": entry["track_uri"],
            "artist": entry.get("artist_uri"),
            "title": _name(entry.get("track_name")),
            "artist_name": _name(entry.get("artist_name")),
            "album": _name(entry.get("album_name")),
            "features": None if length is None else [("duration_ms", float(length))],
            "playlist": index,
            "pos": pos,
        }


def _playlist_reason(playlist: Any) -> str | None:
    if not isinstance(playlist, dict):
        return _BROKEN
    if not _whole(playlist.get("pid")):
        return "pid is not a number"
    at = playlist.get("modified_at")
    if at is not None and not (_whole(at) and 0 <= at < _LATEST):
        return "modified_at is not seconds since 1970"
    return None if isinstance(playlist.get("tracks"), list) else "tracks is not a list"


def _entry_reason(entry: Any, item: Item) -> str | None:
    if not isinstance(entry, dict):
        return "is not a track"
    names = ("track_name", "artist_name", "album_name")
    for name in ("track_uri", "artist_uri", *names):
        value = entry.get(name)
        if value is not None and not isinstance(value, str):
            return f"{name} is not a text"
        if value and SURROGATE.search(value):
            return f"{name} is not UTF-8 or holds half a character"
    for name in ("track_uri", f"{item}_uri"):
        if not (entry.get(name) or "").strip():
            return f"{name} is empty"
    length = entry.get("duration_ms")
    if length is not None and not (_whole(length) and abs(length) < 1e18):
        return "duration_ms is not a number"
    return None


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _name(value: str | None) -> str | None:
    return (value or "").strip() or None


def _shown(text: str) -> str:
    """Return the beginning of a text as it can be stored, with undecodable bytes written with backslashes."""
    return text[:_SHOWN].encode("utf-8", "backslashreplace").decode()
