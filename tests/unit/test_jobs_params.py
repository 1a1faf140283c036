"""The train job's flat parameters."""

import pytest

from core.errors import UsageError
from jobs import params
from jobs.apps.train import JOB
from jobs.models import MODELS


def test_own_and_model_parameters_are_told_apart():
    own, model = params.read(
        {"model": "als", "rank": "16", "reg": "0.1", "split": "fold", "fold": "u1", "top_n": "0"}
    )
    assert (own.split, own.fold, own.top_n, own.k) == ("fold", "u1", 0, 10)
    assert (model.rank, model.reg, model.seed) == (16, 0.1, 1)


def test_no_model_has_a_field_with_a_name_of_the_job():
    for name, model in MODELS.items():
        assert not params.hyper_parameters(model) & params.OWN, name


def test_the_job_lists_the_names_of_all_models():
    assert {"rank", "reg_item", "alpha", "split_seed"} <= JOB.parameters()


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"model": "asl"}, "'asl': .*'als'"),
        ({}, "model None"),
        ({"model": "als", "rnak": 3}, "'rnak' .*model als: .*'rank'"),
        ({"model": "als", "test_share": 3}, "'test_share' .*model als: .*'test'"),
        ({"model": "bias", "rank": 3}, r"model bias .*'rank'.* als, .*\[fixed\.als\]"),
        ({"model": "als", "rank": "many"}, "rank .*'many'"),
        ({"model": "als", "select": {"rnak": [1]}}, "'rnak' .*'rank'"),
        ({"model": "als", "select": {"rank": 1}}, "select.*rank.*list.*1"),
        ({"model": "als", "select": "rank=1"}, "select='rank=1' .*JSON"),
        ({"model": "als", "top_n": 5, "k": 10}, "top_n=5, k=10"),
        ({"model": "als", "split": "fold"}, "split=fold .*fold=u1"),
        ({"model": "als", "validation": 1}, "validation .*0 and 1, got 1"),
    ],
)
def test_what_does_not_fit_is_refused(given, named):
    with pytest.raises(UsageError, match=named):
        params.read(given)


def test_a_parameter_of_other_models_is_not_taken_for_a_slip_of_the_pen():
    with pytest.raises(UsageError) as refused:
        params.read({"model": "bias", "rank": 3})
    assert "did you mean" not in str(refused.value)
    named = str(refused.value).partition("belongs to ")[2].partition(":")[0].split(", ")
    assert named == sorted(name for name, model in MODELS.items() if "rank" in params.hyper_parameters(model))


def test_candidates_are_every_combination():
    own, model = params.read({"model": "als", "iterations": 3, "select": '{"rank": [8, 16], "reg": [0.1]}'})
    found = [
        (values, candidate.rank, candidate.iterations)
        for values, candidate in params.candidates(model, own.select)
    ]
    assert found == [({"rank": 8, "reg": 0.1}, 8, 3), ({"rank": 16, "reg": 0.1}, 16, 3)]
