"""Requests that share an application, and requests to jobs of other versions."""

import dataclasses
import json

import pytest

from core.errors import UsageError
from jobs.runtime.request import Request, check_same_session

ONE = Request(
    job="train", params={}, spark={"spark.master": "local[1]", "spark.a.password": "one"}, store="parquet",
    store_root="/there", work="/work", events="/events",
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"job": "topn"}, ["job 'train' and 'topn'"]),
        ({"executors": 2}, ["executors 0 and 2"]),
        ({"spark": {**ONE.spark, "spark.master": "local[2]"}}, ["spark.master 'local[1]' and 'local[2]'"]),
        ({"spark": {**ONE.spark, "spark.x": "7"}}, ["spark.x unset and '7'"]),
        ({"job": "topn", "executors": 2}, ["job 'train' and 'topn'", "executors 0 and 2"]),
    ],
)
def test_requests_of_other_sessions_are_refused_with_the_values_that_differ(changes, named):
    with pytest.raises(UsageError) as refused:
        check_same_session([ONE, ONE, dataclasses.replace(ONE, **changes)])
    assert f"they have {', '.join(named)};" in str(refused.value)


def test_a_secret_that_differs_is_named_and_not_shown():
    other = dataclasses.replace(ONE, spark={**ONE.spark, "spark.a.password": "two"})
    with pytest.raises(UsageError, match=r"spark\.a\.password") as refused:
        check_same_session([ONE, other])
    assert not {"'one'", "'two'"} & {*str(refused.value).split()}


def test_requests_of_one_session_may_differ_in_all_else():
    check_same_session([ONE, dataclasses.replace(ONE, model={"name": "als"}, work="/elsewhere")])


def saved(tmp_path, one, only):
    one.save(tmp_path / "request.json", only)
    return json.loads((tmp_path / "request.json").read_text())


def test_a_job_that_knows_no_field_for_the_model_gets_one_mapping(tmp_path):
    one = dataclasses.replace(ONE, params={"k": 3}, model={"name": "als", "rank": 8})
    older = {field.name for field in dataclasses.fields(Request)} - {"model"}
    written = saved(tmp_path, one, older)
    assert written.keys() == older
    assert written["params"] == {"model": "als", "rank": 8, "k": 3}
    assert saved(tmp_path, ONE, older)["params"] == {}
    whole = saved(tmp_path, one, None)
    assert (whole["params"], whole["model"]) == ({"k": 3}, {"name": "als", "rank": 8})
    assert Request.load(tmp_path / "request.json") == one


def test_one_mapping_cannot_hold_a_name_of_both(tmp_path):
    one = dataclasses.replace(ONE, params={"k": 3}, model={"name": "toy", "k": 8})
    with pytest.raises(UsageError, match=r"\bboth have k\b"):
        saved(tmp_path, one, {"params"})
