"""Parameters of the train job, and of its model."""

import pytest

from core.errors import UsageError
from jobs import params
from jobs.apps.train import JOB
from jobs.models import MODELS


def test_own_and_model_parameters_are_told_apart():
    given = {"split": "fold", "fold": "u1", "top_n": "0"}
    own, model = params.read(given, {"name": "als", "rank": "16", "reg": "0.1"})
    assert (own.split, own.fold, own.top_n, own.k) == ("fold", "u1", 0, 10)
    assert (model.rank, model.reg, model.seed) == (16, 0.1, 1)


def test_the_job_lists_its_own_names_and_says_that_it_fits_a_model():
    assert {"model", "split_seed", "top_n"} <= JOB.parameters()
    assert "rank" not in JOB.parameters()


@pytest.mark.parametrize(
    ("given", "model", "named"),
    [
        ({}, {"name": "asl"}, "'asl': .*'als'"),
        ({}, {"rnak": 3}, "'rnak' .*model als: .*'rank'"),
        ({"test_share": 3}, {}, "'test_share' .*train: .*'test'"),
        ({"model": "als"}, {}, "'model' .*train: "),
        ({}, {"name": "bias", "rank": 3}, r"model bias .*'rank'.* als, .*\[model\.als\]"),
        ({}, {"rank": "many"}, "rank .*'many'"),
        ({"select": {"rnak": [1]}}, {}, "'rnak' .*'rank'"),
        ({"select": {"rank": 1}}, {}, "select.*rank.*list.*1"),
        ({"select": "rank=1"}, {}, "select='rank=1' .*JSON"),
        ({"top_n": 5, "k": 10}, {}, "top_n=5, k=10"),
        ({"split": "fold"}, {}, "split=fold .*fold=u1"),
        ({"validation": 1}, {}, "validation .*0 and 1, got 1"),
    ],
)
def test_what_does_not_fit_is_refused(given, model, named):
    with pytest.raises(UsageError, match=named):
        params.read(given, {"name": "als", **model})


def test_a_request_without_a_model_is_refused():
    with pytest.raises(UsageError, match="model None"):
        params.read({}, {})


def test_a_parameter_of_other_models_is_not_taken_for_a_slip_of_the_pen():
    with pytest.raises(UsageError) as refused:
        params.read({}, {"name": "bias", "rank": 3})
    assert "did you mean" not in str(refused.value)
    named = str(refused.value).partition("belongs to ")[2].partition(":")[0].split(", ")
    assert named == sorted(name for name, model in MODELS.items() if "rank" in params.hyper_parameters(model))


def test_candidates_are_every_combination():
    own, model = params.read({"select": '{"rank": [8, 16], "reg": [0.1]}'}, {"name": "als", "iterations": 3})
    found = [
        (values, candidate.rank, candidate.iterations)
        for values, candidate in params.candidates(model, own.select)
    ]
    assert found == [({"rank": 8, "reg": 0.1}, 8, 3), ({"rank": 16, "reg": 0.1}, 16, 3)]
