"""Curves of scaling, from invented times: what is said, what is refused, and why."""

import json
import re

import pytest
from invented import application, outcome

from experiments.findings import FINDINGS
from experiments.findings.scaling import FIND
from experiments.model_equality import allow_changes, changes
from experiments.report import Report
from experiments.scaling.curves import curves
from experiments.scaling.fits import karp_flatt
from experiments.scaling.sentences import notes
from experiments.spec import Comparison, Experiment
from experiments.tables import main_table
from experiments.tables import notes as trial_notes

SPEC = Experiment("invented", "How does it scale?")
NOISE = (0.99, 1.0, 1.01, 0.995, 1.005, 1.0, 0.985, 1.015)


def trial(workers, seconds, applications=5, shape=None, **changes):
    """A trial whose applications take about `seconds`; `shape` holds what differs from one core a worker."""
    own = changes.pop("made", {})
    made = [application(n, [9.0, seconds * NOISE[n]], **own) for n in range(applications)]
    size = {"workers": workers, "cores": 1, "memory": "1g", **(shape or {})}
    values = {**size, **changes.pop("values", {})}
    return outcome(made, workers, shape=size, values=values, **changes)


def sweep(times, **changes):
    return [trial(workers, seconds, **changes) for workers, seconds in times.items()]


def amdahl(serial, *workers, seconds=60.0):
    return {n: seconds * (serial + (1 - serial) / n) for n in workers}


def only(outcomes):
    (curve,) = curves(outcomes)
    return curve


def saying(pattern, notes):
    """Those of some notes in which a pattern is found."""
    return [note for note in notes if re.search(pattern, note)]


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
        sweep({1: 10.0, 2: seconds}, applications=2, values={"seed": seed})
        for seed, seconds in ((1, 5.0), (2, 8.0))
    ]
    answer = FIND(SPEC, [item for one in names for item in one]).answer
    assert answer.count("a look, not a claim") == 1
    assert re.search(r"ALS\b.*seed 1.*most.*2\.00 times.*ALS\b.*seed 2.*least.*1\.25 times", answer)


def test_amdahl_is_fitted_from_three_sizes_and_says_where_more_is_worth_little():
    found = FIND(SPEC, sweep(amdahl(0.2, 1, 2, 4)))
    (fit,) = found.data["scaling"][0]["fits"]
    (serial,) = fit["parameters"]
    assert serial["value"] == pytest.approx(0.2, abs=1e-6)
    assert serial["low"] < 0.2 < serial["high"]
    # S(n) = n / (1 + 0.2 (n - 1)): from 8 to 9 workers it grows by 3.8%, from 7 to 8 by 4.8%, from 6 to 7 by 6.1%.
    assert re.search(r"seven workers.*not measured.*Amdahl.*\b5%", found.notes[0])
    assert saying(r"Amdahl.*serial 0\.200 \[", found.notes)


def test_law_that_does_not_describe_the_times_is_called_poor_and_concludes_nothing():
    found = FIND(SPEC, sweep({1: 60.0, 2: 20.0, 3: 45.0, 4: 15.0}))
    assert found.data["scaling"][0]["fits"][0]["poor"]
    assert saying(r"Amdahl.*poor fit", found.notes)
    assert "no law" in found.notes[0]
    assert not saying(r"\b5%", found.notes)


def test_times_that_vary_too_much_let_nobody_tell_whether_a_law_holds():
    far = (0.6, 1.5, 0.9, 1.3, 0.8)
    loud = [
        outcome(
            [application(k, [9.0, seconds * far[(k + workers) % 5]]) for k in range(5)],
            workers, shape={"workers": workers, "cores": 1, "memory": "1g"}, values={"workers": workers},
        )
        for workers, seconds in amdahl(0.2, 1, 2, 4).items()
    ]  # fmt: skip
    found = FIND(SPEC, loud)
    (fit,) = found.data["scaling"][0]["fits"]
    assert (fit["described"], fit["poor"]) == ("cannot tell", False)
    assert fit["possible"] > 0.1
    assert "cannot be told" in found.notes[0]
    assert not saying(r"\b5%", found.notes)
    assert [row[-1] for row in found.tables[1].rows] == ["fit cannot be told"]
    assert "Lines: fitted laws" not in found.plots[0].caption


def test_shapes_that_took_turns_are_paired_round_by_round():
    level = (1.0, 1.4, 2.0, 2.9, 4.0)
    paired = [
        outcome(
            [application(k, [9.0, seconds * level[k] * NOISE[k + workers % 2]], round_id=f"one.{k}") for k in range(5)],
            workers, shape={"workers": workers, "cores": 1, "memory": "1g"}, values={"workers": workers},
        )
        for workers, seconds in amdahl(0.2, 1, 2, 4).items()
    ]  # fmt: skip
    found = FIND(SPEC, paired)
    data = found.data["scaling"][0]
    assert all(point["speedup"]["unpaired"] is None for point in data["points"])
    low, high = (data["points"][2]["speedup"][end] for end in ("low", "high"))
    assert 2.4 < low < 2.5 < high < 2.6
    assert data["fits"][0]["paired"]
    assert data["fits"][0]["described"] == "yes"
    assert not any("not paired" in note for note in found.notes)


def test_karp_flatt_counts_cores_and_shows_negative_values():
    assert karp_flatt(2.0, 4) == pytest.approx((0.5 - 0.25) / 0.75)
    found = FIND(SPEC, sweep({1: 10.0, 2: 4.0}))
    assert found.data["scaling"][0]["points"][1]["karp_flatt"][0] == pytest.approx(-0.2)
    assert any("negative serial fraction" in note for note in found.notes)


def test_karp_flatt_is_left_out_where_the_smallest_shape_is_not_one_core():
    two_cores = [trial(n, 60 / n, shape={"cores": 2}) for n in (1, 2)]
    fractions = [trial(n, 60 / n, shape={"cpus": 0.5}) for n in (2, 4)]
    assert [point.serial for point in only(two_cores).points] == [None, None]
    assert [point.serial for point in only(fractions).points] == [None, None]  # two halves are not one core


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
        trial(n, 10.0, values={"dataset.rows": 1000 * n}, data={"digest": str(n)}, made=made)
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
    outcomes = [*sweep({1: 10.0, 2: 7.0}), *sweep({1: 4.0, 2: 4.1}, values={"model": "bias"})]
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
        "invented", "?", comparisons=(Comparison({"backend": "local"}, {"backend": "docker"}),)
    )
    assert FIND(question, both(12.5)) is None
    slower, same = (FINDINGS["comparisons"](question, both(seconds)).answer for seconds in (12.5, 10.02))
    assert re.search(r"^Docker.*1\.25 times as long.*local", slower)
    assert re.search(r"^Docker cannot be told.*local.*1\.00", same)


MOVED = {"fingerprint": [3.0, 4.01]}


def test_changed_predictions_refuse_the_speed_up_and_are_shown():
    outcomes = [trial(1, 10.0), trial(2, 5.0), trial(3, 4.0, made=MOVED)]
    found = FIND(SPEC, outcomes)
    assert not found.data["scaling"][0]["claimed"]
    (difference,) = found.data["scaling"][0]["changes"]
    assert (difference["first"], difference["second"]) == ("w1\u00d71c", "w3\u00d71c")
    assert re.search(r"^No speed-up.*ALS.*fitted model", found.answer)
    assert saying(r"model changed.*w1\u00d71c.*w3\u00d71c", found.notes)
    assert found.plots == ()
    assert "refused" in str(found.tables[0].rows)
    changed = found.tables[-1]
    assert changed.header[0] == "changed"
    assert ["predictions", "w1\u00d71c", "w3\u00d71c", "\u2013", "\u2013", "0.01", "1e-04"] in changed.rows
    assert found.data["scaling"][0]["points"][1]["speedup"] is None
    assert [row[2] for row in main_table(outcomes).rows] == ["1.00\u00d7", "not claimed", "not claimed"]


def test_model_that_changes_between_the_applications_of_one_trial_is_found():
    two = outcome([application(0, [9, 5.0]), application(1, [9, 5.0], **MOVED), application(2, [9, 5.0])], 2)
    (change,) = changes([trial(1, 10.0), two])
    assert (change.first, change.second) == ("application 1 of w2\u00d71c", "application 2 of w2\u00d71c")
    assert "between application 1 of w2" in " ".join(FIND(SPEC, [trial(1, 10.0), two]).notes)


@pytest.mark.parametrize(
    ("metrics", "what"),
    [
        ({"rmse": 0.9003, "coverage": 1.0}, "rmse"),
        ({"rmse": 0.9, "coverage": 0.99}, "coverage"),
        ({"coverage": 1.0}, "rmse"),
    ],
)
def test_quality_that_equal_predictions_cannot_explain_is_a_change(metrics, what):
    (change,) = changes([trial(1, 10.0), trial(2, 5.0, made={"metrics": metrics})])
    assert change.what == what


def test_quality_that_predictions_within_the_limit_explain_is_none():
    near = {"fingerprint": [3.0, 4.00009], "metrics": {"rmse": 0.90009, "coverage": 1.0, "ndcg_at_10": 0.3}}
    assert list(changes([trial(1, 10.0), trial(2, 5.0, made=near)])) == []


def test_models_without_predictions_are_compared_by_their_rankings():
    def ranked(workers, value):
        return trial(
            workers,
            10 / workers,
            made={"fingerprint": [], "metrics": {"ndcg_at_10": value, "m_pairs_per_s": workers}},
        )

    assert list(changes([ranked(1, 0.25), ranked(2, 0.2505)])) == []
    (change,) = changes([ranked(1, 0.25), ranked(2, 0.26)])
    assert change.what == "ndcg_at_10"


def test_predictions_that_cannot_be_compared_are_a_change():
    (short,) = changes([trial(1, 10.0), trial(2, 5.0, made={"fingerprint": [3.0]})])
    assert "cannot be compared" in short.words
    nan = {"fingerprint": [3.0, float("nan")]}
    assert [item.what for item in changes([trial(1, 10.0), trial(2, 5.0, made=nan)])] == ["predictions"]
    assert list(changes([trial(1, 10.0, made=nan), trial(2, 5.0, made=nan)])) == []


def test_override_shows_the_speed_up_and_is_printed_everywhere(tmp_path):
    outcomes = allow_changes([trial(1, 10.0), trial(2, 5.0, made=MOVED)])
    report = Report.of(SPEC, outcomes)
    found = FIND(SPEC, outcomes)
    assert "2.00 times as fast" in found.answer
    assert "the fitted model changed" in found.answer
    assert "though the model changed" in found.notes[0]
    assert "model changed" in str(main_table(outcomes).rows[1])
    for text in (report.text(), report.markdown(), report.write(tmp_path)[0].read_text()):
        assert "--allow-model-change" in text
    values = json.loads((tmp_path / "invented.json").read_text())
    assert values["allow_model_change"] is True
    assert values["scaling"][0]["changes"][0]["what"] == "predictions"
    assert any("of other work" in line for line in trial_notes(outcomes))


def growing(workers, seconds, rows=None, **changes):
    amount = rows or 1000 * workers
    data = {"name": "synthetic/x", "rows": amount, "users": 10 * workers, "items": 5 * workers, "digest": "d"}
    values = {"dataset.rows": amount, "dataset.items": 5 * workers}
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
