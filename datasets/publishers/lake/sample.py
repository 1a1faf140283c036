"""Small tables of a lake with invented rows, written without Spark."""

import datetime as dt
import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql.pandas.types import from_arrow_schema

from datasets.publishers.lake.delta_log import LOG, first
from datasets.publishers.lake.delta_log import file as delta_file

_GENRES = ("drama", "comedia", "acción", "terror")
_PEOPLE = ("R. Soto", "L. Vidal", "M. Prado", "A. Rey", "C. Luna")
_AGES = ("G", "PG", "PG-13", "R")
_LIST = pa.list_(pa.string())
_TIME = pa.timestamp("us", "UTC")
_BEGIN = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
_PLACE = [
    ("topic", pa.string()),
    ("partition", pa.int32()),
    ("offset", pa.int64()),
    ("batch", pa.int64()),
    ("intended", _TIME),
    ("ingest_date", pa.date32()),
]
_LIKES = [("generos", _LIST), ("directores", _LIST), ("actores", _LIST), ("clasificacion", pa.string())]
_MESSAGE = [("id", pa.string()), ("at", _TIME)]
_TITLE = [("titulo", pa.string()), ("decada_lanzamiento", pa.string())]
_COLUMNS = {
    "users": [*_MESSAGE, *_LIKES, ("decadas_favoritas", _LIST)],
    "movies": [*_MESSAGE, *_LIKES, *_TITLE],
    "series": [*_MESSAGE, *_LIKES, *_TITLE],
    "ratings": [
        *_MESSAGE,
        ("user", pa.string()),
        ("item", pa.string()),
        ("rating", pa.float64()),
        ("rated_at", _TIME),
    ],
}


def write(lake: Path, tables: Sequence[str], rows: int = 12) -> None:
    """Write tables of the lake with their first version each: `rows` messages, of users one that says nothing."""
    for name in tables:
        append(lake / name, name, [_row(name, number) for number in range(rows)])


def append(table: Path, name: str, rows: Sequence[dict[str, Any]]) -> int:
    """Commit rows as the next version of a table, which is made if it is not there; return the version's number.

    It is not partitioned: that of the stream is, by `ingest_date`. Columns that a row leaves out are null, but for where it stood in Kafka.
    """
    schema = pa.schema([*_COLUMNS[name], *_PLACE])
    log = table / LOG
    log.mkdir(parents=True, exist_ok=True)
    version = len(list(log.glob("*.json")))
    placed = [
        {"at": _BEGIN, "topic": name, "partition": 0, "offset": number, "batch": version, "intended": _BEGIN, **row}
        for number, row in enumerate(rows, len(rows) * version)
    ]  # fmt: skip
    dated = [{"ingest_date": _BEGIN.date(), **row} for row in placed]
    data = f"part-{version:05}-{uuid.uuid4().hex}.parquet"
    pq.write_table(pa.Table.from_pylist(dated, schema), table / data)
    added = {
        "path": data,
        "partitionValues": {},
        "size": (table / data).stat().st_size,
        "modificationTime": 0,
        "dataChange": True,
        "stats": json.dumps({"numRecords": len(rows)}),
    }
    actions: list[dict[str, Any]] = [] if version else first(from_arrow_schema(schema).json())
    lines = [json.dumps(action) for action in (*actions, {"add": added})]
    delta_file(table, version).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return version


def _row(name: str, number: int) -> dict[str, Any]:
    at = _BEGIN + dt.timedelta(minutes=number)
    if name == "ratings":
        return {
            "id": f"r{number}",
            "user": f"u{number % 5}",
            "item": f"m{number % 7}",
            "rating": 1.0 + number % 5,
            "at": at,
            "rated_at": at,
        }
    if name == "users" and number == 0:
        return {"id": "u0", "at": at}
    likes = {
        "id": f"{name[0]}{number}",
        "at": at,
        "generos": [_GENRES[number % 4], _GENRES[(number + 1 + number // 4) % 4]],
        "directores": [_PEOPLE[number % 5]],
        "actores": [_PEOPLE[(number + 1) % 5], _PEOPLE[(number + 2) % 5]],
        "clasificacion": _AGES[number % 4],
    }
    decade = f"{1980 + 10 * (number % 4)}s"
    if name == "users":
        return {**likes, "decadas_favoritas": [decade]}
    return {**likes, "titulo": f"Título {number}", "decada_lanzamiento": decade}
