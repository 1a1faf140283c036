"""A person's own file, read by Spark's tasks; what a record is and means is tested without a JVM."""

import gzip

import pytest
from pyspark.sql import functions as F

from datasets.dataset import find
from datasets.formats import csv_table
from datasets.source import RAW, RECORDS, REJECTED
from jobs.runtime.failures import explain


def read(spark, path, content, **options):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    dataset = find("csv", {"path": str(path), **options})
    return dataset.read(spark, dataset.fetch(None, path.parent))


def rows(raw):
    seconds = F.unix_timestamp("at").alias("seconds")
    return [tuple(row) for row in raw.ratings.select("user", "item", "rating", seconds).collect()]


def test_rows_and_rejected_lines(spark, tmp_path):
    text = 'user,item,rating,at\na,"b\nc",4.5,1600000000\nd,"e,1,2\nf,g,x,3\n'
    (tmp_path / "r1.csv").write_text("user,item,rating,at\nwrong,file,1,1\n")
    raw = read(spark, tmp_path / "r[1].csv", text, rating="rating", at="at")
    assert rows(raw) == [("a", "b\nc", 4.5, 1_600_000_000)]
    assert [tuple(row) for row in raw.rejected.collect()] == [
        ("r[1].csv", 4, 'd,"e,1,2', "its quotes do not match"),
        ("r[1].csv", 5, "f,g,x,3", "rating is not a number"),
    ]
    assert (raw.ratings.schema, raw.rejected.schema, raw.records.schema) == (RAW, REJECTED, RECORDS)
    assert [row["lines"] for row in raw.records.collect()] == [2, 1, 1]


def test_many_tasks_read_what_one_does(spark, tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.formats.text_files._CHUNK", 1 << 12)
    monkeypatch.setattr(csv_table, "BLOCK", 1 << 12)
    monkeypatch.setattr(csv_table, "_TASK_BYTES", 1 << 14)
    lines = [f'u{n},"i ""{n}""\n",{n % 5}' if n % 7 else f"u{n},{n}" for n in range(5000)]
    raw = read(spark, tmp_path / "f.csv", "\n".join(["user,item,rating", *lines]) + "\n", rating="rating")
    assert raw.records.rdd.getNumPartitions() > 1
    found = raw.records.orderBy("line").collect()
    assert [row["text"] for row in found] == lines
    assert sum(row["reason"] is None for row in found) == sum(bool(n % 7) for n in range(5000))


def test_a_file_that_is_damaged_far_down_is_named(spark, tmp_path):
    whole = gzip.compress("".join(f"u{n},i{n * n}\n" for n in range(500_000)).encode())
    head = gzip.compress(b"user,item\n")
    raw = read(spark, tmp_path / "f.csv.gz", head + whole[: len(whole) // 2])
    with pytest.raises(Exception, match="damaged") as error:
        raw.ratings.count()
    assert explain(error.value).startswith(f"{tmp_path / 'f.csv.gz'} is damaged")
