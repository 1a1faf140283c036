"""Searches: what a spec may ask for, what is proposed, what is chosen, what the report says, what is registered."""

import dataclasses
import re

import mlflow
import numpy as np
import pandas as pd
import pytest
from invented import application, outcome
from mlflow import MlflowClient

from cluster.shape import Shape
from core.errors import RecordingError, UsageError
from experiments.record.registry import register
from experiments.record.tracking import Tracking
from experiments.report.sections.search import FIND
from experiments.spec.experiment import Experiment
from experiments.spec.loading import read as load_spec
from experiments.spec.search_space import Range, Search, read
from experiments.studies.search.best import best, final, validated
from experiments.studies.search.samplers import sampler_of

SPACE = {"model.rank": {"low": 4, "high": 32, "log": True}, "model.reg": {"low": 0.01, "high": 0.2}}
OPTUNA = {"metric": "rmse", "trials": 5, "space": SPACE}
GRID = {
    "metric": "ndcg_at_10",
    "sampler": "grid",
    "space": {"model.rank": [8, 16], "model.reg": [0.1, 0.2, 0.3]},
}


def trial(number, rank, rmse, seconds, **values):
    own = {"model.name": "als", "model.rank": rank, **(values or {"job.part": "validation"})}
    made = [
        application(
            0, [9, seconds], status="ok" if rmse else "failed", metrics={"rmse": rmse} if rmse else {}
        )
    ]
    status = "ok" if rmse else "failed"
    return outcome(made, key=f"{number}" * 64, attempt=f"a{number}", values=own, status=status)


def test_ranges_are_read():
    assert read(OPTUNA, "x").ranges == {"model.rank": Range(4, 32, log=True), "model.reg": Range(0.01, 0.2)}
    assert Range(4, 32).whole
    assert not Range(4.0, 32.0).whole


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metric": "coverage"}, r"\brmse, mae\b.*'coverage'"),
        ({"space": {}}, r"search\.space"),
        ({"trials": None}, r"\bbudget\b.*\btrials\b.*\bminutes\b"),
        ({"trials": 0}, r"search\.trials\b.*\b0, got 0$"),
        ({"minutes": -1}, r"search\.minutes\b.*\b0, got -1\b"),
        ({"time_limit_s": 0}, r"search\.time_limit_s\b.*\b0, got 0\b"),
        ({"sampler": "grid"}, r"\brank\b.*\blist\b.*\boptuna\b"),
        ({"sampler": "random"}, r"sampler\b.*'random'.*\bgrid, optuna"),
        ({"space": {"model.rank": []}}, r"search\.space\.model\.rank\b.*\blist\b.*got \[\]$"),
        ({"space": {"model.rank": 5}}, r"search\.space\.model\.rank\b.*\blist\b.*\blow, high\b.*\b5$"),
        (
            {"space": {"model.rank": {"low": 9, "high": 9}}},
            r"search\.space\.model\.rank\b.*low below high.*'low': 9",
        ),
        (
            {"space": {"model.rank": {"low": 0, "high": 9, "log": True}}},
            r"search\.space\.model\.rank\b.*above 0\b.*'low': 0",
        ),
        ({"space": {"model.rank": {"low": 1, "hihg": 9}}}, r"search\.space\.model\.rank\b.*'hihg'.*'high'"),
        ({"trails": 3}, "'trails'.*'trials'"),
    ],
)
def test_wrong_searches_are_refused(changes, said):
    with pytest.raises(UsageError, match=said):
        read({**OPTUNA, **changes}, "experiment x")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"grid": {"model.seed": [1, 2]}}, r"\bsearch\b.*\bgrid\b"),
        ({"points": [{"model.seed": 1}]}, r"\bsearch\b.*\bpoints\b"),
        ({"model.rank": 8}, r"\bmodel\.rank\b.*\bsearch\.space\b.*\[model\]"),
        ({"job.part": "validation"}, r"\bjob\.part\b"),
        ({"search": {**OPTUNA, "space": {"model.rnak": [1]}}}, "'model.rnak'.*'model.rank'"),
        (
            {"search": {**OPTUNA, "space": {"rank": [1]}}},
            r"\brank is now model\.rank: write model\.rank = \[1\]",
        ),
        ({"search": {**OPTUNA, "space": {"model.name": ["als"]}}}, r"\bhyper-parameters\b.*\bmodel\.name\b"),
        ({"search": 5}, r"\bsearch\b.*\btable"),
    ],
)
def test_specs_with_wrong_searches_are_refused(values, said):
    fixed = {"model.name": "als", "data.name": "movielens/1m"}
    with pytest.raises(UsageError, match=said):
        load_spec("x", {"question": "?", **fixed, "search": OPTUNA, **values})


def test_only_training_is_searched():
    values = {"question": "?", "job.name": "preprocess", "data.name": "movielens/1m", "search": OPTUNA}
    with pytest.raises(UsageError, match=r"\bjob\b.*\btrain\b.*\bpreprocess\b"):
        load_spec("x", values)


def test_model_that_cannot_be_exported_is_refused_before_it_is_fitted():
    with pytest.raises(UsageError, match=r"\bknn\b.*exported"):
        load_spec(
            "x", {"question": "?", "model.name": "knn", "data.name": "movielens/1m", "job.export": True}
        ).trials(Shape(1, 1, "1g"))


def test_grid_is_every_combination_in_order():
    sampler = sampler_of(read(GRID, "x"))
    asked = []
    while (settings := sampler.ask()) is not None:
        asked.append((settings["model.rank"], settings["model.reg"]))
        sampler.tell(0.1, 0.0)
    assert asked == [(8, 0.1), (8, 0.2), (8, 0.3), (16, 0.1), (16, 0.2), (16, 0.3)]


def settings_asked(search, trials):
    sampler, found = sampler_of(search), []
    for _ in range(trials):
        settings = sampler.ask()
        found.append(settings)
        score = abs(settings["model.rank"] - 20) + settings["model.reg"]
        sampler.tell(None if settings["model.rank"] == 7 else score, settings["model.rank"] - 24.0)
    return found


def test_optuna_asks_the_same_again_for_the_same_answers():
    search = read(OPTUNA, "x")
    asked = settings_asked(search, 20)
    assert asked == settings_asked(search, 20)
    assert asked != settings_asked(dataclasses.replace(search, seed=1), 20)
    assert all(
        isinstance(item["model.rank"], int)
        and 4 <= item["model.rank"] <= 32
        and 0.01 <= item["model.reg"] <= 0.2
        for item in asked
    )


def test_optuna_comes_closer_to_the_best():
    asked = settings_asked(dataclasses.replace(read(OPTUNA, "x"), seed=3), 60)
    first, last = ([abs(item["model.rank"] - 20) for item in part] for part in (asked[:15], asked[-15:]))
    assert np.mean(last) < np.mean(first)


SEARCH = read({**OPTUNA, "space": {"model.rank": {"low": 4, "high": 64}}, "time_limit_s": 10}, "x")
TRIALS = [
    trial(1, 8, 0.90, 4), trial(2, 16, 0.88, 7), trial(3, 64, 0.85, 30), trial(4, 32, None, 9),
    trial(5, 12, 0.88, 5), trial(6, 16, 0.89, 9, **{"job.export": True}),
]  # fmt: skip


def test_best_is_the_best_within_the_limit_and_the_earliest_of_equals():
    tried = validated(SEARCH, TRIALS)
    assert [item.eligible for item in tried] == [True, True, False, False, True]
    chosen = best(SEARCH, tried)
    assert chosen.outcome.key[0] == "2"
    assert final(TRIALS, chosen).key[0] == "6"


def test_seconds_of_two_repeats_are_their_mean_as_in_the_report():
    item = trial(1, 8, 0.90, 4)
    two = dataclasses.replace(item, applications=[application(0, [9, 4, 7], metrics={"rmse": 0.9})])
    (found,) = validated(SEARCH, [two])
    assert found.seconds == 5.5


def test_no_trial_within_the_limit_is_no_best():
    assert (
        best(
            dataclasses.replace(SEARCH, time_limit_s=1),
            validated(dataclasses.replace(SEARCH, time_limit_s=1), TRIALS),
        )
        is None
    )


def test_highest_is_best_for_rankings():
    search = Search("ndcg_at_10", {"model.rank": [8, 16]}, "grid")
    made = [
        outcome(
            [application(0, [9, 1], metrics={"ndcg_at_10": value})],
            key=f"{n}" * 64,
            values={"model.rank": n, "job.part": "validation"},
        )
        for n, value in ((8, 0.1), (16, 0.3))
    ]
    assert best(search, validated(search, made)).settings == {"model.rank": 16}


def test_report_says_what_was_chosen_and_what_it_is_worth(tmp_path):
    experiment = dataclasses.replace(Experiment("x", "?"), search=SEARCH)
    found = FIND(experiment, TRIALS)
    assert (found.data["search"]["best"], found.data["search"]["test"]) == ("2" * 64, 0.89)
    assert re.search(r"\brank 16: RMSE 0\.880\D+validation\D+0\.890\D+test rows", found.answer)
    assert any("rank = 16" in note for note in found.notes)
    remarks = {row[1]: row[-1] for row in found.tables[0].rows}
    assert remarks == {"16": "best", "12": "", "8": "", "64": "over the time limit", "32": "failed"}
    assert [plot.png("light")[:4] for plot in found.plots] == [b"\x89PNG"] * 2
    assert FIND(Experiment("x", "?"), TRIALS) is None
    alone = FIND(experiment, TRIALS[:-1])
    assert alone.data["search"]["test"] is None
    assert re.search(r"RMSE on test rows.*unknown", alone.answer)


@pytest.fixture
def arrays(tmp_path):
    path = tmp_path / "factors.npz"
    empty = np.zeros(0, np.float32)
    np.savez(
        path, user_keys=np.array(["ann", "bob"]), item_keys=np.array(["x", "y", "z"]),
        user_factors=np.array([[1, 2], [np.nan, np.nan]], np.float32),
        item_factors=np.array([[1, 0], [0, 1], [2, 2]], np.float32),
        user_bias=empty, item_bias=empty, item_known=np.zeros(0, bool), scalars=np.zeros(3),
        flags=np.array([False, False, False]), seen_start=np.array([0, 1, 1]), seen_items=np.array([2], np.int32),
    )  # fmt: skip
    return path


def test_registered_model_is_loaded_by_its_alias_and_the_alias_moves(tmp_path, arrays):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client, tracking = MlflowClient(uri), Tracking(uri, None)
    number = client.create_experiment("x", artifact_location=(tmp_path / "artifacts").as_uri())
    runs = [client.create_run(number).info.run_id for _ in range(2)]
    first = register(tracking, runs[0], arrays, "recscale-x", "?")
    assert register(tracking, runs[0], arrays, "recscale-x", "?") == first
    mlflow.set_tracking_uri(uri)
    model = mlflow.pyfunc.load_model(first.uri)
    scores = model.predict(pd.DataFrame({"user": ["ann", "bob", "eve"], "item": ["y", "x", "x"]}))
    assert scores["prediction"].tolist()[0] == 2
    assert scores["prediction"].isna().tolist() == [False, True, True]
    lists = model.predict(pd.DataFrame({"user": ["ann", "bob"]}), params={"k": 2})
    assert lists["items"].tolist() == [["y", "x"], []]
    seen = model.predict(pd.DataFrame({"user": ["ann"]}), params={"k": 1, "seen": True})
    assert seen["items"].tolist() == [["z"]]
    assert (
        register(tracking, runs[0], tmp_path / "gone.npz", "recscale-x", "?") == first
    )  # it is there already
    second = register(tracking, runs[1], arrays, "recscale-x", "?")
    assert (first.version, second.version) == ("1", "2")
    assert client.get_model_version_by_alias("recscale-x", "best").run_id == runs[1]


def test_model_that_was_not_exported_is_not_registered(tmp_path):
    with pytest.raises(RecordingError, match=r"none\.npz\b"):
        register(
            Tracking(f"sqlite:///{tmp_path / 'm.db'}", None), "1", tmp_path / "none.npz", "recscale-x", "?"
        )
