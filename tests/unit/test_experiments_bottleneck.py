"""Verdicts on invented logs, in which it is known what each cause cost."""

import dataclasses
import re

import numpy as np
import pytest
from eventlogs import application as app
from eventlogs import executor, lost, phase, stage, task, wanted, write
from invented import application, outcome

from experiments.record.run_tags import tags
from experiments.report.sections.bottleneck import FIND
from experiments.results.metrics import numbers
from experiments.spec.experiment import Experiment
from experiments.telemetry import telemetry
from experiments.telemetry.bottleneck.causes import CAUSES
from experiments.telemetry.bottleneck.inflation import inflation
from experiments.telemetry.bottleneck.verdict import judged, verdict
from experiments.telemetry.bottleneck.whatif import blocks, equalised, makespan

SPEC = Experiment("invented", "Why?")

HEALTHY = [[(0, 0, 1), (1, 0, 1), (2, 1, 2), (3, 1, 2)], [(0, 2, 4), (1, 2, 4.1)]]


def tasks(*stages, **costs):
    """Events of stages of tasks (partition, start, end), one stage after another."""
    for number, rows in enumerate(stages):
        yield stage(number, tasks=len(rows))
        for partition, start, end in rows:
            yield task(number, start, end, task_id=100 * number + partition, partition=partition, **costs)


def seen(folder, events, end, cores=2, said=None):
    """The telemetry of a phase that lasted from 0 to `end` on `cores` executors of one core."""
    begin = [app(), wanted(cores), *(executor(str(n)) for n in range(cores))]
    log = write(folder, [*begin, *events, app(end, end=True)])
    return telemetry.read(log).digest(list(phase(0.0, end)) if said is None else said)


def judge(folder, events, end, cores=2):
    found = application(0, [9, end], telemetry=seen(folder, events, end, cores))
    (one,) = judged([found])
    assert sum(one.lost.values()) <= 1.005  # the log has whole milliseconds
    assert all(saved < 1 for saved in one.saved.values())
    return one


def test_busy_cores_have_no_bottleneck(tmp_path):
    one = judge(tmp_path, tasks(*HEALTHY), 4.2)
    assert one.causes == []
    assert one.occupancy == pytest.approx(8.1 / 8.4)


def test_time_without_a_task_is_the_drivers(tmp_path):
    one = judge(tmp_path, tasks([(0, 6, 10), (1, 6, 10)]), 10)
    assert one.causes == ["driver-bound"]
    assert one.driver_only == pytest.approx(0.6)
    assert one.at_most("driver-bound") == pytest.approx(2.5)
    assert re.search(r"^fit: 60%.*driver.*2\.5\u00d7", one.sentence("driver-bound"))


def test_a_long_last_task_is_skew(tmp_path):
    rows = [(0, 0, 1), (1, 0, 1), (2, 1, 2), (3, 1, 8)]
    one = judge(tmp_path, tasks(rows), 8)
    assert one.causes == ["skewed"]
    assert one.skew == pytest.approx(7)
    assert one.at_most("skewed") == pytest.approx(8 / 5)  # four tasks of 2.5 s on two cores
    assert one.worst == {"stage": "stage 0", "tasks": 4, "max_s": 7.0, "median_s": 1.0}


def test_one_task_on_two_cores_is_starved_and_not_skewed(tmp_path):
    one = judge(tmp_path, tasks([(0, 0, 5)], [(0, 5, 9)]), 9)
    assert one.causes == ["starved"]
    assert one.at_most("starved") == pytest.approx(2)
    assert re.search(r"\b2 core.*\b1 task.*'stage 0'.*2\.0\u00d7", one.sentence("starved"))


def test_a_last_wave_of_equal_tasks_that_does_not_fill_the_cores_is_starved(tmp_path):
    one = judge(tmp_path, tasks([(0, 0, 1), (1, 0, 1), (2, 1, 2)]), 2)
    assert one.causes == ["starved"]
    assert one.saved["starved"] == pytest.approx(0.25)
    assert one.saved["skewed"] == 0


def test_cores_that_were_asked_for_and_never_came_are_starved(tmp_path):
    begin = [app(), wanted(4), executor("0"), executor("1")]
    log = write(tmp_path, [*begin, *tasks(*HEALTHY), app(4.2, end=True)])
    (one,) = judged([application(0, [9, 1], telemetry=telemetry.read(log).digest(list(phase(0, 4.2))))])
    assert one.causes == ["starved"]
    assert one.lost["starved"] >= 0.5


@pytest.mark.parametrize(
    ("cause", "costs"),
    [
        ("GC-bound", {"gc": 0.4}),
        ("shuffle-bound", {"wait": 0.3, "write": 0.1}),
        ("spilling", {"spill": 60_000_000}),  # at half a core
        ("spilling", {"spill": 120_000_000, "python": True}),  # whose CPU time is not in the log
        ("overhead-bound", {"deserialise": 0.2, "idle": 0.2}),
    ],
)
def test_what_tasks_paid_is_taken_off_each_of_them(tmp_path, cause, costs):
    rows = [(n, n // 2, n // 2 + 1) for n in range(8)]
    one = judge(tmp_path, tasks(rows, **costs), 4)
    assert one.causes == [cause]
    assert one.lost[cause] == pytest.approx(0.4)
    assert one.at_most(cause) == pytest.approx(1 / 0.6)
    assert re.search(r"\b40%.*1\.7\u00d7", one.sentence(cause))


def test_a_cost_of_the_only_running_task_counts_whole(tmp_path):
    one = judge(tmp_path, tasks([(0, 0, 4)], gc=2.0), 4)
    assert one.lost["GC-bound"] == pytest.approx(0.25)
    assert one.saved["GC-bound"] == pytest.approx(0.5)


def test_cores_that_idle_though_tasks_wait_are_the_schedulers(tmp_path):
    rows = [(0, 0, 1), (1, 0, 1), (2, 1, 2), (3, 2, 3), (4, 3, 4), (5, 3.9, 4.9)]
    one = judge(tmp_path, tasks(rows), 4.9)
    assert one.causes == ["overhead-bound"]


def test_what_was_lost_with_an_executor_is_counted_with_what_ran_again(tmp_path):
    events = [
        stage(0, tasks=2), task(0, 0, 3, task_id=0), task(0, 0, 3, task_id=1, partition=1),
        stage(1, tasks=2), task(1, 3, 4, task_id=2), lost("1", 4),
        task(1, 3, 4, task_id=3, partition=1, failed=True, reason="ExecutorLostFailure"),
        stage(0, attempt=1), task(0, 4, 7, attempt=1, task_id=4, partition=1),
        stage(1, attempt=1), task(1, 7, 8, attempt=1, task_id=5, partition=1),
    ]  # fmt: skip
    one = judge(tmp_path, events, 8)
    assert one.causes == ["executor lost"]
    assert one.lost["executor lost"] == pytest.approx((1 + 3 + 4) / 16)
    assert re.search(r"\b50%.*\b2 task", one.sentence("executor lost"))


def test_stages_at_the_same_time_are_one_block(tmp_path):
    launch, finish = np.array([0.0, 0.5, 2.0, 2.0]), np.array([1.0, 2.0, 3.0, 4.0])
    found = list(blocks(launch, finish, np.array([0, 1, 2, 2])))
    assert [(block.start, block.end, sorted(block.rows)) for block in found] == [
        (0, 2, [0, 1]),
        (2, 4, [2, 3]),
    ]


def test_tasks_are_placed_in_the_order_of_their_launch():
    assert makespan(np.array([3.0, 1.0, 1.0, 1.0]), 2) == 3
    assert makespan(np.array([1.0, 1.0, 1.0, 3.0]), 2) == 4
    assert makespan(np.array([2.0, 5.0]), 8) == 5
    assert makespan(np.array([]), 2) == 0
    assert list(equalised(np.array([1.0, 3.0, 7.0]), np.array([4, 4, 9]))) == [2, 2, 7]


def test_shares_and_bounds_stay_within_reason_whatever_the_log(tmp_path):
    random = np.random.default_rng(7)
    for number in range(25):
        cores, count = int(random.integers(1, 5)), int(random.integers(1, 30))
        free, events = np.zeros(cores), [stage(0, tasks=count)]
        for partition in range(count):
            core = int(np.argmin(free))
            start = free[core] + random.exponential(0.05)
            free[core] = start + random.exponential(1.0)
            costs = {name: float(random.uniform(0, free[core] - start)) for name in ("gc", "wait", "write")}
            events.append(task(0, start, free[core], task_id=partition, partition=partition, **costs))
        end = float(free.max()) + 0.5
        one = judge(tmp_path / str(number), events, end, cores)
        unused = sum(one.lost[cause] for cause in ("driver-bound", "starved", "skewed"))
        assert unused <= 1 - one.occupancy + 0.02
        assert all(one.lost[cause] >= -1e-9 and one.at_most(cause) >= 1 for cause in CAUSES)


def trial(folder, events, end, workers=2, **changes):
    digest = seen(folder, events, end, workers)
    return outcome([application(n, [9, end], telemetry=digest) for n in range(2)], workers, **changes)


def test_a_trial_is_judged_by_what_costs_most_of_a_pass(tmp_path):
    events = [*tasks(*HEALTHY), stage(7, "score#1", tasks=1), task(7, 4.2, 4.4, task_id=70)]
    said = [*phase(0.0, 4.2), *phase(4.2, 4.4, "score")]
    digest = seen(tmp_path, events, 4.4, said=said)
    found = verdict(outcome([application(0, [9, 4.2], telemetry=digest)], 2))
    assert [(item.phase, item.causes) for item in found.phases] == [("fit", []), ("score", ["starved"])]
    assert found.cause == ""
    assert re.search(r"^no bottleneck.*fit\b.*\b95%.*\b96%.*busy", found.sentence)


def test_a_trial_names_the_phase_the_cause_and_what_it_costs(tmp_path):
    found = verdict(trial(tmp_path, tasks([(0, 6, 10), (1, 6, 10)]), 10))
    assert (found.phase, found.cause) == ("fit", "driver-bound")
    assert re.search(r"^fit: 60%.*driver.*2\.5\u00d7", found.sentence)


def test_the_record_gets_the_verdict_and_the_shares(tmp_path):
    one = trial(tmp_path, tasks([(0, 6, 10), (1, 6, 10)]), 10)
    own = tags(one)
    assert own["recscale.bottleneck"] == "driver-bound"
    assert own["recscale.verdict"] == verdict(one).sentence
    found = {number.name: number.value for number in numbers(one)}
    assert found["spark/fit/busy_share"] == pytest.approx(0.4)
    assert found["spark/fit/driver_only_share"] == pytest.approx(0.6)


def test_a_killed_application_is_judged_and_said_to_be_one(tmp_path):
    log = write(tmp_path, [app(), executor(), executor("1"), *tasks(HEALTHY[0])], '{"Event":"Spark')
    digest = telemetry.read(log).digest(list(phase(0.0, None, number=0, kind="cold")))
    one = application(0, [], status="failed", telemetry=digest)
    found = verdict(outcome([one], 2, status="failed", error="killed"))
    assert re.search(r"\[no application ended.*; .*log breaks off; no pass.*warm-ups", found.sentence)


def test_no_verdict_without_a_log():
    assert verdict(outcome([application(0, [9, 1])])) is None
    assert FIND(SPEC, [outcome([application(0, [9, 1])])]) is None


def test_a_compressed_log_is_not_taken_for_an_idle_cluster(tmp_path):
    (tmp_path / "app-1.lz4").write_bytes(b"LZ4Block")
    digest = telemetry.read(tmp_path).digest(list(phase(0.0, 5.0)))
    assert digest["phases"] == []
    found = FIND(SPEC, [outcome([application(0, [9, 5], telemetry=digest)])])
    assert "spark.eventLog.compress" in found.notes[0]


def test_what_came_after_a_log_broke_off_is_not_taken_for_idling(tmp_path):
    log = write(tmp_path, [app(), executor(), executor("1"), *tasks(HEALTHY[0])], '{"Event":"Spark')
    said = [*phase(0.0, 10.0), *phase(10.0, 20.0, "score")]
    (use,) = telemetry.read(log).digest(said)["phases"]
    assert (use["phase"], use["complete"], use["seconds"]) == ("fit", False, 2.0)
    assert use["driver_only_s"] == 0


def test_shared_cores_are_said_to_be_out_of_sight(tmp_path):
    found = verdict(trial(tmp_path, tasks(*HEALTHY), 4.2, shape_tag="shared-host"))
    assert re.search(r"driver and workers.*shared-host", found.sentence)
    clean = verdict(trial(tmp_path / "clean", tasks(*HEALTHY), 4.2))
    assert found.sentence.startswith(clean.sentence)
    assert "workers" not in clean.sentence


def test_more_task_time_for_the_same_work_is_told(tmp_path):
    slow = [[(p, 2 * s, 2 * e) for p, s, e in rows] for rows in HEALTHY]
    one = trial(tmp_path / "1", tasks(*HEALTHY), 8.4, workers=1)
    two = trial(tmp_path / "2", tasks(*slow), 8.4, workers=2)
    assert inflation(two, [one, two]).ratio == pytest.approx(2)
    assert inflation(one, [one, two]) is None
    other = dataclasses.replace(two, values={**two.values, "model.rank": 9})
    assert inflation(other, [one, other]) is None


def test_the_report_shows_verdicts_numbers_and_the_largest_shape(tmp_path):
    one = trial(tmp_path / "1", tasks([(0, 0, 4), (1, 4, 8)]), 8.4, workers=1)
    two = trial(tmp_path / "2", tasks([(0, 6, 10), (1, 6, 10)]), 10, workers=2)
    found = FIND(SPEC, [one, two])
    assert found.why.startswith(f"als w2\u00d71c: {found.data['bottlenecks'][1]['verdict']}")
    assert re.search(r"fit: 60%.*driver.*2\.5\u00d7", found.why)
    assert [row[0] for row in found.tables[0].rows] == ["als w1\u00d71c", "als w2\u00d71c"]
    assert found.tables[0].rows[1][3] == "driver-bound (\u22642.5\u00d7)"
    assert {len(row) for row in found.tables[0].rows} == {len(found.tables[0].header)}
    assert [plot.name for plot in found.plots] == ["timeline-slowest"]
    assert all(plot.png("dark").startswith(b"\x89PNG") for plot in found.plots)
    assert [item["cause"] for item in found.data["bottlenecks"]] == ["", "driver-bound"]
    assert found.data["bottlenecks"][1]["phases"][0]["causes"] == {"driver-bound": 2.5}


def test_many_trials_get_one_row_each(tmp_path):
    digest = seen(tmp_path, tasks(*HEALTHY), 4.2)
    extra = [{**use, "phase": name} for use in digest["phases"] for name in ("fit", "score")]
    one = application(0, [9, 4.2], telemetry={**digest, "phases": extra})
    trials = [dataclasses.replace(outcome([one], 2), key=str(n), label=f"trial {n}") for n in range(30)]
    found = FIND(SPEC, trials)
    assert len(found.tables[0].rows) == 30
    assert any("JSON file" in note and "each trial" in note for note in found.notes)
