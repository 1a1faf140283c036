"""Messages of a topic as rows: fields by the topic's JSON Schema, and a reason for each message that is not good.

A message is parsed once. Counts prove of most that nothing else is in them (`proof`); the others are looked at closely.
"""

from collections.abc import Mapping
from functools import reduce
from operator import or_
from types import MappingProxyType
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from core.errors import UsageError
from datasets.topics.declared import Topic
from jobs.streaming.proof import proven, utf8

SKEW_S = 300.0
"""Seconds that a message's time may lie in the future."""

TIME = "timestamp"
TIMES = (TIME, "rated_at")
"""Fields with milliseconds since 1970, which become timestamps; the first is then named `at`."""

SOURCE = ("topic", "partition", "offset", "intended")
"""Columns beside a message's fields: where it stood in Kafka, and when it was to be sent."""

NO_VALUE, NOT_JSON, NOT_OBJECT = "no value", "not JSON", "not an object"
WRONG_TYPE, MISSING, REPEATED, NOT_ALLOWED = (
    "wrong type", "missing field", "repeated field", "value not allowed",
)  # fmt: skip
NO_KEY, OTHER_KEY, FUTURE, BEFORE_1970 = (
    "no key",
    "key differs from field",
    "time in the future",
    "time before 1970",
)
"""Reasons."""

_OPTIONS = {"allowNonNumericNumbers": "false", "allowSingleQuotes": "false"}
_KINDS: Mapping[str, T.DataType] = {
    "string": T.StringType(),
    "integer": T.LongType(),
    "number": T.DoubleType(),
    "boolean": T.BooleanType(),
    "array": T.ArrayType(T.StringType()),
}
_KEY, _VALUE = "raw_key", "raw_value"
"""Bytes of a message, under names that no field has: events have a value, tracks a key."""

_NOW = "_now"
"""Column with the time at which a message is judged."""

_OWN = {*SOURCE, "at", "batch", "ingest_date", "extra", "reason", "field", _KEY, _VALUE}
_OTHERS = (
    T.DoubleType(),
    T.BooleanType(),
    T.ArrayType(T.StringType()),
    T.MapType(T.StringType(), T.StringType()),
)
"""Types of values that Spark's parser would take for texts."""


def kinds(schema: Mapping[str, Any]) -> dict[str, str]:
    """Return the JSON type of each field of a JSON Schema, in its order.

    Raises:
        UsageError: a field has a type that a row cannot have.
    """
    found = {name: _kind(name, one) for name, one in schema["properties"].items()}
    if taken := sorted(found.keys() & _OWN):
        raise UsageError(f"the schema has a field {taken[0]}, which is a column of the lake's own: rename it")
    return found


def _kind(name: str, declared: Mapping[str, Any]) -> str:
    kind = declared.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), None)
    if kind not in _KINDS or (kind == "array" and declared.get("items", {}).get("type") != "string"):
        raise UsageError(
            f"the field {name} of the schema has the type {kind!r}: use {', '.join(_KINDS)}, arrays of string only"
        )
    return str(kind)


def struct(schema: Mapping[str, Any]) -> T.StructType:
    """Return the Spark type of a JSON Schema's messages: string, bigint, double, boolean, array<string>."""
    return T.StructType([T.StructField(name, _KINDS[kind]) for name, kind in kinds(schema).items()])


class Parser:
    """Makes of Kafka's rows the rows of a topic's messages.

    Its expressions are made once, as that takes longer than Spark needs for a small batch.
    """

    def __init__(self, topic: Topic, schema: Mapping[str, Any], skew_s: float = SKEW_S) -> None:
        """Make the expressions.

        Args:
            topic: whose key the messages must have.
            schema: JSON Schema of the messages.
            skew_s: seconds that a message's time may lie after that at which it was to be sent, and after `now`.
        """
        self._fields = once(F.from_json(_text(), struct(schema), _OPTIONS))
        self._proven = once(proven(_text(), F.col(_VALUE), F.col("_m"), kinds(schema)))
        message = _Message(schema, topic.key, skew_s)
        self._values = [_value(name) for name in message.kinds]
        self._found = [
            message.extra().alias("extra"),
            message.reason().alias("reason"),
            message.field().alias("field"),
        ]

    def rows(
        self,
        frame: DataFrame,
        now: Column | None = None,
        constants: Mapping[str, Column] = MappingProxyType({}),
    ) -> DataFrame:
        """Return Kafka's rows as rows of the topic's messages.

        Values that differ from batch to batch enter below everything else, in a step of their own: Spark writes numbers into the code that it
        makes, and would compile all of it for each batch.

        Args:
            frame: of Kafka: key, value, topic, partition, offset, timestamp (of a stream or a batch); further columns stay.
            now: a timestamp; whoever may judge a message twice must say the same both times. Default: the time of the query.
            constants: further columns with the same value in each row.

        Returns:
            The message's fields (`timestamp` as `at`, it and `rated_at` as timestamps), topic, partition, offset, intended,
            `extra` (the whole message as text if it has fields that the schema does not know, else null), `reason` (null for a good
            message) and `field` (the one that the reason is about, or null); raw_key and raw_value: key and value as they came. Reason and field
            cost nothing for good messages, and whatever is not selected is not computed. A bad message's fields may be null.
        """
        names = {"timestamp": "intended", "key": _KEY, "value": _VALUE}
        held = frame.drop("timestampType").withColumnsRenamed(names)
        given = {_NOW: F.current_timestamp() if now is None else now, **constants}
        below = held.withColumns({**{name: once(value) for name, value in given.items()}, "_m": self._fields})
        found = below.withColumn("_proven", self._proven)
        return found.select(*self._values, *held.columns, *constants, *self._found)


def _text() -> Column:
    """Return the message as text: the same bytes, so that a column of its own would only be copied from step to step."""
    return F.col(_VALUE).cast("string")


def once(column: Column) -> Column:
    """Return the column such that a filter above it is not moved below it, which would compute it for the filter and again."""
    return F.when(F.monotonically_increasing_id() >= 0, column)  # always; but Catalyst cannot know


def good(frame: DataFrame) -> DataFrame:
    """Return the good messages of a parser's rows: their fields, topic, partition, offset, intended and extra."""
    return frame.where(F.col("reason").isNull()).drop(_KEY, _VALUE, "reason", "field")


def bad(frame: DataFrame, *further: str) -> DataFrame:
    """Return the other messages of a parser's rows: topic, partition, offset, intended, key, value, reason, field and further columns."""
    raw = [F.col(_KEY).alias("key"), F.col(_VALUE).alias("value")]
    return frame.where(F.col("reason").isNotNull()).select(*SOURCE, *raw, "reason", "field", *further)


def _value(name: str) -> Column:
    value = F.col("_m")[name]
    if name in TIMES:
        # A time out of range has a reason, and must not fail the batch.
        in_range = F.when(value.between(0, _LAST_MS), value)
        return F.timestamp_millis(in_range).alias("at" if name == TIME else name)
    return value.alias(name)


_LAST_MS = 253_402_300_799_999
"""The end of the year 9999."""


class _Message:
    """Expressions over the columns `_m` (fields), `_proven`, `_now`, the raw key and value, and `intended`."""

    def __init__(self, schema: Mapping[str, Any], key: str, skew_s: float) -> None:
        self.kinds = kinds(schema)
        self.schema, self.key, self.skew_s = schema, key, skew_s
        self.required = [name for name in schema.get("required", ()) if name in self.kinds]

    def value(self, name: str) -> Column:
        return F.col("_m")[name]

    def extra(self) -> Column:
        """Return the text if it has fields that the schema does not know."""
        unknown = F.size(F.array_except(_names(), self._known())) > 0
        return F.when(~F.col("_proven") & F.coalesce(unknown, F.lit(False)), _text())

    def _known(self) -> Column:
        return F.array(*(F.lit(name) for name in self.kinds))

    def reason(self) -> Column:
        """Return why the message is not good, null if it is."""
        return self._first(lambda reason, _: F.lit(reason))

    def field(self) -> Column:
        """Return the field that the reason is about."""
        return self._first(lambda _, field: field)

    def _first(self, say: Any) -> Column:
        """Return what `say` makes of reason and field of the first thing that is wrong."""
        none = F.lit(None).cast("string")
        # A message that is proven needs no look at its text. One flat list of cases, because Spark makes of nested ones a method
        # that is too long for Java's compiler.
        doubtful = ~F.col("_proven")
        closely = [
            (doubtful & F.coalesce(wrong, F.lit(False)), reason, field)
            for wrong, reason, field in self._closely()
        ]
        (wrong, reason, field), *others = [
            (F.col(_VALUE).isNull(), NO_VALUE, none),
            *closely,
            *self._plainly(),
        ]
        said = F.when(wrong, say(reason, field))
        for wrong, reason, field in others:
            said = said.when(wrong, say(reason, field))
        return said

    def _plainly(self) -> list[tuple[Column, str, Column]]:
        """Return what can be wrong with fields that have their types: condition, reason, field."""
        cases = [(self.value(name).isNull(), MISSING, F.lit(name)) for name in self.required]
        for name, declared in self.schema["properties"].items():
            value = self.value(name)
            if "enum" in declared:
                cases.append((~value.isin(list(declared["enum"])), NOT_ALLOWED, F.lit(name)))
            if "minimum" in declared and name not in TIMES:
                cases.append((value < F.lit(declared["minimum"]), NOT_ALLOWED, F.lit(name)))
            if "maximum" in declared:
                cases.append((value > F.lit(declared["maximum"]), NOT_ALLOWED, F.lit(name)))
        if self.key:
            cases += [
                (F.col(_KEY).isNull(), NO_KEY, F.lit(self.key)),
                (F.col(_KEY).cast("string") != self.value(self.key), OTHER_KEY, F.lit(self.key)),
            ]
        latest = F.unix_millis(F.least("intended", _NOW)) + round(self.skew_s * 1000)
        for name in TIMES:
            if name in self.kinds:
                cases += [
                    (self.value(name) < 0, BEFORE_1970, F.lit(name)),
                    (self.value(name) > latest, FUTURE, F.lit(name)),
                ]
        return cases

    def _closely(self) -> list[tuple[Column, str, Column]]:
        """Return what can be wrong with the text: condition, reason, field."""
        none = F.lit(None).cast("string")
        text, names = _text(), _names()
        # Alone in a list it must be one entry: Spark's parser does not look at what stands behind the object.
        entries = F.from_json(F.concat(F.lit("["), text, F.lit("]")), "array<string>", _OPTIONS)
        wrong = self._wrong()
        repeated = F.size(names) != F.size(F.array_distinct(names))
        again = F.filter(
            F.array_distinct(names),
            lambda name: F.size(F.filter(names, lambda other: other == name)) > 1,
        )
        return [
            (~utf8(F.col(_VALUE)) | (F.coalesce(F.size(entries), F.lit(-1)) != 1), NOT_JSON, none),
            (names.isNull(), NOT_OBJECT, none),
            (repeated, REPEATED, again[0]),
            (wrong.isNotNull(), WRONG_TYPE, wrong),
        ]

    def _wrong(self) -> Column:
        """Return the first field whose value is there and not of its type, null if there is none."""
        of_texts = [name for name, kind in self.kinds.items() if kind == "string"]
        of_lists = [name for name, kind in self.kinds.items() if kind == "array"]
        given = F.from_json(_text(), "map<string,string>", _OPTIONS)
        others = [
            F.from_json(
                _text(),
                T.StructType(
                    [T.StructField(name, kind) for name in of_texts]
                    + [T.StructField(name, T.ArrayType(kind)) for name in of_lists]
                ),
                _OPTIONS,
            )
            for kind in _OTHERS
        ]
        cases = []
        for name, kind in self.kinds.items():
            if kind == "string":
                wrong = reduce(or_, (other[name].isNotNull() for other in others))
            elif kind == "array":
                of_others = (F.exists(other[name], lambda one: one.isNotNull()) for other in others)
                gap = F.exists(self.value(name), lambda one: one.isNull())
                wrong = reduce(or_, of_others, self.value(name).isNull() | gap)
            else:
                wrong = self.value(name).isNull()
            cases.append(F.when(given[name].isNotNull() & F.coalesce(wrong, F.lit(False)), F.lit(name)))
        return F.coalesce(*cases)


def _names() -> Column:
    return F.json_object_keys(_text())
