"""Takes dead letters out of the lake for mending, and sends mended ones again.

The file between has a line of JSON for each letter: topic, partition and offset (which letter it is), reason and field (what was
wrong), key and value (texts, or {"base64": ...} where the bytes are no text). Whoever mends changes key and value, and removes the
lines of letters that stay as they are.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from core.errors import JobError, UsageError
from core.files import write_text
from core.options import nearest, parse
from datasets.topics import declared
from datasets.topics.connection import Connection
from jobs.runtime.context import Context, JobKind
from jobs.runtime.request import Result
from jobs.streaming import kafka, messages
from jobs.streaming.tables import Table

REPLAYS = "recscale.replays"
"""Header of a message that was sent again: topic, partition and offset of the letter, as "ratings-0-17"."""

_LETTER = "topic string, partition int, offset bigint, key binary, value binary"
_IDENTITY = ("topic", "partition", "offset")


@dataclass(frozen=True)
class LettersParams:
    """Parameters of the job.

    Attributes:
        lake: folder of the tables.
        file: of letters: is written by "take", read by "send".
        action: "take" letters out for mending, or "send" mended ones.
        brokers: host:port of Kafka's brokers.
        topics: whose letters are taken; none stands for all.
        reasons: which are taken; none stands for all.
        most: letters that are taken at most.
    """

    lake: Path
    file: Path
    action: Literal["take", "send"]
    brokers: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    most: int = 100_000


class DeadLetters:
    """One phase, `take` or `send`. Letters that were sent stand in `replayed.txt` in the lake's folder and are not sent again."""

    kind: JobKind = "passes"

    def parameters(self) -> frozenset[str]:
        return frozenset(field.name for field in fields(LettersParams))

    def run(self, context: Context) -> Result:
        params = parse(LettersParams, context.request.params, "parameters of dead_letters")
        counts: dict[str, int] = {}
        for _ in context.passes():
            with context.phases.phase(params.action):
                counts = (_take if params.action == "take" else _send)(context.spark, params)
        return Result(
            job="dead_letters",
            status="ok",
            counts=counts,
            table=[["letters", "number"], *([name, count] for name, count in counts.items())],
        )


def _take(spark: SparkSession, params: LettersParams) -> dict[str, int]:
    done = _replayed(params.lake)
    letters = Table.of(params.lake, declared.DEAD_LETTERS).read(spark)
    if params.topics:
        letters = letters.where(F.col("topic").isin(*params.topics))
    if params.reasons:
        letters = letters.where(F.col("reason").isin(*params.reasons))
    rows = letters.orderBy(*_IDENTITY).limit(params.most + len(done)).collect()
    left = [row for row in rows if _name(row) not in done][: params.most]
    write_text(params.file, "".join(json.dumps(_line(row), ensure_ascii=False) + "\n" for row in left))
    return {"taken": len(left), "sent before": len(rows) - len(left) if len(left) < params.most else 0}


def _line(row: Row) -> dict[str, Any]:
    told = {name: row[name] for name in (*_IDENTITY, "reason", "field")}
    return {**told, "key": _text(row["key"]), "value": _text(row["value"])}


def _text(raw: bytearray | None) -> Any:
    if raw is None:
        return None
    try:
        return bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(bytes(raw)).decode("ascii")}


def _bytes(value: Any, where: str) -> bytearray | None:
    if value is None:
        return None
    if isinstance(value, str):
        return bytearray(value.encode("utf-8"))
    if isinstance(value, Mapping) and isinstance(value.get("base64"), str):
        with suppress(ValueError):
            return bytearray(base64.b64decode(value["base64"], validate=True))
    raise UsageError(f'{where}: key and value must be texts, null or {{"base64": ...}}, got {value!r}')


def _send(spark: SparkSession, params: LettersParams) -> dict[str, int]:
    if not params.brokers:
        raise UsageError("brokers in parameters of dead_letters is empty: name Kafka's brokers as host:port")
    done = _replayed(params.lake)
    every = _read(params.file)
    mended = {_name(one): one for one in every}
    if len(mended) < len(every):
        raise UsageError(f"{params.file} has a letter twice: each may be sent once")
    if not mended:
        raise UsageError(f"{params.file} has no letters: take some first (make dead-letters FILE=...)")
    _refuse_bad(_frame(spark, mended), params.file)
    left = {name: one for name, one in mended.items() if name not in done}
    if left:
        frame = _frame(spark, left)
        named = F.concat_ws("-", *_IDENTITY).cast("binary")
        header = F.array(F.struct(F.lit(REPLAYS).alias("key"), named.alias("value")))
        kafka.send(
            frame.select("topic", "key", "value", header.alias("headers")), Connection.of(params.brokers)
        )
        _note(
            params.lake, left
        )  # a crash before this sends them twice, with one header and one id; none is lost
    return {"sent": len(left), "sent before": len(mended) - len(left)}


def _frame(spark: SparkSession, letters: Mapping[str, Mapping[str, Any]]) -> DataFrame:
    return spark.createDataFrame([tuple(one.values()) for one in letters.values()], _LETTER)


def _read(file: Path) -> list[dict[str, Any]]:
    found = []
    # Texts may hold what `splitlines` takes for the end of a line, and JSON does not.
    lines = file.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines[:-1] if not lines[-1] else lines, start=1):
        where = f"{file}, line {number}"
        try:
            one = json.loads(line)
            letter = {
                "topic": str(one["topic"]),
                "partition": int(one["partition"]),
                "offset": int(one["offset"]),
            }
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{where} is no letter with topic, partition and offset: {error!r}") from None
        if letter["topic"] not in declared.topics():
            raise UsageError(
                f"{where}: unknown topic {letter['topic']!r}: {nearest(str(letter['topic']), declared.topics())}"
            )
        found.append(
            {**letter, "key": _bytes(one.get("key"), where), "value": _bytes(one.get("value"), where)}
        )
    return found


def _refuse_bad(frame: DataFrame, file: Path) -> None:
    """Refuse letters that would be dead again."""
    for (name,) in frame.select("topic").distinct().collect():
        of_topic = frame.where(F.col("topic") == name).withColumn("timestamp", F.current_timestamp())
        parsed = messages.Parser(declared.topic(name), declared.schema(name)).rows(of_topic)
        first: Sequence[Row] = messages.bad(parsed).orderBy("partition", "offset").limit(3).collect()
        if first:
            told = "; ".join(
                f"{name}-{one['partition']} offset {one['offset']}: {one['reason']}{': ' + one['field'] if one['field'] else ''}"
                for one in first
            )
            raise JobError(
                f"{file} has letters that are not mended, and none was sent: {told}. Mend or remove their lines"
            )


def _name(letter: Row | Mapping[str, Any]) -> str:
    return "-".join(str(letter[name]) for name in _IDENTITY)


def _replayed(lake: Path) -> set[str]:
    file = lake / "replayed.txt"
    return set(file.read_text(encoding="utf-8").split()) if file.exists() else set()


def _note(lake: Path, names: Mapping[str, Any]) -> None:
    write_text(lake / "replayed.txt", "".join(f"{name}\n" for name in sorted(_replayed(lake) | names.keys())))


JOB = DeadLetters()
