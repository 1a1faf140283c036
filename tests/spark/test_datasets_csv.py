"""A person's own file: columns by name and position, quotes, encodings, times, and what is wrong with rows."""

import pytest
from pyspark.sql import functions as F

from datasets.dataset import find
from datasets.errors import DataError, UsageError


def read(spark, path, content, written="utf-8", **options):
    path.write_bytes(content.encode(written))
    dataset = find("csv", {"path": str(path), **options})
    return dataset.read(spark, dataset.fetch(None, path.parent))


def rows(raw):
    seconds = F.unix_timestamp("at").alias("seconds")
    return [tuple(row) for row in raw.ratings.select("user", "item", "rating", seconds).collect()]


def rejected(raw):
    return {(row.text, row.reason) for row in raw.rejected.collect()}


def test_by_name_with_quotes(spark, tmp_path):
    text = 'when,who,what,stars\n1600000000,"a, ""b""","two\nlines",4.5\n,c,d,1\n'
    raw = read(spark, tmp_path / "f.csv", text, user="who", item="what", rating="stars", at="when")
    assert rows(raw) == [('a, "b"', "two\nlines", 4.5, 1_600_000_000), ("c", "d", 1.0, None)]
    assert raw.items is None
    assert rejected(raw) == set()


@pytest.mark.parametrize("multiline", ["yes", "no"])
def test_by_position_without_header(spark, tmp_path, multiline):
    text = "é1\tx\t2020-01-01T10:00:00\nb\ty\t2020-01-01\nc\tz\t2020-01-01 10:00:00.5+02:00\n"
    raw = read(
        spark, tmp_path / "f.tsv", text, "latin-1", user="0", item="1", at="2", at_format="iso",
        separator="tab", header="no", encoding="latin-1", multiline=multiline,
    )  # fmt: skip
    day = 1_577_836_800
    assert rows(raw) == [
        ("é1", "x", None, day + 36_000),
        ("b", "y", None, day),
        ("c", "z", None, day + 28_800),
    ]


def test_milliseconds(spark, tmp_path):
    raw = read(spark, tmp_path / "f.csv", "user,item,t\na,b,1600000000123\n", at="t", at_format="ms")
    assert raw.ratings.select(F.unix_millis("at")).first()[0] == 1_600_000_000_123


def test_rows_that_cannot_be_used(spark, tmp_path):
    bad = {
        "a,b": "has other than 4 fields",
        "a,b,1,2,3": "has other than 4 fields",
        ",b,1,2": "user is empty",
        "a,,1,2": "item is empty",
        "a,b,,2": "rating is not a number",
        "a,b,NaN,2": "rating is not a number",
        "a,b,1,2020-01-01": "at is not a time in s since 1970",
    }
    text = "\n".join(["user,item,rating,at", "a,b,3,1", *bad]) + "\n"
    raw = read(spark, tmp_path / "f.csv", text, rating="rating", at="at")
    assert rows(raw) == [("a", "b", 3.0, 1)]
    assert rejected(raw) == set(bad.items())


def test_wrong_encoding_names_the_line(spark, tmp_path):
    with pytest.raises(DataError, match=r"f\.csv, line 3: byte 0xe9 is not utf-8; .* encoding="):
        read(spark, tmp_path / "f.csv", "user,item\na,b\né,c\n", "latin-1")


def test_empty_file(spark, tmp_path):
    with pytest.raises(DataError, match="is empty"):
        read(spark, tmp_path / "f.csv", "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"user": "usr"}, "no column 'usr' for user: did you mean 'user'"),
        ({"item": "7"}, "no column '7' for item"),
        ({"header": "no"}, "give a position from 0 to 1"),
        ({"encoding": "utf9"}, "common ones are utf-8"),
        ({"separator": ";;"}, "expected one character"),
    ],
)
def test_usage(spark, tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        read(spark, tmp_path / "f.csv", "user,item\na,b\n", **options)
