"""Spark's event log, invented: what tasks cost is added up for each phase of each pass."""

import json

import pytest

from experiments import telemetry


def stage(number, group, attempt=0):
    properties = {"spark.jobGroup.id": group} if group else {}
    info = {"Stage ID": number, "Stage Attempt ID": attempt}
    return {"Event": "SparkListenerStageSubmitted", "Stage Info": info, "Properties": properties}


def task(number, milliseconds, attempt=0, failed=False):
    return {
        "Event": "SparkListenerTaskEnd",
        "Stage ID": number,
        "Stage Attempt ID": attempt,
        "Task Info": {"Launch Time": 1000, "Finish Time": 1000 + milliseconds, "Failed": failed},
        "Task Metrics": {
            "Executor Run Time": milliseconds,
            "Executor CPU Time": milliseconds * 500_000,
            "JVM GC Time": 10,
            "Disk Bytes Spilled": 3,
            "Shuffle Read Metrics": {"Remote Bytes Read": 5, "Local Bytes Read": 7},
            "Shuffle Write Metrics": {"Shuffle Bytes Written": 11},
            "Input Metrics": {"Records Read": 13},
        },
    }


def write(folder, events, tail=""):
    folder.mkdir(exist_ok=True)
    lines = "".join(json.dumps(event) + "\n" for event in events)
    (folder / "app-1").write_text(lines + tail)
    return folder


def test_tasks_are_added_up_by_phase_and_pass(tmp_path):
    events = [
        {"Event": "SparkListenerExecutorAdded", "Executor ID": "0"},
        stage(0, "fit#0"), task(0, 1000), task(0, 3000), stage(1, "fit#1"), task(1, 500), stage(2, None), task(2, 100),
    ]  # fmt: skip
    found = telemetry.read(write(tmp_path / "log", events))
    assert found.groups.keys() == {"fit#0", "fit#1", "outside"}
    first = found.groups["fit#0"].summary
    assert first == {
        "tasks": 2, "failed_tasks": 0, "run_s": 4.0, "cpu_s": 2.0, "gc_s": pytest.approx(0.02), "shuffle_read": 24,
        "shuffle_write": 22, "spill": 6, "input_rows": 26, "task_max_s": 3.0, "task_median_s": 2.0,
    }  # fmt: skip
    assert found.executors_added == 1
    assert found.executors_lost == []
    assert not found.truncated


def test_stage_that_was_planned_by_a_job_counts_for_that_job(tmp_path):
    start = {
        "Event": "SparkListenerJobStart",
        "Stage IDs": [4],
        "Properties": {"spark.jobGroup.id": "score#2"},
    }
    found = telemetry.read(write(tmp_path / "log", [start, task(4, 100, attempt=1, failed=True)]))
    assert found.groups["score#2"].failed_tasks == 1


def test_executors_that_left_before_the_end_were_lost(tmp_path):
    removed = {"Event": "SparkListenerExecutorRemoved", "Executor ID": "1", "Removed Reason": "worker lost"}
    end = {"Event": "SparkListenerApplicationEnd"}
    found = telemetry.read(write(tmp_path / "log", [removed, end, {**removed, "Executor ID": "2"}]))
    assert found.executors_lost == ["1: worker lost"]


def test_last_line_that_a_dying_jvm_left_unfinished_is_tolerated(tmp_path):
    found = telemetry.read(
        write(tmp_path / "log", [stage(0, "fit#0"), task(0, 1000)], tail='{"Event": "SparkLis')
    )
    assert found.groups["fit#0"].tasks == 1
    assert found.digest["truncated"] is True


def test_tasks_without_metrics_and_an_absent_log(tmp_path):
    event = {"Event": "SparkListenerTaskEnd", "Stage ID": 0, "Task Info": None, "Task Metrics": None}
    assert telemetry.read(write(tmp_path / "log", [event])).groups["outside"].tasks == 1
    assert telemetry.read(tmp_path / "absent").groups == {}
