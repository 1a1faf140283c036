"""Messages that a table did not take, from the offsets in its files."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.streaming.left_out import left_out
from jobs.streaming.offsets import Range

RANGES = [Range("ratings", 0, 10, 16), Range("ratings", 1, 0, 4), Range("ratings", 2, 7, 9)]


@pytest.fixture
def files(tmp_path):
    held = {"a": [(0, 10), (0, 15), (1, 0), (1, 1)], "b": [(1, 3), (1, 2), (0, 13)]}
    for name, places in held.items():
        partition, offset = zip(*places, strict=True)
        table = {"partition": pa.array(partition, pa.int32()), "offset": pa.array(offset, pa.int64())}
        pq.write_table(pa.table({"other": [0] * len(places), **table}), tmp_path / name)
    return [tmp_path / name for name in held]


def test_offsets_that_no_file_has(files, condition):
    found = left_out(RANGES, files)
    assert found.ranges == [Range("ratings", 0, 11, 15), Range("ratings", 2, 7, 9)]
    assert found.condition == condition(
        "(partition = 0 AND offset IN (11L,12L,14L)) OR (partition = 2 AND offset IN (7L,8L))"
    )


def test_many_are_not_named_one_by_one(files):
    found = left_out(RANGES, files, most=4)
    assert (found.condition, len(found.ranges)) == (None, 2)


def test_a_table_that_took_none(condition):
    found = left_out(RANGES[2:], [])
    assert found.ranges == RANGES[2:]
    assert found.condition == condition("(partition = 2 AND offset IN (7L,8L))")


@pytest.fixture
def condition(monkeypatch):
    """Let a condition be its text: without Spark there is no other."""
    monkeypatch.setattr("jobs.streaming.left_out.F.expr", str)
    return str
