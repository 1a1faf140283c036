"""Spark's event log, invented: what tasks cost is added up for each phase of each pass."""

import json

import pytest
from eventlogs import (
    BEGIN,
    application,
    executor,
    job,
    lost,
    milliseconds,
    phase,
    stage,
    started,
    task,
    write,
)

from experiments.telemetry import telemetry
from experiments.telemetry.eventlog import EventLog


def digest(folder, events, tail="", said=()):
    return telemetry.read(write(folder, events, tail)).digest(said)


def test_tasks_are_added_up_by_phase_and_pass(tmp_path):
    events = [
        executor(), stage(0, "fit#0"), task(0, 1, 2, gc=0.01), task(0, 2, 5, gc=0.01, spill=6, partition=1), stage(1, "fit#1"),
        task(1, 5, 5.5), stage(2, None), task(2, 6, 6.1),
    ]  # fmt: skip
    found = digest(tmp_path / "log", events)
    assert found["groups"].keys() == {"fit#0", "fit#1", "outside"}
    assert found["groups"]["fit#0"] == {
        "tasks": 2, "failed_tasks": 0, "recomputed_tasks": 0, "run_s": 4.0, "cpu_s": 2.0, "gc_s": pytest.approx(0.02),
        "deserialise_s": 0, "serialise_s": 0, "scheduler_s": 0, "fetch_wait_s": 0, "shuffle_write_s": 0,
        "shuffle_read": 24, "shuffle_write": 22, "spill": 3, "spill_memory": 6, "input_rows": 26, "task_max_s": 3.0,
        "task_median_s": 2.0,
    }  # fmt: skip
    assert found["executors_added"] == 1
    assert found["executors_lost"] == []
    assert not found["truncated"]


def test_stage_that_was_planned_by_a_job_counts_for_that_job(tmp_path):
    events = [*job(0, [4], "score#2", 0), task(4, 0, 0.1, attempt=1, failed=True)]
    assert digest(tmp_path / "log", events)["groups"]["score#2"]["failed_tasks"] == 1


def test_executors_that_left_before_the_end_were_lost(tmp_path):
    found = digest(tmp_path / "log", [lost("1"), application(end=True), lost("2")])
    assert found["executors_lost"] == ["1: worker lost"]


def test_task_whose_partition_was_computed_before_is_recomputed(tmp_path):
    events = [
        stage(0), task(0, 0, 1, task_id=0), task(0, 0, 1, task_id=1, partition=1),
        task(0, 1, 2, task_id=0, reason="Resubmitted"),
        stage(0, attempt=1), task(0, 2, 3, attempt=1, task_id=2),
    ]  # fmt: skip
    group = digest(tmp_path / "log", events)["groups"]["fit#1"]
    assert (group["tasks"], group["recomputed_tasks"], group["run_s"]) == (3, 1, 3.0)


def test_what_is_cut_away_before_parsing_changes_nothing(tmp_path):
    events = [task(0, 0, 1, task_id=3, gc=0.2), task(0, 0, 1, task_id=3, gc=0.2, heap=80)]
    unpolled, polled = (json.loads(json.dumps(event)) for event in events)
    del unpolled["Task Executor Metrics"], unpolled["Task Info"]["Accumulables"]
    del polled["Task Info"]["Accumulables"]
    found = list(EventLog(write(tmp_path, events)))
    assert found == [{**unpolled, "Python": False}, {**polled, "Python": False}]


@pytest.mark.parametrize(
    "tail", ['{"Event":"SparkLis', '{"Event":"SparkListenerTaskEnd","Stage ID":0,', "{", "\0\0\0"]
)
def test_last_line_that_a_dying_jvm_left_unfinished_is_tolerated(tmp_path, tail):
    found = digest(tmp_path / "log", [stage(0), task(0, 0, 1)], tail)
    assert found["groups"]["fit#1"]["tasks"] == 1
    assert found["truncated"] is True
    assert found["ended"] is False


def test_a_log_cut_off_anywhere_still_tells_what_came_before(tmp_path):
    events = [executor(), *job(0, [0], "fit#1", 0), stage(0, tasks=4)]
    events += [task(0, n, n + 1, task_id=n, partition=n) for n in range(4)]
    whole = (write(tmp_path, events) / "app-1").read_bytes()
    for end in range(0, len(whole), 331):
        (tmp_path / "app-1").write_bytes(whole[:end])
        found = telemetry.read(tmp_path).digest()
        tasks = found["groups"].get("fit#1", {}).get("tasks", 0)
        assert tasks == whole[:end].count(b'"Input Metrics":{"Records Read":13}}}\n')
        assert found["truncated"] == (not whole[:end].endswith(b"\n") and end > 0)


def test_task_that_ran_when_the_application_was_killed_held_its_core(tmp_path):
    events = [
        application(), executor(cores=1), stage(0), started(0, 1.0, 1), task(0, 1, 2, task_id=1), started(0, 2.0, 2),
        started(0, 6.0, 3),
    ]  # fmt: skip
    found = digest(tmp_path / "log", events, '{"Event"', said=list(phase(0.0, None)))
    (use,) = found["phases"]
    assert use["complete"] is False
    assert use["seconds"] == pytest.approx(6.0)
    assert use["busy_s"] == pytest.approx(5.0)
    assert use["driver_only_s"] == pytest.approx(1.0)


def test_events_that_nobody_knows_and_lines_of_other_kinds_are_passed_over(tmp_path):
    folder = write(
        tmp_path, [stage(0), {"Event": "org.example.Unknown", "x": 1}, task(0, 0, 1), [1], {"a": 1}]
    )
    with (folder / "app-1").open("a") as file:
        file.write('not json\n{"Event":"SparkListenerTaskEnd"}\n')
    found = telemetry.read(folder).digest()
    assert found["groups"]["fit#1"]["tasks"] == 1
    assert found["truncated"] is True


def test_parts_of_a_rolling_log_are_read_in_their_order(tmp_path):
    for number, event in ((2, stage(0, "fit#1")), (10, task(0, 0, 1)), (1, application())):
        (tmp_path / f"events_{number}_app-1").write_text(json.dumps(event) + "\n")
    (tmp_path / "appstatus_app-1").write_text("not an event\n")
    (tmp_path / ".events_1_app-1.crc").write_bytes(b"\xff")
    found = telemetry.read(tmp_path).digest()
    assert found["groups"]["fit#1"]["tasks"] == 1
    assert not found["truncated"]


def test_compressed_logs_are_named_and_not_taken_for_damaged_ones(tmp_path):
    (tmp_path / "app-1.zstd").write_bytes(b"(\xb5/\xfd")
    found = telemetry.read(tmp_path).digest()
    assert found["packed"] == ["app-1.zstd"]
    assert not found["truncated"]


def test_tasks_without_metrics_and_an_absent_log(tmp_path):
    event = {"Event": "SparkListenerTaskEnd", "Stage ID": 0, "Task Info": None, "Task Metrics": None}
    assert digest(tmp_path / "log", [event])["groups"]["outside"]["tasks"] == 1
    empty = telemetry.read(tmp_path / "absent").digest()
    assert (empty["groups"], empty["phases"], empty["timeline"]) == ({}, [], {})


def test_phases_are_found_by_their_jobs_where_nobody_noted_them(tmp_path):
    events = [executor(), *job(0, [0], "fit#1", 1, 5), stage(0), task(0, 2, 4), *job(1, [1], None, 6, 7)]
    (use,) = digest(tmp_path / "log", events)["phases"]
    assert (use["phase"], use["pass"], use["kind"], use["seconds"]) == ("fit", 1, "repeat", 4.0)
    assert use["start"] == BEGIN + 1
    assert use["driver_only_s"] == 2.0


def test_the_timeline_averages_busy_cores_and_cores_over_equal_bins(tmp_path):
    events = [application(), executor(cores=2, at=3), stage(0), task(0, 3, 9), task(0, 3, 6, task_id=1), application(12, end=True)]  # fmt: skip
    line = digest(tmp_path / "log", events)["timeline"]
    assert line["start"] == milliseconds(0) / 1000
    count = len(line["busy"])
    assert line["width_s"] * count == pytest.approx(12)
    quarters = [sum(line["busy"][n * count // 4 : (n + 1) * count // 4]) / (count // 4) for n in range(4)]
    assert quarters == pytest.approx([0, 2, 1, 0])
    assert sum(line["cores"]) / count == pytest.approx(1.5)


def test_a_digest_stays_small_however_many_tasks_there_were(tmp_path):
    events = [executor(cores=4), stage(0, tasks=2000)]
    events += [task(0, n / 400, (n + 4) / 400, task_id=n, partition=n) for n in range(2000)]
    found = digest(tmp_path / "log", events, said=list(phase(0.0, 5.01)))
    assert found["groups"]["fit#1"]["tasks"] == 2000
    assert len(json.dumps(found)) < 10_000
