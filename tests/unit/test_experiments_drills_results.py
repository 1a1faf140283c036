"""What a drill compares afterwards: tasks, stored rows and models."""

import dataclasses
import json
import re

import pytest

from core.errors import JobError
from experiments.studies.drills import rows, tasks
from experiments.studies.drills.act import model_differs
from experiments.studies.drills.again import own_tables
from experiments.studies.drills.rows import Rows
from jobs.runtime.request import Request

# ---- tasks


def ended(stage, partition, reason="Success"):
    return {
        "Event": "SparkListenerTaskEnd", "Stage ID": stage, "Task End Reason": {"Reason": reason},
        "Task Info": {"Index": partition, "Partition ID": partition},
    }  # fmt: skip


def launched(executor, at):
    return {"Event": "SparkListenerTaskStart", "Task Info": {"Executor ID": executor, "Launch Time": at}}


LOG = [
    {"Event": "SparkListenerExecutorAdded", "Executor ID": "0", "Timestamp": 1_000},
    launched("0", 2_000), launched("0", 2_500),
    ended(0, 0), ended(0, 1), ended(1, 0),
    ended(1, 1, "ExecutorLostFailure"), ended(1, 2, "FetchFailed"), ended(0, 0, "Resubmitted"),
    {"Event": "SparkListenerExecutorRemoved", "Executor ID": "0", "Removed Reason": "Command exited with code 137"},
    {"Event": "SparkListenerExecutorAdded", "Executor ID": "2", "Timestamp": 9_000},
    launched("2", 9_750),
    ended(0, 0), ended(1, 1),
    {"Event": "SparkListenerApplicationEnd"},
    {"Event": "SparkListenerExecutorRemoved", "Executor ID": "2", "Removed Reason": "the end"},
]  # fmt: skip


def test_tasks_are_counted_by_how_they_ended(tmp_path):
    (tmp_path / "log").mkdir()
    lines = "".join(json.dumps(item) + "\n" for item in LOG)
    (tmp_path / "log" / "app-1.inprogress").write_text(lines + '{"Event":"SparkListenerTaskEnd","Sta')
    (tmp_path / "log" / "appstatus_app-1.inprogress").write_text(json.dumps(ended(7, 7)))
    found = tasks.read(tmp_path)
    assert (found.succeeded, found.failed) == (5, 3)
    assert found.lost == ["0: Command exited with code 137"]
    assert found.replaced_after(8.0) == pytest.approx(1.75)
    assert found.replaced_after(9.5) is None


def test_tasks_of_a_compressed_log_are_not_taken_for_none(tmp_path):
    (tmp_path / "app-1.zstd").write_bytes(b"\x28\xb5\x2f\xfd")
    with pytest.raises(JobError, match=r"app-1\.zstd\b.*compressed"):
        tasks.read(tmp_path)


def test_no_log_is_no_tasks(tmp_path):
    assert tasks.read(tmp_path / "absent") == tasks.Tasks()


# ---- rows and models


def lists(*scores, items=(7, 8, 9), version="one"):
    made = [
        {"user": number, "items": list(items), "scores": list(found)} for number, found in enumerate(scores)
    ]
    return Rows.of(made, version)


def test_the_order_of_rows_does_not_count_but_each_of_them_does():
    made = [{"user": 1, "key": "a"}, {"user": 2, "key": None}, {"user": 2, "key": None}]
    first, turned = Rows.of(made, "x"), Rows.of(reversed(made), "y")
    assert rows.differences(first, turned, "users") == []
    changed = Rows.of([*made[:2], {"user": 2, "key": "b"}], "x")
    pairs = ((first, Rows.of(made[:2], "x")), (first, changed), (first, None), (None, first))
    patterns = (
        r"\b3 rows undisturbed\b.*\b2 after",
        r"\bdigest\b",
        "not there after",
        "not there undisturbed",
    )
    for pair, pattern in zip(pairs, patterns, strict=True):
        (found,) = rows.differences(*pair, "users")
        assert re.search(f"^users: .*{pattern}", found)


def test_lists_may_differ_in_the_last_digit_of_their_scores_only():
    first = lists([3.0, 2.0, 1.0], [3.0, 2.0, 1.0])
    assert rows.differences(first, lists([3.0, 2.0 + 9e-5, 1.0], [3.0, 2.0, 1.0]), "r") == []
    (found,) = rows.differences(first, lists([3.0, 2.1, 1.0], [3.0, 2.0, 1.0]), "r")
    assert re.search(r"^r: .*\b0\.1$", found)
    assert "other lengths" in rows.differences(first, lists([3.0, 2.0], [3.0, 2.0, 1.0]), "r")[0]
    other = dataclasses.replace(first, users=[0, 2])
    assert "other users" in rows.differences(first, other, "r")[0]
    assert "differ" in rows.differences(first, lists([3.0, float("nan"), 1.0], [3.0, 2.0, 1.0]), "r")[0]
    other = lists([3.0, 2.0, 1.0], [3.0, 2.0, 1.0], items=(7, 9, 8))
    assert re.search(r"^r: 4 of 6 places\b", rows.differences(first, other, "r")[0])


def test_two_items_of_one_score_may_change_places():
    many = [[5.0, 5.0, 4.0]] * 1000
    first = lists(*many)
    swapped = dataclasses.replace(first, items=[[8, 7, 9], *first.items[1:]])
    assert rows.differences(first, swapped, "r") == []
    assert rows.exchanged(first, swapped) == 2


def test_rows_are_kept_and_read_back(tmp_path):
    found = lists([3.0, 2.0, 1.0])
    found.save(tmp_path / "rows.json")
    assert Rows.load(tmp_path / "rows.json") == found
    assert Rows.load(tmp_path / "absent.json") is None
    (tmp_path / "half.json").write_text('{"count": 1')
    assert Rows.load(tmp_path / "half.json") is None


def test_models_are_the_same_within_a_ten_thousandth():
    assert model_differs([3.0, 4.0], [3.0, 4.0 + 5e-5])[1] == []
    largest, (found,) = model_differs([3.0, 4.0], [3.0, 4.1])
    assert largest == pytest.approx(0.1)
    assert re.search(r"^model: .*\b0\.1$", found)
    largest, (found,) = model_differs([3.0], [3.0, 4.0])
    assert largest is None
    assert re.search(r"^model: 1 and 2 predictions\b", found)
    assert model_differs([3.0], [float("nan")])[1]


def test_a_drill_reads_the_data_sets_tables_and_writes_its_own(tmp_path):
    store = tmp_path / "store"
    for table in ("ratings", "recommendations_als", "similar_items_content"):
        (store / f"{table}.part-1").mkdir(parents=True)
        (store / table).symlink_to(f"{table}.part-1")
    request = Request(
        job="train", params={}, spark={}, store="parquet", store_root=str(store), work="w", events="e"
    )
    moved = own_tables(request, tmp_path / "drill")
    assert [path.name for path in (tmp_path / "drill" / "store").iterdir()] == ["ratings"]
    assert (tmp_path / "drill" / "store" / "ratings").resolve() == store / "ratings.part-1"
    assert rows.read(moved, "recommendations_als") is None
    kept = dataclasses.replace(request, store="cassandra", store_root="ml-100k")
    assert own_tables(kept, tmp_path) == kept
