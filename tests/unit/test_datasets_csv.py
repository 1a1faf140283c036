"""A person's own file, read without a JVM: its rows, what is wrong with others, its encoding, compression and columns."""

import bz2
import gzip
import io
import lzma
import random
import tarfile
import zipfile

import pyarrow as pa
import pytest
from reading import records, rejected, rows, table, write

from datasets import dialect as rules
from datasets.csv_table import Places, Table, cut, split_lines, split_records, unquoted
from datasets.csv_values import Meaning
from datasets.dataset import find
from datasets.dialect import EMPTY, QUOTES, Dialect
from datasets.errors import DataError, UsageError
from datasets.source import Example

R = {"rating": "rating"}
DAY = 1_577_836_800  # 2020


def advice(path, reason, text, line=2, **options):
    dataset = find("csv", {"path": str(path), **options})
    return dataset.advise(path, [Example(reason, 1, path.name, line, text)])


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
    ("encoding", "written"),
    [
        ("utf-8", "utf-8-sig"), ("utf-8-sig", "utf-8-sig"), ("utf-8-sig", "utf-8"), ("mac-roman", "mac-roman"),
        ("utf-16", "utf-16"), ("utf-16-le", "utf-16-le"), ("utf_16_be", "utf-16-be"), ("cp1252", "cp1252"), ("cp037", "cp037"),
        ("gb18030", "gb18030"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("head", ["user,item", '"user","item"'])
def test_encodings_that_python_knows(tmp_path, encoding, written, head):
    path = write(tmp_path / "f.csv", f"{head}\nä,ü\n", written)
    assert rows(path, encoding=encoding) == [("ä", "ü", None, None)]


def test_shift_jis_whose_second_bytes_look_like_separators(tmp_path):
    path = write(tmp_path / "f.csv", "user|item\nソ|ポ\n", "shift_jis")
    assert rows(path, encoding="shift_jis", separator="|", escape="\\") == [("ソ", "ポ", None, None)]


def test_what_does_not_decode_is_rejected_with_its_line(tmp_path):
    path = write(tmp_path / "f.csv", b'user,item\na,b\n\xe9,c\nd,"\xe9\nx"\ne,f\n')
    assert rows(path) == [("a", "b", None, None), ("e", "f", None, None)]
    assert rejected(path) == [(3, "\\xe9,c", "is not utf-8"), (4, 'd,"\\xe9\nx"', "is not utf-8")]
    assert len(advice(path, "is not utf-8", "\\xe9,c")) == 1


@pytest.mark.parametrize("encoding", ["utf9", "rot13", "base64", "punycode", "undefined"])
def test_encodings_of_no_text(encoding):
    with pytest.raises(UsageError, match=f"encoding='{encoding}' .*utf-8"):
        find("csv", {"path": "f.csv", "encoding": encoding})


@pytest.mark.parametrize(
    ("content", "wanted"), [("user,item\na,b\n".encode("utf-16"), "utf-16"), (b"\xff\xfeu\x00", "utf-16")]
)
def test_a_byte_order_mark_of_another_encoding(tmp_path, content, wanted):
    with pytest.raises(DataError, match=rf"f\.csv .*encoding={wanted}"):
        rows(write(tmp_path / "f.csv", content))


def test_utf_16_without_a_byte_order_mark(tmp_path):
    with pytest.raises(DataError, match=r"f\.csv .*encoding=utf-16-le .*utf-16-be"):
        rows(write(tmp_path / "f.csv", "user,item\na,b\n", "utf-16-le"), encoding="utf-16")


COMPRESS = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda content: pa.compress(content, codec="zstd", asbytes=True),
}


@pytest.mark.parametrize("ending", COMPRESS)
def test_compressed_files(tmp_path, ending):
    parts = [COMPRESS[ending](part) for part in (b"user,item\na,b\n", b"c,d\n")]
    for name in (f"f.csv{ending}", "f.csv"):  # what is in it counts, whatever it is called
        assert [row[0] for row in rows(write(tmp_path / name, b"".join(parts)))] == ["a", "c"]
    with pytest.raises(DataError, match=rf"short\.csv{ending} .*damaged"):
        rows(write(tmp_path / f"short.csv{ending}", parts[0][:-3]))
    with pytest.raises(DataError, match=rf"plain\.csv{ending} .*{ending}.* not compressed"):
        rows(write(tmp_path / f"plain.csv{ending}", "user,item\na,b\n"))


def test_archives_name_what_is_in_them(tmp_path):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("plays/one.csv", "user,item\n")
        archive.writestr("read.me", "")
    with pytest.raises(DataError, match=r"f\.zip .*plays/one\.csv, read\.me"):
        rows(write(tmp_path / "f.zip", held.getvalue()))
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("one.csv"))
    with pytest.raises(DataError, match=r"f\.tar\.gz .* tar .*path="):
        rows(write(tmp_path / "f.tar.gz", held.getvalue()))
    with pytest.raises(DataError, match=r"f\.csv .*Parquet.*path="):
        rows(write(tmp_path / "f.csv", b"PAR1...."))


@pytest.mark.parametrize(
    ("head", "options", "named"),
    [
        ("user,item,rating", {"user": "usr"}, "'usr' for user: .*'user'"),
        ("user,item,rating", {"item": "7"}, "'7' for item: .*item, rating, user"),
        ("user,item,rating", {"header": "no"}, "'user' for user: .* 0 to 2"),
        ("user,item,rating,rating", R, "rating=rating: 2 columns .*#2 and #3"),
        ("user,item", {"item": "user"}, "user=user and item=user .*#0"),
        ("user,item,rating", {"rating": "1"}, "item=item and rating=1 .*#1"),
        ("1,0,rating", {"user": "1", "item": "0"}, "user=#0 or user=#1"),
        ("user;item;rating", {}, "separator=; .*user, item, rating"),
        ("user\titem\trating", R, "separator=tab .*user, item, rating"),
        ("user::item::rating", R, "separator=:: .*user, item, rating"),
        ("who;what;stars", {}, "separator=; .*who, what, stars"),
        ("sep=;\nuser;item", {}, "sep=;"),
        ("17,4,5", {"user": "0", "item": "1", "rating": "2"}, "header=false"),
        ("a,b,2020-01-01", {"user": "0", "item": "1", "at": "2", "at_format": "iso"}, "header=false"),
        ("17,4", {"user": "0", "item": "1"}, "header=false"),
    ],
)
def test_columns_that_cannot_be_found(tmp_path, head, options, named):
    path = write(tmp_path / "f.csv", f"{head}\na,b,3,4\n")
    with pytest.raises(UsageError, match=rf"f\.csv: .*(?:{named})"):
        rows(path, **options)


@pytest.mark.parametrize(
    ("head", "options"),
    [
        ("1,0,rating", {"user": "#0", "item": "#1"}),
        ("0,1,2", {"user": "0", "item": "1", "rating": "2"}),
        ("user,item,rating,rating", {"rating": "#2"}),
        ("user,item,user,user", {"user": "#0", "rating": "2"}),
    ],
)
def test_columns_that_are_meant_in_one_way(tmp_path, head, options):
    path = write(tmp_path / "f.csv", f"{head}\na,b,3{',4' * (head.count(',') - 2)}\n")
    assert [row[:2] for row in rows(path, **options)] == [("a", "b")]


def test_a_first_line_that_is_taken_for_names_is_shown(tmp_path):
    path = write(tmp_path / "f.csv", "u1,i1\nu2,i2\n")
    checked = find("csv", {"path": str(path), "user": "0", "item": "1"})
    (note,) = checked.check(path)
    assert "u1, i1" in note
    assert find("csv", {"path": str(path), "user": "u1", "item": "i1"}).check(path) == []


@pytest.mark.parametrize("content", ["", "\nuser,item\n", '"user,item\n', "\x00\x01" * 100])
def test_files_without_a_first_record(tmp_path, content):
    with pytest.raises((DataError, UsageError), match=r"f\.csv"):
        rows(write(tmp_path / "f.csv", content))


def test_a_missing_file_names_those_beside_it(tmp_path):
    write(tmp_path / "plays.csv", "user,item\n")
    with pytest.raises(DataError, match=r"play\.csv .*'plays\.csv'.* path="):
        rows(tmp_path / "play.csv")


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


def bare_table(path, dialect, width):
    return Table(path, "utf-8", dialect, header=False, width=width, places=Places(1, 0), meaning=Meaning())


def test_both_ways_to_split_a_block_are_one(tmp_path):
    """Where no line holds a mark, splitting at line ends and separators gives what the rule for records gives."""
    dice = random.Random(4)
    seen = 0
    for _ in range(1500):
        dialect = Dialect(
            dice.choice([",", "::", "\t", " "]),
            dice.choice(['"', None]),
            dice.choice([None, "\\"]),
            line_end=dice.choice("\n\n\r"),
        )
        letters = ["a", "é", ",", ":", "::", " ", "\t", "\u3000", "\r", "\n", "a,b\n", "a::b\r\n", '"', "\\"]
        text = "".join(dice.choices(letters, k=dice.randrange(1, 40)))
        if dialect.line_end == "\r":
            text = text.replace("\n", "")
        made = bare_table(tmp_path / "f", dialect, dice.randint(2, 3))
        fast = split_lines(made, 7, text.encode()) if text else None
        if fast is not None:
            seen += 1
            slow = split_records(made, made.grammar, 7, text.encode())
            for one, other in zip((*fast[:4], *fast.fields), (*slow[:4], *slow.fields), strict=True):
                assert one.to_pylist() == other.to_pylist(), (text, dialect)
    assert seen > 500


def test_fields_of_a_column_say_what_each_says():
    dice = random.Random(5)
    for _ in range(300):
        dialect = Dialect(
            ",", dice.choice(['"', "'", None]), dice.choice([None, "\\"]), strict=dice.random() < 0.2
        )
        free = ["a b", " a", 'b"c', "", "é"] + (["x\\", "\\N"] if dialect.escape else [])
        quote = dialect.quote or ""
        inside = dice.choice(["a", "", quote * 2, "a\nb", "é", "\\\\" if dialect.escape else "x"])
        fields = [*free, f"{quote}{inside}{quote}", None] if quote else [*free, None]
        found = unquoted(pa.array(fields), dialect).to_pylist()
        assert found == [None if field is None else dialect.value(field) for field in fields]


def test_any_bytes_are_rows_and_rejected_lines(tmp_path, monkeypatch):
    """Every line comes out, good or rejected, in its order and as it stands; how the file is chunked changes nothing."""
    dice = random.Random(6)
    pieces = [
        b"a,b,3\n",
        b"c,d,4\r\n",
        b"a",
        b",",
        b'"',
        b'""',
        b"\n",
        b"\r",
        b"\xe9",
        b"\xff\xfe",
        b"\x00",
        "ü".encode(),
        b"\\",
        b'"x\ny",z,1\n',
    ]
    for number in range(400):
        head, body = b"user,item,rating\n", b"".join(dice.choices(pieces, k=dice.randrange(30)))
        path = write(tmp_path / "f.csv", head + body)
        whole = records(path, **R)
        text = body.decode("utf-8", "surrogateescape")
        assert sum(row["lines"] for row in whole) == text.count("\n") + (
            not text.endswith("\n") and text != ""
        )
        lines = [row["text"] for row in whole]
        plain = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        assert _without_returns("\n".join(lines)) == _without_returns(plain.removesuffix("\n")), number
        monkeypatch.setattr("datasets.text_files._CHUNK", dice.randint(1, 9))
        assert records(path, dice.randint(1, 30), **R) == whole
        monkeypatch.undo()


def _without_returns(text):
    return text.replace("\r", "")


def test_a_file_of_several_blocks_numbers_its_lines(tmp_path):
    good = [f"u{n},i{n},{n % 5}" for n in range(100)]
    path = write(
        tmp_path / "f.csv",
        "\n".join(["user,item,rating", *good[:50], 'u,"x\ny",3', "bad", *good[50:]]) + "\n",
    )
    found = records(path, 50, **R)
    assert [row["line"] for row in found] == [*range(2, 53), *range(54, 105)]
    assert [row["line"] for row in found if row["reason"]] == [54]
    assert len(found) == 102


def test_a_quotation_that_never_closes_is_looked_through_so_far_only(tmp_path, monkeypatch):
    monkeypatch.setattr(rules, "LONGEST", 1000)
    monkeypatch.setattr("datasets.text_files._CHUNK", 64)
    good = "".join(f"u{n},i{n},3\n" for n in range(1000))
    path = write(tmp_path / "f.csv", 'user,item,rating\nu,"open,3\n' + good)
    found = cut(table(path, **R), 100)
    assert next(found)[0] == 2
    assert max(len(text) for _, text in found) < 200
    assert [line for line, _, _ in rejected(path, **R)] == [2]
