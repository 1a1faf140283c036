"""Blocks of a CSV file: both ways to split them, any bytes, and numbers of lines."""

import random

import pyarrow as pa
from reading import R, records, rejected, table, write

from datasets.formats import dialect as rules
from datasets.formats.csv_table import Places, Table, cut, split_lines, split_records, unquoted
from datasets.formats.csv_values import Meaning
from datasets.formats.dialect import Dialect


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
        monkeypatch.setattr("datasets.formats.text_files._CHUNK", dice.randint(1, 9))
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
    monkeypatch.setattr("datasets.formats.text_files._CHUNK", 64)
    good = "".join(f"u{n},i{n},3\n" for n in range(1000))
    path = write(tmp_path / "f.csv", 'user,item,rating\nu,"open,3\n' + good)
    found = cut(table(path, **R), 100)
    assert next(found)[0] == 2
    assert max(len(text) for _, text in found) < 200
    assert [line for line, _, _ in rejected(path, **R)] == [2]
