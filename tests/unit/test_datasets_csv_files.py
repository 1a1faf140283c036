"""Files of a CSV data set: encodings, compression, archives, and where their columns are."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import pyarrow as pa
import pytest
from reading import R, advice, rejected, rows, write

from core.errors import DataError, UsageError
from datasets.dataset import find


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
    with pytest.raises(UsageError, match=f"encoding .*utf-8.*encoding='{encoding}'"):
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
