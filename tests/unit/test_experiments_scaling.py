"""Curves of scaling, from invented times: points, speed-ups, gaps, and growing data."""

import re

import pytest
from invented import application, outcome
from invented_sweeps import SPEC, amdahl, only, saying, sweep, trial

from experiments.report.report import Report
from experiments.report.sections import FINDINGS
from experiments.report.sections.scaling import FIND
from experiments.spec.experiment import Comparison, Experiment
from experiments.studies.scaling.curves import curves
from experiments.studies.scaling.sentences import notes


def test_two_shapes_are_answered_with_interval_and_efficiency():
    found = FIND(SPEC, sweep({1: 10.0, 2: 7.5}))
    first, second = found.data["scaling"][0]["points"]
    assert [point["speedup"]["ratio"] for point in (first, second)] == pytest.approx([1.0, 10 / 7.5])
    assert [second["speedup"][end] for end in ("low", "high")] == pytest.approx([1.31, 1.35], abs=0.005)
    assert second["efficiency"] == pytest.approx(10 / 7.5 / 2)
    assert re.search(
        r"^Two workers.*1\.33.*fast.*one worker.*ALS.*7\.5 s on two.*10\.0 s on one", found.answer
    )
    assert re.search(r"five runs.*1\.31 to 1\.35", found.answer)
    assert re.search(r"efficiency 67%.*66%.68%", found.notes[0])
    assert [plot.name for plot in found.plots] == ["speedup", "efficiency"]
    assert found.data["scaling"][0]["fits"] == []
    assert saying(r"not fitted: Amdahl.*\b3 sizes.*\b2\b.*Scalability.*\b6 sizes.*\b2\b", found.notes)


def test_difference_within_the_noise_is_said_to_be_none():
    found = FIND(SPEC, sweep({1: 10.0, 2: 10.02}))
    ratio = found.data["scaling"][0]["points"][1]["speedup"]
    assert ratio["low"] < 1 < ratio["high"]
    assert "no difference" in found.answer


def test_fewer_than_five_applications_show_raw_values_and_no_interval():
    found = FIND(SPEC, sweep({1: 10.0, 2: 7.5, 3: 6.0}, applications=2))
    assert "a look, not a claim" in found.answer
    assert re.search(r"Three workers.*1\.67.*fast.*one worker", found.answer)
    assert re.search(r"1\.67\u00d7.*w3\u00d71c.*w1\u00d71c", found.notes[0])
    points = found.data["scaling"][0]["points"]
    assert [point["speedup"]["low"] for point in points] == [None] * 3
    assert found.data["scaling"][0]["fits"] == []
    assert saying(r"\b5 applications.*w1\u00d71c\D*2\b", found.notes)


def test_several_looks_are_refused_in_one_breath():
    names = [
        sweep({1: 10.0, 2: seconds}, applications=2, values={"model.seed": seed})
        for seed, seconds in ((1, 5.0), (2, 8.0))
    ]
    answer = FIND(SPEC, [item for one in names for item in one]).answer
    assert answer.count("a look, not a claim") == 1
    assert re.search(r"ALS\b.*seed 1.*most.*2\.00 times.*ALS\b.*seed 2.*least.*1\.25 times", answer)


def test_oversubscribed_points_are_neither_fitted_nor_drawn():
    outcomes = [*sweep(amdahl(0.1, 1, 2, 3)), trial(8, 90.0, shape_tag="oversubscribed")]
    curve = only(outcomes)
    assert [point.drawn for point in curve.points] == [True, True, True, False]
    assert curve.fits[0].parameters[0].value == pytest.approx(0.1, abs=1e-6)
    assert "three workers" in FIND(SPEC, outcomes).answer.lower()
    assert saying(r"no law\b.*w8\u00d71c.*oversubscribed", notes(curve))


def test_only_oversubscribed_shapes_are_an_answer_too():
    outcomes = [*sweep({1: 60.0}), *(trial(n, 40.0, shape_tag="oversubscribed") for n in (4, 8))]
    found = FIND(SPEC, outcomes)
    assert [point["speedup"]["ratio"] for point in found.data["scaling"][0]["points"][1:]] == [None, None]
    assert re.search(r"^No speed-up.*ALS: more worker cores than the host", found.answer)


@pytest.mark.parametrize("where", [0, 1])
def test_times_during_which_executors_were_lost_make_no_speed_up(where):
    outcomes = sweep({1: 30.0, 2: 7.0})
    shape = {"workers": where + 1, "cores": 1, "memory": "1g"}
    outcomes[where] = trial(where + 1, 30.0, shape=shape, made={"died": ["spark-worker-1"]})
    found = FIND(SPEC, outcomes)
    who = ("one worker", "two workers")[where]
    assert re.search(rf"^No speed-up.*ALS.*executors.*lost.*{who}", found.answer)
    assert found.data["scaling"][0]["points"][1]["speedup"]["ratio"] is None
    assert found.data["scaling"][0]["points"][1]["karp_flatt"] is None


def test_weak_curves_claim_nothing_of_lost_executors_either():
    outcomes = [
        trial(n, 10.0, values={"data.rows": 1000 * n}, data={"digest": str(n)}, made=made)
        for n, made in ((1, {}), (2, {"died": ["spark-worker-2"]}))
    ]
    found = FIND(SPEC, outcomes)
    assert found.data["scaling"][0]["points"][1]["speedup"]["ratio"] is None
    assert re.search(r"^No speed-up.*ALS.*executors.*lost.*two workers", found.answer)


def test_failed_point_leaves_a_gap_that_is_said():
    failed = outcome(
        [application(0, [9.0], status="failed", error="boom")], 2, status="failed", error="boom\ntrace"
    )
    outcomes = [*sweep(amdahl(0.1, 1, 3, 4)), failed]
    curve = only(outcomes)
    assert [point.outcome.size.workers for point in curve.points] == [1, 3, 4]
    (gap,) = curve.gaps
    assert re.search(r"als w2\u00d71c.*no times.*failed: boom\W", gap)
    assert "trace" not in gap
    assert curve.fits[0].law == "amdahl"
    assert gap in Report.of(SPEC, outcomes).text()


def test_failed_smallest_shape_changes_what_speed_ups_are_against():
    failed = outcome([application(0, [9.0], status="failed")], 1, status="failed", error="boom")
    curve = only([failed, *sweep(amdahl(0.1, 2, 4))])
    assert [point.size for point in curve.points] == [1, 2]
    assert saying(r"w1\u00d71c.*against w2\u00d71c", curve.gaps)
    assert curve.points[1].serial is None


def test_trial_that_failed_half_way_or_lost_executors_is_shown_but_not_fitted():
    half = trial(4, 20.0, applications=3, status="failed", error="boom")
    lost = trial(5, 18.0, made={"died": ["spark-worker-2"]})
    curve = only([*sweep(amdahl(0.1, 1, 2, 3)), half, lost])
    *whole, failed, disturbed = [point.left_out for point in curve.points]
    assert whole == [None] * 3
    assert re.search(r"^failed\b.*\b3 application", failed)
    assert re.search(r"^executors\b.*lost", disturbed)
    assert len(curve.fits[0].residuals) == 3


def test_trial_without_repeats_has_no_times():
    cold = outcome([application(n, [9.0]) for n in range(5)], 2)
    curve = only([trial(1, 10.0), cold, trial(3, 5.0)])
    assert [point.outcome.size.workers for point in curve.points] == [1, 3]
    assert "no measured pass" in " ".join(curve.gaps)
    found = FIND(SPEC, [trial(1, 10.0), cold])
    assert found.answer == ""
    assert "no measured pass" in " ".join(found.notes)


def test_memory_that_varies_by_itself_makes_curves_of_its_own():
    outcomes = [trial(n, 60 / n, shape={"memory": memory}) for memory in ("1g", "2g") for n in (1, 2)]
    assert [len(curve.points) for curve in curves(outcomes)] == [2, 2]
    along = [trial(1, 60, shape={"memory": "4g"}), trial(2, 30, shape={"memory": "2g"})]
    assert len(only(along).points) == 2


def test_shapes_of_other_sizes_are_named_by_their_shape():
    found = FIND(SPEC, [trial(1, 60, shape={"cores": 1}), trial(1, 35, shape={"cores": 2})])
    assert re.search(r"^One worker of 2 cores.*1\.71.*fast.*one worker of 1 core\b", found.answer)


def test_several_models_are_answered_one_by_one():
    outcomes = [*sweep({1: 10.0, 2: 7.0}), *sweep({1: 4.0, 2: 4.1}, values={"model.name": "bias"})]
    found = FIND(SPEC, outcomes)
    assert found.answer.startswith("ALS gains most")
    assert "; bias least, 0.98 times." in found.answer
    assert [note.partition(":")[0] for note in found.notes[:2]] == ["als", "bias"]


def test_shared_hosts_are_drawn_hollow_and_said(tmp_path):
    found = FIND(SPEC, [trial(1, 10.0), trial(2, 7.0, shape_tag="shared-host")])
    assert re.search(r"driver.*same host", found.answer)
    assert "same host" not in FIND(SPEC, sweep({1: 10.0, 2: 7.0})).answer
    assert all("Hollow: shared-host" in plot.caption for plot in found.plots)
    assert all(plot.png("dark").startswith(b"\x89PNG") for plot in found.plots)


def test_no_curve_from_one_shape():
    assert FIND(SPEC, [trial(1, 10.0)]) is None


def test_processes_and_containers_are_compared_and_are_no_curve():
    def both(containers):
        values = {"local": 10.0, "docker": containers}
        return [
            trial(1, s, shape={"backend": name}, label=f"als {name}", key=name) for name, s in values.items()
        ]

    question = Experiment(
        "invented", "?", comparisons=(Comparison({"shape.backend": "local"}, {"shape.backend": "docker"}),)
    )
    assert FIND(question, both(12.5)) is None
    slower, same = (FINDINGS["comparisons"](question, both(seconds)).answer for seconds in (12.5, 10.02))
    assert re.search(r"^Docker.*1\.25 times as long.*local", slower)
    assert re.search(r"^Docker cannot be told.*local.*1\.00", same)


def growing(workers, seconds, rows=None, **changes):
    amount = rows or 1000 * workers
    data = {"name": "synthetic/x", "rows": amount, "users": 10 * workers, "items": 5 * workers, "digest": "d"}
    values = {"data.rows": amount, "data.items": 5 * workers}
    return trial(
        workers, seconds, data=data, values=values, made={"fingerprint": [float(workers)]}, **changes
    )


def test_weak_scaling_is_work_done_in_the_same_time():
    found = FIND(SPEC, [growing(1, 10.0), growing(2, 12.5), growing(4, 16.0)])
    points = found.data["scaling"][0]["points"]
    assert found.data["scaling"][0]["kind"] == "weak"
    assert [round(point["efficiency"], 3) for point in points] == [1.0, 0.8, 0.625]
    assert points[2]["speedup"]["ratio"] == pytest.approx(2.5)
    assert points[2]["speedup"]["low"] < 2.5 < points[2]["speedup"]["high"]
    assert re.search(r"^Four workers.*2\.50.*work of one worker", found.answer)
    assert found.tables[0].header[1:4] == ["rows", "users", "items"]
    assert [plot.name for plot in found.plots] == ["weak_speedup", "weak_efficiency"]
    assert any("are of fixed data" in note for note in found.notes)


def test_data_that_does_not_grow_as_the_workers_do_is_no_weak_scaling():
    found = FIND(SPEC, [growing(1, 10.0), growing(4, 12.5, rows=2000)])
    assert not found.data["scaling"][0]["claimed"]
    why = found.data["scaling"][0]["unproportional"]
    assert re.search(r"w4\u00d71c.*\b4 times.*cores.*w1\u00d71c.*\b2 times.*rows", why)
    assert saying(re.escape(why), found.notes)
    assert re.search(r"^No speed-up.*ALS.*data.*not grow", found.answer)
    assert found.plots == ()


def test_fractions_of_a_core_are_said():
    found = FIND(SPEC, [trial(n, 60 / n, shape={"cpus": 0.333}) for n in (1, 2, 3)])
    assert re.search(r"^Three workers of 0\.333 cores.*3\.00.*fast.*one worker", found.answer)
    assert any("cores are fractions" in note for note in found.notes)
    assert [point["cores"] for point in found.data["scaling"][0]["points"]] == pytest.approx(
        [0.333, 0.666, 0.999]
    )
