"""Time and memory learnt from invented runs: known coefficients, intervals, what is not said and why."""

import dataclasses
import re
import statistics

import numpy as np
import pytest
from invented import application, outcome

from core.errors import UsageError
from core.text_tables import WIDTH
from experiments.page.text_tables import as_text
from experiments.page.wording import percent
from experiments.report.sections import FINDINGS
from experiments.spec.experiment import Experiment
from experiments.studies.capacity.fit import fit
from experiments.studies.capacity.model import Model
from experiments.studies.capacity.points import RESERVED, growth, point_of, points_of
from experiments.studies.capacity.sentences import checked, prediction_lines
from experiments.studies.capacity.terms import CORES, LOG_CORES, ROWS_PER_CORE, Load, memory_terms, time_terms

ROWS = [100_000, 200_000, 400_000]
SPEC = Experiment(
    "capacity",
    "How long?",
    fixed={"model.name": "als", "data.name": "synthetic/ml-1m"},
    grid={"data.rows": [*ROWS, 1_600_000], "shape.workers": [1, 2, 4]},
    held_out=({"data.rows": 1_600_000},),
)
MIB = 2**20


def work(rows, cores):
    return 2.0 + 4e-5 * rows / cores


def run(rows, workers, noise=1.0, applications=1, telemetry=True, **changes):
    """A trial whose warm pass takes `work`, its first pass 3 s more, and all else 40 s + 10 s a million rows."""
    warm = noise * work(rows, workers)
    rest = noise * (40.0 + 1e-5 * rows)
    memory = {"managed": 50 * MIB + 100 * rows // workers, "python_rss": 200 * MIB}
    made = [
        application(
            n, [warm + 3.0, warm, warm], seconds=rest + 3 * warm,
            telemetry={"groups": {}, "executors_lost": [], "memory": memory} if telemetry else {},
        )
        for n in range(applications)
    ]  # fmt: skip
    values = {"data.name": "synthetic/ml-1m", "data.rows": rows, "shape.workers": workers}
    data = {"name": "synthetic/ml-1m", "rows": rows, "users": rows // 160, "items": 3_883, "options": {}}
    return outcome(made, workers, values=values, data=data, **changes)


def runs(cores=(1, 2, 4), rows=ROWS, seed=None, spread=0.0, **changes):
    random = np.random.default_rng(seed)
    return [
        run(n, workers, 1.0 + spread * random.standard_normal(), **changes) for n in rows for workers in cores
    ]


def model(outcomes):
    return Model.of(points_of(SPEC, outcomes))


def at(found, rows, workers):
    (prediction,) = found.predict([Load(rows, workers, workers)])
    return prediction


def test_known_coefficients_are_found_again():
    loads = [Load(rows, cores, cores) for rows in ROWS for cores in (1, 2, 4, 8)]
    columns = time_terms(loads).columns(loads)
    truth = np.array([[5.0, 30.0], [3e-5, 0.0], [0.7, 0.0], [0.2, 0.4]])
    assert fit(columns, columns @ truth).coefficients == pytest.approx(truth, rel=1e-6, abs=1e-8)


def test_no_coefficient_is_negative():
    loads = [Load(rows, cores, cores) for rows in ROWS for cores in (1, 2, 4)]
    falling = np.array([[100.0 - 2e-5 * load.rows] for load in loads])
    assert (fit(time_terms(loads).columns(loads), falling).coefficients >= 0).all()


def test_a_pass_and_all_else_are_told_apart():
    point = point_of(run(200_000, 2, applications=3))
    assert point.pass_s == pytest.approx(work(200_000, 2))
    # Everything but the three passes, and what the first of them took longer.
    assert point.overhead_s == pytest.approx(40.0 + 2.0)
    assert point.wall_s == pytest.approx(point.pass_s + point.overhead_s)
    found = at(model(runs()), 6_400_000, 16)
    assert found.work.value == pytest.approx(work(6_400_000, 16), rel=1e-3)
    assert found.wall.value == pytest.approx(found.work.value + found.overhead.value)


def test_terms_of_cores_come_with_three_core_counts():
    one, two, three = ([Load(n, c, c) for n in ROWS for c in cores] for cores in ((2,), (1, 2), (1, 2, 4)))
    assert time_terms(one).names == ["1", "rows"]
    assert (time_terms(one).only, len(time_terms(one).notes)) == (2, 1)
    assert time_terms(two).names == ["1", "rows/cores"]
    assert "1 and 2 cores" in time_terms(two).notes[0]
    assert time_terms(three).names == ["1", "rows/cores", "log cores", "cores"]
    assert time_terms(three).notes == ()


def test_fractions_of_a_core_have_no_negative_logarithm():
    loads = [Load(n, c, 1) for n in ROWS for c in (0.25, 0.5, 1.0)]
    assert LOG_CORES not in time_terms(loads).chosen
    assert {ROWS_PER_CORE, CORES} <= set(time_terms(loads).chosen)
    assert LOG_CORES.value(Load(1, 0.25, 1)) == 0


def test_intervals_cover_a_further_run():
    """Of 200 experiments with 8% noise at least 90% of intervals that claim 95% hold one further run, near and far."""
    loads = [Load(n, c, c) for n in ROWS for c in (1, 2)]
    terms = time_terms(loads)
    columns = terms.columns(loads)
    there = terms.columns([Load(200_000, 2, 2), Load(1_600_000, 4, 4), Load(33_000_000, 4, 4)])
    truth = np.array([[2.0, 40.0], [4e-5, 1e-5]])
    random = np.random.default_rng(7)
    held = np.zeros(3)
    for _ in range(200):
        noise, further = (1.0 + 0.08 * random.standard_normal((n, 2)) for n in (len(loads), 3))
        found = fit(columns, (columns @ truth) * noise, draws=200)
        low, high = np.percentile(found.simulate(there).sum(axis=2), [2.5, 97.5], axis=0)
        run_s = ((there @ truth) * further).sum(axis=1)
        held += (low <= run_s) & (run_s <= high)
    assert (held >= 180).all()
    assert (held < 200).all()  # an interval that always holds says nothing


def test_intervals_widen_with_the_distance_and_shrink_with_runs():
    def width(found, rows, workers):
        wall = at(found, rows, workers).wall
        return (wall.high - wall.low) / wall.value

    few = model(runs((1, 2), spread=0.05, seed=3))
    assert width(few, 200_000, 2) < width(few, 1_600_000, 2) < width(few, 33_000_000, 2)
    assert width(few, 200_000, 2) > 0.1
    many = fit_width(30)
    assert many < fit_width(6)


def fit_width(count):
    loads = [Load(rows, 1 + n % 2, 1) for n, rows in enumerate(np.linspace(1e5, 4e5, count))]
    terms = time_terms(loads)
    noise = 1.0 + 0.1 * np.tile([1.0, 1.0, -1.0, -1.0], count)[:count]
    found = fit(terms.columns(loads), (terms.columns(loads) @ [[2.0], [4e-5]]) * noise[:, None])
    low, high = np.percentile(found.simulate(terms.columns([Load(4e6, 2, 2)])), [2.5, 97.5])
    return high - low


def test_a_wide_interval_is_said():
    noisy, calm = model(runs((1, 2), spread=0.3, seed=2)), model(runs((1, 2), spread=0.02, seed=2))
    wide, narrow = ("\n".join(prediction_lines(found, at(found, 6_400_000, 2))) for found in (noisy, calm))
    assert "interval is wide" in wide
    assert "interval is wide" not in narrow


def test_too_few_runs_give_no_interval_and_say_so():
    found = model(runs((1, 2), rows=ROWS[:2])[:3])
    prediction = at(found, 400_000, 2)
    assert prediction.wall.high is None
    assert prediction.wall.upper == prediction.wall.value
    text = "\n".join(prediction_lines(found, prediction))
    assert re.search(r"no interval.*\b3 runs\b.*\b1 degree\D*\b1, rows/cores\b", text)


def test_memory_is_each_workers_part():
    assert memory_terms([Load(1, 1, 1), Load(2, 2, 2)]).names == ["1", "rows/workers"]
    found = at(model(runs()), 8_000_000, 16)
    assert found.heap.value == pytest.approx(RESERVED + (50 * MIB + 100 * 500_000) / 0.6, rel=1e-3)
    assert found.python.value == pytest.approx(200 * MIB, rel=1e-3)
    alone = at(model(runs((1,))), 8_000_000, 1)
    assert alone.heap.value > found.heap.value
    text = "\n".join(prediction_lines(model(runs((1,))), alone))
    assert re.search(r"memory\b.*\b1 worker.*only", text)


def test_memory_that_was_not_measured_is_not_invented():
    found = model(runs(telemetry=False))
    prediction = at(found, 1_000_000, 4)
    assert prediction.heap is None
    assert "executor memory unknown" in " ".join("\n".join(prediction_lines(found, prediction)).split())


@pytest.mark.parametrize(
    ("outcomes", "rows", "workers"),
    [
        (runs(spread=0.3, seed=2), 999_999_999_999, 64),  # hours, and more memory than any worker has
        (runs((1, 2), spread=0.3, seed=2), 6_400_000, 2),
        (runs((1, 2), rows=ROWS[:2])[:3], 400_000, 2),  # no interval
        ([dataclasses.replace(item, shape_tag="shared-host") for item in runs((1,))], 8_000_000, 1),
        ([run(n, w, telemetry=False) for n in ROWS for w in (1, 2)], 1_000_000, 4),
    ],
)
def test_no_line_of_a_prediction_is_wider_than_a_terminal(outcomes, rows, workers):
    found = model(outcomes)
    text = "\n".join(prediction_lines(found, at(found, rows, workers)))
    assert [line for line in text.splitlines() if len(line) > WIDTH] == []
    assert [line for line in text.splitlines() if line != line.rstrip()] == []


def test_a_full_memory_is_said():
    spilt = runs()
    spilt[0].applications[0].telemetry["groups"]["fit#1"] = {"spill": 5}
    full, usual = model(spilt), model(runs())
    texts = ["\n".join(prediction_lines(found, at(found, 1_000_000, 4))) for found in (full, usual)]
    assert [[point.full for point in found.points.all].count(True) for found in (full, usual)] == [1, 0]
    assert ["spilled their memory" in text for text in texts] == [True, False]


def test_beyond_what_was_measured_is_said():
    found = model([*runs(), run(1_600_000, 4)])
    assert at(found, 400_000, 2).beyond == ()
    assert at(found, 1_600_000, 4).beyond == ()
    rows, cores = at(found, 33_000_000, 16).beyond
    assert re.search(r"^33,000,000 rows\b.*\b20\.6 times\b.*\b1,600,000\b", rows)
    assert re.search(r"^16 cores\b.*\b4\.0 times\b.*\b4\b", cores)
    text = "\n".join(prediction_lines(found, at(found, 33_000_000, 16)))
    assert all(f"beyond what was measured: {line}" in text for line in (rows, cores))
    assert re.search(r"checked on 1 held-out.*\b1,600,000 rows", checked(found))
    assert "not checked" in checked(model(runs()))


def test_other_numbers_of_cores_are_refused_after_one():
    found = model(runs((2,)))
    assert at(found, 800_000, 2).wall.value > 0
    with pytest.raises(UsageError, match=r"had 2 cores, .*\b4\b"):
        at(found, 800_000, 4)


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        ([], "make plan"),
        (runs(rows=ROWS[:1]), r"\b100,000 rows"),
        (runs((1, 2, 4), rows=ROWS[:2])[:4], r"\b4 runs\b.*\b4 terms"),
        ([run(1_600_000, 4)], "make plan"),
    ],
)
def test_no_model_without_enough_runs(outcomes, words):
    with pytest.raises(UsageError, match=words):
        model(outcomes)


def test_runs_that_say_nothing_are_left_out_with_the_reason():
    odd = [
        run(200_000, 2, shape_tag="oversubscribed"),
        run(200_000, 2, status="failed"),
        run(150_000, 2),
    ]
    lost = run(200_000, 1)
    lost.applications[0].died.append("spark-worker-1")
    found = points_of(SPEC, [*runs(), *odd, lost])
    assert len(found.training) == 9
    reasons = "\n".join(found.left_out)
    for words in (
        "(oversubscribed)",
        "it is failed",
        "the spec no longer has it",
        "1 executor(s) were lost",
    ):
        assert words in reasons


def test_growth_of_the_data_is_said():
    points = points_of(SPEC, runs()).training
    assert "160 rows a user" in growth(points)
    assert "3,883 items" in growth(points)
    same = [dataclasses.replace(point, users=500, items=n + 1) for n, point in enumerate(points)]
    assert "500 users and 1 to 9 items" in growth(same)


def test_report_sets_predictions_beside_held_out_runs():
    outcomes = [*runs(spread=0.03, seed=1), run(1_600_000, 2), run(1_600_000, 4, noise=1.3)]
    found = FINDINGS["capacity"](SPEC, outcomes)
    held_out = found.data["capacity"]["points"][-2:]
    errors = [abs(point["error"]) for point in held_out]
    inside = [
        point["predicted_s"]["low"] <= point["measured_s"]["wall"] <= point["predicted_s"]["high"]
        for point in held_out
    ]
    assert inside == [True, False]
    typical = re.escape(percent(statistics.median(errors)))
    assert re.search(rf"^From nine small runs\b.*\btwo larger runs\b.*\b{typical}\.", found.answer)
    assert re.search(r"\bOne of two\b.*95% interval", found.answer)
    assert re.search(rf"\b4\.0 times the rows\b.*\b{max(errors):.0%}", found.notes[0])
    terms, checks = map(as_text, found.tables)
    assert [line.split("  ")[0] for line in terms.splitlines()[2:]] == [
        "1",
        "rows/cores",
        "log cores",
        "cores",
    ]
    (line,) = (row for row in checks.splitlines() if row.startswith("1,600,000 rows w4"))
    assert "held out" in line
    assert re.search(r" -[23]\d%", line)
    assert [point["held_out"] for point in found.data["capacity"]["points"]] == [False] * 9 + [True] * 2
    (plot,) = found.plots
    assert plot.png("light").startswith(b"\x89PNG")


def test_report_says_why_there_is_no_model():
    found = FINDINGS["capacity"](SPEC, [run(1_600_000, 4)])
    assert ["make plan" in note for note in found.notes] == [True]
    assert found.answer == ""
    one = [*runs((2,)), run(1_600_000, 4)]
    (why,) = FINDINGS["capacity"](SPEC, one).notes
    assert re.search(r"^no model\b.*\b2 cores\b", why)
    assert FINDINGS["capacity"](Experiment("other", "Why?"), [run(1_600_000, 4)]) is None
