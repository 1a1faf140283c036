"""Messages as rows: what is good, what is bad and why, whether counts prove it or not."""

import json
import time

import pytest
from pyspark.sql import functions as F

from core.errors import UsageError
from datasets.topics.declared import Topic
from jobs.streaming import messages
from jobs.streaming.plain_messages import PlainParser, Raw
from jobs.streaming.proof import proven

SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "user": {"type": "string"},
        "item": {"type": "string"},
        "rating": {"type": "number", "maximum": 5},
        "timestamp": {"type": "integer"},
        "rated_at": {"type": "integer"},
        "type": {"type": "string", "enum": ["like", "played"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "note": {"type": "string"},
        "seen": {"type": "boolean"},
    },
    "required": ["id", "user", "item", "rating", "timestamp"],
}
TOPIC = Topic("ratings", "", "user", 4, "1h")
NOW = int(time.time() * 1000)
PLAIN = {"id": "a1", "user": "u1", "item": "i1", "rating": 4.5, "timestamp": NOW, "rated_at": 1000}


def of(**changes):
    return json.dumps(PLAIN | changes, ensure_ascii=False).encode()


def without(name):
    return json.dumps({key: value for key, value in PLAIN.items() if key != name}).encode()


GOOD = {
    "plain": of(),
    "compact": json.dumps(PLAIN, separators=(",", ":")).encode(),
    "another order": json.dumps(dict(reversed(PLAIN.items()))).encode(),
    "indented": json.dumps(PLAIN, indent=1).encode(),
    "blanks behind": of() + b" \n",
    "colon": of(item="a:b, {c} [d]"),
    "escapes": of(item='a"b\\c\nd'),
    "escaped unicode": json.dumps(PLAIN | {"item": "é"}).encode(),
    "unicode": of(item="é 😀"),
    "replacement character": of(item="\ufffd"),
    "everything": of(type="like", tags=["a]", "b, c", ""], note="", seen=True),
    "escapes in a list": of(tags=['b","c', "[]"]),
    "one tag": of(tags=["a"], note="x:y", seen=False),
    "no tags": of(tags=[]),
    "null": of(note=None),
    "whole number": of(rating=4),
    "exponent": of(rating=-1.5e-7),
    "1970": of(timestamp=0),
}
BAD = {
    "nothing": (None, "no value", None),
    "empty": (b"", "not JSON", None),
    "no JSON": (b"{oops", "not JSON", None),
    "single quotes": (of().replace(b'"', b"'"), "not JSON", None),
    "something behind": (of() + b" x", "not JSON", None),
    "two": (of() + of(), "not JSON", None),
    "two in a row": (of() + b"," + of(), "not JSON", None),
    "mark of order": (b"\xef\xbb\xbf" + of(), "not JSON", None),
    "latin 1": (of().replace(b"i1", b"\xe9\xff"), "not JSON", None),
    "surrogate": (of().replace(b"i1", b"\xed\xa0\x80"), "not JSON", None),
    "control character": (of().replace(b"i1", b"i\n"), "not JSON", None),
    "leading zero": (of().replace(b"4.5", b"04.5"), "not JSON", None),
    "list": (b"[" + of() + b"]", "not an object", None),
    "number": (b"5", "not an object", None),
    "null alone": (b"null", "not an object", None),
    "text for number": (of(rating="4.5"), "wrong type", "rating"),
    "boolean for number": (of(rating=True), "wrong type", "rating"),
    "NaN in quotes": (of(rating="NaN"), "wrong type", "rating"),
    "fraction for integer": (of(timestamp=NOW + 0.5), "wrong type", "timestamp"),
    "beyond integers": (of(timestamp=2**70), "wrong type", "timestamp"),
    "number for text": (of(item=5), "wrong type", "item"),
    "boolean for text": (of(item=True), "wrong type", "item"),
    "list for text": (of(item=["x"]), "wrong type", "item"),
    "object for text": (of(item={"a": "b"}), "wrong type", "item"),
    "numbers in list": (of(tags=[1, 2]), "wrong type", "tags"),
    "lists in list": (of(tags=[["a"]]), "wrong type", "tags"),
    "null in list": (of(tags=["a", None]), "wrong type", "tags"),
    "text for list": (of(tags="a"), "wrong type", "tags"),
    "text for boolean": (of(seen="true"), "wrong type", "seen"),
    "missing": (without("rating"), "missing field", "rating"),
    "first missing": (without("id"), "missing field", "id"),
    "null for required": (of(item=None), "missing field", "item"),
    "twice": (of()[:-1] + b', "rating": 5.0}', "repeated field", "rating"),
    "not among values": (of(type="hate"), "value not allowed", "type"),
    "too large": (of(rating=5.5), "value not allowed", "rating"),
    "2099": (of(timestamp=4_070_908_800_000), "time in the future", "timestamp"),
    "rated in far future": (of(rated_at=2**62), "time in the future", "rated_at"),
    "before 1970": (of(timestamp=-1), "time before 1970", "timestamp"),
}
OF_TEXT = ("not JSON", "wrong type", "repeated field", "not an object")
KAFKA = "key binary, value binary, topic string, partition int, offset long"


def rows(spark, values, key=b"u1"):
    """Parsed messages in their order."""
    sent = [(key, value, "ratings", 0, number) for number, value in enumerate(values)]
    frame = spark.createDataFrame(sent, KAFKA).withColumn("timestamp", F.current_timestamp())
    return messages.Parser(TOPIC, SCHEMA).rows(frame)


def test_good_messages_keep_every_value(spark):
    found = messages.good(rows(spark, GOOD.values())).orderBy("offset").collect()
    assert len(found) == len(GOOD)
    for (name, value), row in zip(GOOD.items(), found, strict=True):
        wanted = json.loads(value)
        times = {
            key: milliseconds(row[kept]) for key, kept in (("timestamp", "at"), ("rated_at", "rated_at"))
        }
        got = {key: times.get(key, row["at" if key == "timestamp" else key]) for key in SCHEMA["properties"]}
        assert got == {key: wanted.get(key) for key in SCHEMA["properties"]}, name
        assert row.extra is None, name


def milliseconds(at):
    return None if at is None else round(at.timestamp() * 1000)


def test_bad_messages_have_a_reason_and_keep_their_bytes(spark):
    found = messages.bad(rows(spark, [value for value, *_ in BAD.values()])).orderBy("offset").collect()
    got = {name: (row.reason, row.field) for name, row in zip(BAD, found, strict=True)}
    assert got == {name: (reason, field) for name, (_, reason, field) in BAD.items()}
    assert [row.value and bytes(row.value) for row in found] == [value for value, *_ in BAD.values()]


def test_the_driver_parses_only_what_is_good_beyond_doubt():
    parser = PlainParser(TOPIC, SCHEMA, messages.SKEW_S)

    def parsed(value, key=b"u1", sent=NOW):
        return parser.parsed(Raw(0, key, value, sent), NOW)

    assert {name: parsed(value) for name, (value, *_) in BAD.items()} == dict.fromkeys(BAD)
    found = {name: parsed(value) for name, value in GOOD.items()}
    doubtful = {name for name, fields in found.items() if fields is None}
    assert doubtful == {"everything", "escapes in a list", "one tag", "no tags", "null"}
    for name in GOOD.keys() - doubtful:
        assert found[name] == json.loads(GOOD[name]), name
    for strange in (
        of(more=1),
        of(item="a\0b"),
        json.dumps(PLAIN | {"item": "\ud800"}).encode(),
        of(rating=10**300),
        of(rating=2**60),
        b"[" * 5000,
        of() + b"1",
    ):
        assert parsed(strange) is None
    for key in (None, b"u2", b"\xff"):
        assert parsed(of(), key) is None
    assert parsed(of(timestamp=NOW + 200_000)) is not None
    assert parsed(of(timestamp=NOW + 200_000), sent=NOW - 200_000) is None


def test_unknown_fields_are_kept_with_the_whole_message(spark):
    more = of(more={"a": [1, None]})
    (row,) = messages.good(rows(spark, [more])).collect()
    assert row.extra.encode() == more
    assert row.rating == 4.5


@pytest.mark.parametrize(
    ("key", "reason"),
    [(None, "no key"), (b"u2", "key differs from field"), (b"\xff", "key differs from field")],
)
def test_keys_are_checked(spark, key, reason):
    (row,) = messages.bad(rows(spark, [of()], key)).collect()
    assert (row.reason, row.field, row.key) == (reason, "user", key)


def test_both_looks_at_a_message_judge_by_the_clock_that_is_given(spark):
    soon = rows(spark, [of(timestamp=NOW + 200_000)])
    assert messages.good(soon).count() == 1
    sent = [(b"u1", of(timestamp=NOW + 200_000), "ratings", 0, 0)]
    frame = spark.createDataFrame(sent, KAFKA).withColumn("timestamp", F.current_timestamp())
    early = messages.Parser(TOPIC, SCHEMA).rows(frame, F.timestamp_millis(F.lit(NOW - 200_000)))
    assert messages.bad(early).first().reason == "time in the future"


@pytest.mark.parametrize(
    ("form", "doubtful"),
    [
        (
            lambda text: text,
            {"blanks behind", "colon", "escapes", "escaped unicode", "escapes in a list", "one tag", "null"},
        ),
        (
            lambda text: text.replace(b", ", b",").replace(b": ", b":"),
            {"blanks behind", "escaped unicode", "null"},
        ),
    ],
    ids=["spaced", "compact"],
)
def test_only_what_holds_nothing_else_is_proven(spark, form, doubtful):
    texts = {
        **{(name, True): value for name, value in GOOD.items()},
        **{(name, False): value for name, (value, reason, _) in BAD.items() if value and reason in OF_TEXT},
    }
    sent = [(number, form(value)) for number, value in enumerate(texts.values())]
    frame = spark.createDataFrame(sent, "n int, value binary").withColumn(
        "text", F.col("value").cast("string")
    )
    found = frame.withColumn("m", F.from_json("text", messages.struct(SCHEMA)))
    sure = proven(F.col("text"), F.col("value"), F.col("m"), messages.kinds(SCHEMA))
    names = list(texts)
    kept = {names[row.n] for row in found.where(sure).select("n").collect()}
    assert {name for name, good in kept if not good} == set()
    assert {name for name, _ in kept} == set(GOOD) - doubtful


def test_a_schema_must_fit_into_rows():
    with pytest.raises(UsageError, match="batch"):
        messages.kinds({"properties": {"batch": {"type": "integer"}}})
    with pytest.raises(UsageError, match="object"):
        messages.kinds({"properties": {"more": {"type": "object"}}})
