"""A person's own file, read without a JVM: its rows, what is wrong with others, its encoding, compression and columns."""

import pytest
from reading import R, advice, records, rejected, rows, write

from datasets.formats.dialect import EMPTY, QUOTES

DAY = 1_577_836_800  # 2020


def test_columns_by_name_with_quotes(tmp_path):
    text = 'when,who,what,stars\n1600000000,"a, ""b""","two\nlines",4.5\n,c,d,1\n'
    path = write(tmp_path / "f.csv", text)
    assert rows(path, user="who", item="what", rating="stars", at="when") == [
        ('a, "b"', "two\nlines", 4.5, 1_600_000_000),
        ("c", "d", 1.0, None),
    ]
    assert [(row["line"], row["lines"]) for row in records(path, user="who", item="what")] == [(2, 2), (4, 1)]


def test_columns_by_position_without_header(tmp_path):
    text = "é1\tx\t2020-01-01T10:00:00\nb\ty\t2020-01-01\nc\tz\t2020-01-01 10:00:00.5+02:00\n"
    path = write(tmp_path / "f.tsv", text, "latin-1")
    how = {"separator": "tab", "header": "no", "encoding": "latin-1", "at_format": "iso"}
    assert rows(path, user="0", item="#1", at="2", **how) == [
        ("é1", "x", None, DAY + 36_000),
        ("b", "y", None, DAY),
        ("c", "z", None, DAY + 28_800.5),
    ]


def test_rows_that_cannot_be_used(tmp_path):
    bad = {
        "a,b": "has 2 fields where 4 are expected",
        "a,b,1,2,3": "has 5 fields where 4 are expected",
        "": EMPTY,
        ",b,1,2": "user is empty",
        "a, \u3000,1,2": "item is empty",
        "a,b,,2": "rating is empty",
        "a,b,NaN,2": "rating is not a number",
        "a,b,1e99,2": "rating is not a number",
        'a,"b,1,2': QUOTES,
        "a,b,1,2020-01-01": "at is not a time in s since 1970",
        "a,b,1,1577836800000": "at is not a time in s since 1970",
        "a,b,1,-2208988801": "at is not a time in s since 1970",
    }
    path = write(tmp_path / "f.csv", "\n".join(["user,item,rating,at", "a,b,3,1", *bad]) + "\n")
    assert rows(path, at="at", **R) == [("a", "b", 3.0, 1)]
    assert rejected(path, at="at", **R) == [(n, text, why) for n, (text, why) in enumerate(bad.items(), 3)]


@pytest.mark.parametrize(
    ("at_format", "text", "seconds"),
    [
        ("s", "1.5778368e9", DAY),
        ("s", "+1577836800", DAY),
        ("s", "-1.5", -1.5),
        ("s", "1577836800.000001", DAY + 1e-6),
        ("ms", "1577836800123", DAY + 0.123),
        ("ms", "1.577836800123e12", DAY + 0.123),
        ("iso", "2020-01-01T02:00+02", DAY),
        ("iso", "2020-01-01T02:00:00.123456789+0200", DAY + 0.123456),
        ("iso", "2019-12-31 19:00:00-05:00", DAY),
        ("iso", "2020-01-01 00:00:00 UTC", DAY),
        ("iso", "2020-01-01T00:00:00z", DAY),
    ],
)
def test_times(tmp_path, at_format, text, seconds):
    path = write(tmp_path / "f.csv", f"user,item,at\na,b,{text}\n")
    assert rows(path, at="at", at_format=at_format) == [("a", "b", None, pytest.approx(seconds, abs=5e-7))]


@pytest.mark.parametrize(
    "text", ["2020-02-30", "1/1/2020", "2020-1-1", "2020-01-01T24:00:00", "0001-01-01", "20200101", "now"]
)
def test_what_is_no_iso_time(tmp_path, text):
    path = write(tmp_path / "f.csv", f"user,item,at\na,b,{text}\n")
    assert rejected(path, at="at", at_format="iso") == [(2, f"a,b,{text}", "at is not an ISO 8601 time")]


def test_numbers_with_a_decimal_comma(tmp_path):
    path = write(
        tmp_path / "f.csv", "user;item;rating;at\na;b;4,5;1577836800,5\na;c;3;0\na;d;1.234,5;0\na;e;2.5;0\n"
    )
    found = rows(path, separator=";", decimal=",", at="at", **R)
    assert found == [("a", "b", 4.5, DAY + 0.5), ("a", "c", 3.0, 0)]
    assert [line for line, _, _ in rejected(path, separator=";", at="at", **R)] == [2, 4]


def test_white_space_around_keys_is_no_part_of_them(tmp_path):
    path = write(tmp_path / "f.csv", 'user,item\n\ta ,b\u00a0\n\ufeffa,\u3000b\u2009\n"a ",b\n')
    assert rows(path) == [("a", "b", None, None)] * 3


def test_keys_that_look_like_nothing(tmp_path):
    path = write(tmp_path / "f.csv", "user,item,at\nNULL,\\N,0\nnan,b,\\N\nc,d,\n")
    assert [row[:2] for row in rows(path)] == [("NULL", "\\N"), ("nan", "b"), ("c", "d")]
    how = {"missing": "NULL,\\N", "at": "at"}
    assert rows(path, **how) == [("nan", "b", None, None), ("c", "d", None, None)]
    assert rejected(path, **how) == [(2, "NULL,\\N,0", "user is empty")]


def test_line_ends_may_be_mixed(tmp_path):
    path = write(tmp_path / "f.csv", "user,rating,item\na,5,x\r\nb,4,x\nc,3,y\r\r\nd,2,y")
    assert [row[1] for row in rows(path, **R)] == ["x", "x", "y", "y"]
    old = write(tmp_path / "mac.csv", "user,rating,item\ra,5,x\rb,4,y")
    assert rows(old, **R) == [("a", "x", 5.0, None), ("b", "y", 4.0, None)]
    assert rejected(write(path, "user,item\na,x\rb\n")) == [
        (2, "a,x\rb", "holds a carriage return outside of quotes")
    ]


@pytest.mark.parametrize(
    "name", ["r[1].csv", "r{a,b}.csv", "what?.csv", "_r.csv", ".r.csv", "r.csv._COPYING_", "é.csv"]
)
def test_a_file_s_name_is_its_own(tmp_path, name):
    write(tmp_path / "r1.csv", "user,item\nwrong,file\n")
    assert rows(write(tmp_path / name, "user,item\na,b\n")) == [("a", "b", None, None)]


@pytest.mark.parametrize(
    ("reason", "text", "options", "setting"),
    [
        ("at is not a time in s since 1970", "a,b,3,1577836800000", {}, "at_format=ms"),
        ("at is not a time in s since 1970", "a,b,3,2020-01-01", {}, "at_format=iso"),
        ("at is not an ISO 8601 time", "a,b,3,1577836800", {"at_format": "iso"}, "at_format=s"),
        ("rating is not a number", 'a,b,"4,5",0', {}, "decimal=,"),
        ("rating is not a number", "a,b,4.5,0", {"decimal": ","}, "decimal=."),
        (QUOTES, 'a,"b,3,0', {}, "multiline=no"),
        (QUOTES, 'a,"b,3,0', {"multiline": "no"}, "quote=none"),
        (QUOTES, 'a,"b \\"c\\"",3,0', {}, "escape="),
        ("has 5 fields where 4 are expected", "1,a,b,3,0", {}, "row"),
        ("has 5 fields where 4 are expected", 'a,"b,c",3,0', {"quote": "none"}, "quote=none"),
    ],
)
def test_advice(tmp_path, reason, text, options, setting):
    path = write(tmp_path / "f.csv", "user,item,rating,at\n")
    (sentence,) = advice(path, reason, text, at="at", **R, **options)
    assert setting in sentence


def test_advice_on_a_header_that_was_read_as_a_row(tmp_path):
    path = write(tmp_path / "f.csv", "user,item,rating\na,b,3\n")
    columns = {"user": "0", "item": "1", "rating": "2", "header": "no"}
    (sentence,) = advice(path, "rating is not a number", "user,item,rating", line=1, **columns)
    assert "header=true" in sentence


def test_no_advice_where_there_is_nothing_to_guess(tmp_path):
    path = write(tmp_path / "f.csv", "user,item,rating,at\n")
    for reason, text in [
        ("user is empty", ",b,3,0"),
        ("at is not a time in s since 1970", "a,b,3,soon"),
        ("rating below 1", "a,b,0,0"),
    ]:
        assert advice(path, reason, text, at="at", **R) == []
