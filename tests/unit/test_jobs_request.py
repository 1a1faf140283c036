"""Requests that share an application."""

import dataclasses

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
