"""Whether models beat the baselines: said in a line each, and why where none does."""

import re

import pytest
from invented import application, outcome

from experiments.report.report import Report
from experiments.report.sections import FINDINGS
from experiments.spec.experiment import Experiment

FIND = FINDINGS["baselines"]
SPEC = Experiment("invented", "?")
DATA = {
    "name": "movielens/1m",
    "slug": "m",
    "digest": "d1",
    "rows": 1000,
    "users": 50,
    "items": 100,
    "options": {},
}


def trial(model, ndcg=None, rmse=None, workers=1, settings="", **changes):
    metrics = {} if rmse is None else {"rmse": rmse, "rmse_bias": 0.85, "rmse_global_mean": 1.0}
    metrics |= {} if ndcg is None else {"ndcg_at_10": ndcg}
    made = [application(0, [9.0, 1.0], metrics=metrics, counts={"train_rows": 900})]
    label = f"{model} {settings} w{workers}\u00d71c".replace("  ", " ")
    return outcome(made, workers, values={"model.name": model}, label=label, data=DATA, **changes)


def contests(*trials):
    return [(item["model"], item["better"]) for item in FIND(SPEC, trials).data["baselines"]]


def test_the_best_of_each_kind_is_named():
    trials = [
        trial("knn", 0.03, 0.82), trial("als", 0.01, 0.84), trial("als_implicit", 0.18), trial("bias", 0.04, 0.85),
        trial("popularity", 0.10), trial("popularity", 0.10, workers=2),
    ]  # fmt: skip
    assert contests(*trials) == [("knn", True), ("als_implicit", True)]
    guess, rank = FIND(SPEC, trials).notes
    assert re.search(r"\bknn\b.*RMSE 0\.8200\D+0\.8500\b", guess)
    assert re.search(r"\bals_implicit\b.*nDCG@10 0\.1800\D+0\.1000\b", rank)
    assert any("Against the baselines" in item.title for item in Report.of(SPEC, trials).findings)


def test_where_none_beats_a_baseline_the_reason_is_one_line():
    trials = [trial("knn", 0.03, 0.86), trial("als", 0.09, 0.85), trial("popularity", 0.10)]
    assert contests(*trials) == [("als", False), ("als", False)]
    for note in FIND(SPEC, trials).notes:
        assert "\n" not in note
        assert "knn, als" in note
        assert re.search(r"\b900 training rows\b.*\b18 a user\b.*\b9 an item\b", note)


def test_of_many_settings_only_the_best_is_named():
    trials = [trial("als", rmse=0.86 + n / 1000, settings=f"rank={n}") for n in range(40)]
    (note,) = FIND(SPEC, trials).notes
    assert re.findall(r"rank=\d+", note) == ["rank=0"]
    assert "40" in note


@pytest.mark.parametrize(
    "trials",
    [
        [trial("bias", 0.04, 0.85), trial("popularity", 0.10)],
        [trial("als_implicit", 0.18)],
        [outcome(status="failed")],
        [],
    ],
)
def test_nothing_is_said_without_a_model_and_its_baseline(trials):
    assert FIND(SPEC, trials) is None


def test_nothing_is_said_across_data_sets():
    other = outcome([application(0, [1.0])], data={**DATA, "digest": "d2"})
    assert FIND(SPEC, [trial("knn", rmse=0.8), other]) is None


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (["k_core=5 rank=16", "k_core=5 rank=32"], ["als rank=16", "als rank=32"]),
        (["rank=16 k_core=5", "rank=16 k_core=5"], ["als"]),
        (["rank=16"], ["als"]),
        (["rank=16", ""], ["als rank=16", "als"]),
    ],
)
@pytest.mark.parametrize("rmse", [0.80, 0.90])
def test_models_are_named_by_the_settings_that_tell_them_apart(given, names, rmse):
    trials = [trial("als", rmse=rmse + 0.01 * number, settings=text) for number, text in enumerate(given)]
    found = FIND(SPEC, [*trials, trial("bias", rmse=0.85, settings="k_core=5")])
    (contest,) = found.data["baselines"]
    assert (contest["model"], contest["models"]) == (names[0], names)
    assert "k_core" not in found.notes[0]


def test_a_setting_that_a_failed_trial_had_otherwise_stays_in_the_name():
    failed = outcome(status="failed", label="als rank=32 w1\u00d71c", data=DATA)
    assert contests(trial("als", rmse=0.8, settings="rank=16"), failed) == [("als rank=16", True)]
