"""From how many cores on Spark beats one thread: on invented numbers, and when it must not be said."""

import json
import re

import pytest
from invented import application, outcome

from experiments.page.text_tables import as_text
from experiments.report.sections.cost import FIND
from experiments.spec.experiment import Experiment
from experiments.spec.tables import under
from experiments.studies.cost.rivals import SINGLE, rivals
from experiments.studies.cost.verdict import matched, verdict
from jobs.models import MODELS

EXPERIMENT = Experiment("invented", "How many cores?")
HYPER = {"rank": 8, "iterations": 5, "reg": 0.1, "seed": 1}


def trial(model, fit, workers=1, count=5, metrics=None, hyper=None, **changes):
    """A trial whose fits take about `fit` seconds, a little more in each application."""
    metrics = {"rmse": 0.9, "coverage": 1.0, **(metrics or {})}
    info = {"hyper_parameters": json.dumps({**HYPER, **(hyper or {})})}
    made = [
        application(n, [9.0, fit * (1 + n / 100)], [9.0, 1.0], metrics=metrics, info=info)
        for n in range(count)
    ]
    values = {"model.name": model, **under("model", hyper or {}), **changes.pop("values", {})}
    label = f"{model} w{workers}\u00d71c"
    key = f"{label}{hyper}"
    return outcome(made, workers, label=label, key=key, values=values, **changes)


def found(outcomes):
    (match,) = (matched(item) for item in rivals(outcomes))
    return match, verdict(match, "fit")


def answer(outcomes):
    return FIND(EXPERIMENT, outcomes).answer


def details(outcomes):
    return FIND(EXPERIMENT, outcomes).notes[0]


def kinds(outcomes):
    """The kinds of the verdicts on the fit and on all phases that the report hands over."""
    return [said["kind"] for said in FIND(EXPERIMENT, outcomes).data["cost"][0]["verdicts"]]


def spark(seconds, **changes):
    """Spark's trials on 1, 2, 4, ... worker cores."""
    return [trial("als", each, workers=2**n, **changes) for n, each in enumerate(seconds)]


def test_models_of_one_thread_name_a_model_of_spark():
    assert SINGLE == {"als_single": ("als", "als_wr"), "implicit_single": ("als_implicit",)}
    for name, counterparts in SINGLE.items():
        for counterpart in counterparts:
            assert MODELS[name]().predicts_rating is MODELS[counterpart]().predicts_rating


def test_two_models_on_spark_are_each_compared_with_one_thread():
    ours = [trial("als_wr", each, workers=workers) for workers, each in ((1, 14.0), (2, 8.0))]
    outcomes = [trial("als_single", 10.0), *spark([30.0, 16.0]), *ours]
    said = answer(outcomes)
    assert "no measured shape of ALS fits faster" in said.replace("No", "no", 1)
    assert "from 2 worker cores on ALS WR fits faster than one thread: 1.2" in said
    compared = FIND(EXPERIMENT, outcomes).data["cost"]
    assert [found["counterpart"] for found in compared] == ["als", "als_wr"]


def test_cost_is_the_least_number_of_cores_that_beats_one_thread():
    outcomes = [trial("als_single", 10.0), *spark([30.0, 16.0, 9.0, 5.0])]
    match, said = found(outcomes)
    assert (said.kind, said.cores) == ("reached", 4)
    assert said.ratio.ratio == pytest.approx(10 / 9)
    assert 1.0 < said.ratio.low < said.ratio.ratio < said.ratio.high
    assert [point.cores for point in match.counted] == [1, 2, 4, 8]
    low, high = f"{said.ratio.low:.2f}", f"{said.ratio.high:.2f}"
    assert re.search(rf"^From 4 worker cores.*ALS.*1\.11 times as fast.*{low} to {high}", answer(outcomes))
    assert re.search(rf"fit of als: 4 worker cores.*1\.11 times as fast.*{low}.{high}", details(outcomes))


def test_cost_may_not_be_reached():
    outcomes = [trial("als_single", 2.0), *spark([30.0, 16.0])]
    assert found(outcomes)[1].kind == "not reached"
    assert kinds(outcomes) == ["not reached", "not reached"]
    assert re.search(r"2 worker cores.*8\.00 times as long", answer(outcomes))
    assert re.search(
        r"fit of als: not reached.*2 worker cores.*8\.00 times as long.*; all phases\D*: not reached",
        details(outcomes),
    )


def test_an_interval_that_holds_one_is_no_cost():
    outcomes = [trial("als_single", 10.0), *spark([30.0, 9.9])]
    match, said = found(outcomes)
    assert said.kind == "undecided"
    assert said.ratio.low < 1 < said.ratio.ratio
    assert kinds(outcomes)[0] == "undecided"
    assert re.search(r"2 worker cores.*cannot be told.*1\.01 times as fast", answer(outcomes))
    assert re.search(r"cannot be told.*2 worker cores.*1\.01 times as fast", details(outcomes))
    few = [trial("als_single", 10.0, count=4), *spark([30.0, 9.9], count=4)]
    assert (found(few)[1].kind, found(few)[1].ratio.low) == ("reached", None)
    assert "a look, not a claim" in answer(few)
    assert re.search(r"^from 4 application.*a look.*\b5\W", details(few))
    assert match.single is not None


def test_oversubscribed_shapes_never_count():
    outcomes = [trial("als_single", 10.0), *spark([30.0]), trial("als", 5.0, 2, shape_tag="oversubscribed")]
    match, said = found(outcomes)
    assert (said.kind, said.cores) == ("not reached", 1)
    assert [point.cores for point in match.counted] == [1]
    assert any("oversubscribed" in note for note in FIND(EXPERIMENT, outcomes).notes)
    only = [outcomes[0], outcomes[2]]
    assert "It cannot be said" in answer(only)
    assert kinds(only) == []
    assert re.search(r"^no COST of als\b.*w2\u00d71c.*more worker cores", details(only))


def test_unequal_rmse_is_refused():
    near = [trial("als_single", 10.0, metrics={"rmse": 0.9049}), *spark([30.0, 9.0])]
    assert found(near)[1].kind == "reached"
    for value in (0.9051, 0.8949):
        far = [trial("als_single", 10.0, metrics={"rmse": value}), *spark([30.0, 9.0])]
        assert found(far)[1].kind == "refused"
        assert kinds(far) == []
        pattern = rf"^no COST of als.*w1\u00d71c.*0\.9000.*one thread\D*{value:.4f}.*\b0\.005\b"
        assert re.search(pattern, details(far))


def test_several_threads_are_not_one():
    outcomes = [trial("als_single", 10.0, metrics={"single_threads": 1.9}), *spark([30.0, 9.0])]
    assert kinds(outcomes) == []
    assert re.search(r"^no COST of als\b.*als_single.*1\.9 threads", details(outcomes))


@pytest.mark.parametrize(
    "changes",
    [
        {"hyper": {"rank": 9}},
        {"hyper": {"iterations": 6}},
        {"hyper": {"reg": 0.2}},
        {"hyper": {"on_residuals": True}},
        {"values": {"data.name": "movielens/100k"}},
        {"values": {"job.split": "time"}},
        {"data": {"name": "movielens/1m", "digest": "another", "rows": 1000}},
        {"values": {"model.name": "bias"}},
    ],
)
def test_only_the_same_work_is_compared(changes):
    assert FIND(EXPERIMENT, [trial("als_single", 10.0), trial("als", 5.0, **changes)]) is None


def test_how_it_is_computed_does_not_matter():
    other = {"seed": 7, "blocks": 64, "checkpoint": 3, "on_residuals": False}
    assert found([trial("als_single", 10.0), trial("als", 5.0, hyper=other)])[1].kind == "reached"


def test_each_data_set_has_a_cost_of_its_own():
    outcomes = []
    for dataset, fit in (("movielens/1m", 4.0), ("synthetic/ml-10m", 60.0)):
        data = {"name": dataset, "digest": dataset, "rows": 1000}
        outcomes += [
            trial("als_single", 10.0, values={"data.name": dataset}, data=data),
            trial("als", fit, values={"data.name": dataset}, data=data),
        ]
    finding = FIND(EXPERIMENT, outcomes)
    fits = [(item["where"], item["verdicts"][0]) for item in finding.data["cost"]]
    assert [(where, said["kind"], said["cores"]) for where, said in fits] == [
        ("data=movielens/1m", "reached", 1),
        ("data=synthetic/ml-10m", "not reached", 1),
    ]
    assert re.search(r"^ALS.*faster.*one of two.*\b1 worker core\b", finding.answer)
    assert re.search(r"^data=movielens/1m.*fit of als: 1 worker core\b", finding.notes[0])
    assert re.search(r"^data=synthetic/ml-10m.*fit of als: not reached", finding.notes[1])
    assert len(finding.tables) == len(finding.plots) == 2


def ranked(model, curve, workers=1, **changes):
    """Trials of one shape: {iterations: (seconds, nDCG)}."""
    return [
        trial(
            model, seconds, workers, hyper={"iterations": number, "alpha": 1.0, **changes.get("hyper", {})},
            metrics={"ndcg_at_10": value, "rmse": 0.9} if changes.get("rmse") else {"ndcg_at_10": value},
        )
        for number, (seconds, value) in curve.items()
    ]  # fmt: skip


def without_rmse(outcomes):
    for item in outcomes:
        for one in item.applications:
            one.metrics.pop("rmse", None)
    return outcomes


ALONE = {1: (1.0, 0.10), 4: (2.0, 0.19), 8: (4.0, 0.20)}
SPARK = {1: (5.0, 0.15), 4: (8.0, 0.195), 8: (12.0, 0.21)}


def implicit(alone=ALONE, one=SPARK, two=None, reg=3.0):
    two = two or {number: (seconds / 2, value) for number, (seconds, value) in one.items()}
    return without_rmse(
        [
            *ranked("implicit_single", alone, hyper={"reg": reg}),
            *ranked("als_implicit", one, hyper={"reg": 0.1}),
            *ranked("als_implicit", two, workers=2, hyper={"reg": 0.1}),
        ]
    )


def test_implicit_models_are_compared_by_the_time_to_equal_ndcg():
    match, said = found(implicit())
    assert match.target == pytest.approx(0.99 * 0.20)
    assert match.single.values["model.iterations"] == 8
    assert [point.trial.values["model.iterations"] for point in match.points] == [8, 8]
    assert (said.kind, said.cores) == ("not reached", 2)
    assert said.ratio.ratio == pytest.approx(4 / 6)
    finding = FIND(EXPERIMENT, implicit())
    assert [plot.name for plot in finding.plots] == ["cost-0", "cost-quality-0"]
    assert any("reach an nDCG of 0.1980" in note for note in finding.notes)


def test_the_fewest_iterations_that_reach_the_quality_count():
    quick = {1: (5.0, 0.199), 4: (8.0, 0.201), 8: (12.0, 0.2)}
    match, said = found(implicit(one=quick))
    assert [point.trial.values["model.iterations"] for point in match.points] == [1, 1]
    assert (said.kind, said.cores) == ("reached", 2)
    assert any(
        "als_implicit w1" in note and "fewer iterations" in note
        for note in FIND(EXPERIMENT, implicit(one=quick)).notes
    )


def test_a_shape_that_does_not_reach_the_quality_does_not_count():
    match, _ = found(implicit(two={1: (1.0, 0.1)}))
    assert [point.cores for point in match.counted] == [1]
    assert any(
        "none of its trials reached" in note for note in FIND(EXPERIMENT, implicit(two={1: (1.0, 0.1)})).notes
    )


def test_without_rankings_there_is_nothing_to_compare():
    outcomes = implicit()
    for item in outcomes:
        for one in item.applications:
            one.metrics.clear()
    assert "set top_n and k" in details(outcomes)


def test_nothing_is_said_without_rivals():
    assert FIND(EXPERIMENT, [trial("als_single", 10.0)]) is None
    assert FIND(EXPERIMENT, spark([3.0, 2.0])) is None
    failed = trial("als_single", 10.0, count=0, status="failed")
    assert FIND(EXPERIMENT, [failed, *spark([3.0])]) is None


@pytest.mark.parametrize("outcomes", [[trial("als_single", 2.0), *spark([30.0, 16.0])], implicit()])
def test_pictures_and_tables(outcomes):
    finding = FIND(EXPERIMENT, outcomes)
    assert "one thread" in as_text(finding.tables[0])
    assert json.loads(json.dumps(finding.data))["cost"][0]["verdicts"][0]["kind"] == "not reached"
    assert all(len(plot.png("light")) > 5_000 for plot in finding.plots)
