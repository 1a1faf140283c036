"""Sets of offsets, what checkpoints and ledgers say of them, and what differs between them."""

import json

import numpy as np
import pytest

from core.errors import DataError
from jobs.reconciling import checkpoints, erased, placed
from jobs.reconciling.offsets import NONE, Place, Ranges
from jobs.reconciling.placed import Stored

RNG = np.random.default_rng(7)


def members(ranges):
    return {offset for first, end in ranges for offset in range(first, end)}


@pytest.mark.parametrize("most", [5, 40, 400])
def test_ranges_are_sets(most):
    for _ in range(50):
        one, two = (set(RNG.integers(0, most, RNG.integers(0, most)).tolist()) for _ in range(2))
        a, b = (Ranges.of_offsets(sorted(some)) for some in (one, two))
        assert (members(a), a.count, bool(a)) == (one, len(one), bool(one))
        assert members(a | b) == one | two
        assert members(a & b) == one & two
        assert members(a - b) == one - two
        assert (a | b) == Ranges.of_offsets(sorted(one | two))


def test_words_are_sets_of_offsets_whatever_their_order():
    offsets = {0, 1, 63, 64, 127, 640, 703}
    words: dict[int, int] = {}
    for offset in offsets:
        words[offset // 64] = words.get(offset // 64, 0) | 1 << offset % 64
    numbers = np.array(list(words)[::-1], np.int64)
    bits = np.array(list(words.values())[::-1], np.uint64).view(np.int64)
    assert members(Ranges.of_words(numbers, bits)) == offsets


def test_a_text_names_the_first_ranges():
    assert str(Ranges.of([(0, 1), (5, 8), (10, 11), (20, 30), (40, 41), (50, 60)])) == (
        "0, 5-7, 10, 20-29, 40 and 1 more ranges"
    )


def written(folder, batches, commits, first):
    """Write a checkpoint as Spark does: `batches` are the ends by partition of each batch."""
    for name in ("offsets", "commits", "sources/0"):
        (folder / name).mkdir(parents=True)
    (folder / "sources" / "0" / "0").write_bytes(b"\0v1\n" + json.dumps({"t": first}).encode())
    for number, ends in enumerate(batches):
        text = "\n".join(["v1", '{"batchWatermarkMs":0}', json.dumps({"t": ends})])
        (folder / "offsets" / str(number)).write_text(text)
    for number in range(commits):
        (folder / "commits" / str(number)).write_text("v1\n{}")
    return folder


def test_a_checkpoint_tells_committed_and_begun_batches_apart(tmp_path):
    home = tmp_path / "lake" / "t" / "checkpoint"
    written(home, [{"0": 10}, {"0": 20, "1": 5}, {"0": 30, "1": 5}], 2, {"0": 3})
    (found,) = checkpoints.consumed(tmp_path)
    assert (found.name, found.batch, found.topics) == ("lake/t", 1, {"t"})
    assert found.committed == {Place("t", 0): Ranges.of([(3, 20)]), Place("t", 1): Ranges.of([(0, 5)])}
    assert found.planned == {Place("t", 0): Ranges.of([(20, 30)])}


def test_a_checkpoint_without_a_commit_has_read_nothing(tmp_path):
    found = checkpoints.read(written(tmp_path / "c", [{"0": 10}], 0, {"0": 2}), "lake", "t")
    assert (found.batch, found.committed) == (-1, {})
    assert found.planned == {Place("t", 0): Ranges.of([(2, 10)])}
    assert checkpoints.read(tmp_path / "none", "lake", "t").batch == -1


def line(**values):
    return json.dumps({"topic": "t", "partition": 0, "acknowledged": 3, "ranges": [[4, 5], [9, 9]], **values})


def test_ledgers_of_several_producers_are_one(tmp_path):
    files = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    files[0].write_text(line() + "\n")
    files[1].write_text(line(acknowledged=1, ranges=[[6, 6]]) + "\n" + line(partition=1) + "\n")
    assert placed.acknowledged(files) == {
        Place("t", 0): Ranges.of([(4, 7), (9, 10)]),
        Place("t", 1): Ranges.of([(4, 6), (9, 10)]),
    }


@pytest.mark.parametrize("text", ["no JSON", "[]", line(ranges=[[1]]), '{"topic": "t"}'])
def test_a_ledger_that_is_damaged_is_refused_with_its_line(tmp_path, text):
    path = tmp_path / "a.jsonl"
    path.write_text(f"{line()}\n{text}\n")
    with pytest.raises(DataError, match=r"a\.jsonl, line 2"):
        placed.acknowledged([path])
    with pytest.raises(DataError, match="missing"):
        placed.acknowledged([tmp_path / "missing"])


T = Place("t", 0)


def at(*offsets):
    return {T: Ranges.of_offsets(sorted(offsets))}


def query(read, planned=()):
    return checkpoints.Consumed("lake", "t", 0, at(*read), at(*planned))


@pytest.mark.parametrize(
    ("lake", "dead", "gone", "found"),
    [
        (Stored(at(0, 1, 3)), Stored(at(2)), {}, []),
        (Stored(at(0, 3)), Stored(at(2)), at(1), []),
        (Stored(at(0, 1, 3, 4)), Stored(at(2)), {}, []),  # of the batch that began
        (Stored(at(0, 3)), Stored(at(2)), {}, [("lost", 1, "offsets 1")]),
        (Stored(at(0, 1, 3), at(0)), Stored(at(2)), {}, [("doubled in the lake", 1, "offsets 0")]),
        (Stored(at(0, 1, 2, 3)), Stored(at(2), at(2)), {}, [("doubled among", 1, "offsets 2"), ("in the lake and", 1, "offsets 2")]),
        (Stored(at(0, 1, 3, 9)), Stored(at(2, 7)), {}, [("in the lake, but", 1, "offsets 9"), ("a dead letter, but", 1, "offsets 7")]),
        (Stored(at(0, 1, 3)), Stored(at(2)), at(1, 2), [("erased, and yet in", 1, "offsets 1"), ("erased, and yet a", 1, "offsets 2")]),
    ],
)  # fmt: skip
def test_what_is_stored_is_compared_with_what_was_read(lake, dead, gone, found):
    check = placed.placed([query(range(4), [4, 5])], lake, dead, gone)
    assert check.compared == 4
    assert len(check.findings) == len(found)
    for finding, (what, count, where) in zip(check.findings, found, strict=True):
        assert finding.what.startswith(what)
        assert (finding.topic, finding.partition, finding.count, finding.where) == ("t", 0, count, where)


def test_rows_of_a_batch_that_came_while_the_tables_were_read_are_no_finding():
    check = placed.placed([query(range(4))], Stored(at(*range(8))), Stored(), {}, [query(range(6), [6, 7])])
    assert (check.compared, check.findings) == (4, [])


def test_what_was_acknowledged_must_have_been_read():
    assert placed.arrived(at(0, 3), [query(range(4))]).findings == []
    (found,) = placed.arrived(
        {**at(3, 4), Place("other", 1): Ranges.of([(0, 2)])}, [query(range(4))]
    ).findings[:1]
    assert (found.topic, found.count, found.where) == ("other", 2, "offsets 0-1")


def test_erased_offsets_are_kept_without_doubles(tmp_path):
    assert erased.read(tmp_path) == {}
    erased.add(tmp_path, at(1, 2))
    erased.add(tmp_path, at(2, 3, 9))
    assert erased.read(tmp_path) == at(1, 2, 3, 9)
    (tmp_path / erased.FILE).write_text("{")
    with pytest.raises(DataError, match="damaged"):
        erased.read(tmp_path)


def test_no_offsets_are_no_range():
    assert (NONE.count, str(NONE), list(NONE)) == (0, "", [])
