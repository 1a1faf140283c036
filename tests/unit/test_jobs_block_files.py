"""Files of blocks: whatever the order of the entries, read back as the sorted matrix; full disks and broken files are told."""

import os
from pathlib import Path

import numpy as np
import pytest

from jobs.engine.block_files import Writer
from jobs.engine.blocks import keys
from jobs.engine.neighbours import csr

ROWS, COLUMNS = 17, 40


def entries(seed=0, share=0.4):
    rng = np.random.default_rng(seed)
    row, column = np.nonzero(rng.random((ROWS, COLUMNS)) < share)
    order = rng.permutation(len(row))
    return (
        row[order].astype(np.int32),
        column[order].astype(np.int32),
        rng.normal(size=len(row)).astype(np.float32),
    )


def written(folder, parts, name="block"):
    writer = Writer(ROWS, COLUMNS, str(folder), name)
    try:
        for part in parts:
            writer.add(*part)
        return writer.finish()
    finally:
        writer.close()


@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_a_block_is_the_sorted_matrix_whatever_the_order_of_its_entries(tmp_path, cut):
    row, column, value = entries()
    parts = [
        (row[at : at + cut], column[at : at + cut], value[at : at + cut]) for at in range(0, len(row), cut)
    ]
    kept, counts = written(tmp_path, parts)
    expected = csr(row, column, value, ROWS)
    for found, wanted in zip(kept.open(), expected, strict=True):
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(counts, np.bincount(row, minlength=ROWS))
    assert [path.name for path in tmp_path.iterdir()] == ["block"]


def test_a_block_without_entries(tmp_path):
    kept, counts = written(tmp_path, [])
    matrix = kept.open()
    assert (len(matrix.indptr), len(matrix.indices), counts.sum()) == (ROWS + 1, 0, 0)


def test_a_block_that_is_not_whole_is_not_there(tmp_path):
    kept, _ = written(tmp_path, [entries()])
    os.truncate(kept.path, kept.size - 4)
    with pytest.raises(FileNotFoundError, match="not whole"):
        kept.open()
    Path(kept.path).unlink()
    with pytest.raises(FileNotFoundError):
        kept.open()


@pytest.mark.parametrize("blocks", [1, 2, 7, 64])
def test_each_block_has_a_key(blocks):
    found = keys(blocks)
    assert sorted(found) == list(range(blocks))
    assert len(set(found.values())) == blocks
