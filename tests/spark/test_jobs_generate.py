"""The benchmark of generating: it writes what it was asked for, each pass anew, and counts it."""

import pytest

from datasets.errors import UsageError
from jobs.apps.generate import JOB
from jobs.context import Context
from jobs.phases import Events, Phases
from jobs.request import Request
from jobs.stores import STORES


def context(spark, folder, params):
    request = Request(
        job="generate", params=params, spark={}, store="parquet", store_root=str(folder / "store"),
        work=str(folder), events=str(folder / "events.jsonl"), warmups=1, repeats=1,
    )  # fmt: skip
    events = Events(folder / "events.jsonl")
    store = STORES["parquet"](spark, str(folder / "store"))
    return Context(request, spark, store, Phases(spark, events), events)


def test_writes_the_rows_that_were_asked_for_in_each_pass(spark, tmp_path):
    given = context(spark, tmp_path, {"variant": "ml-100k", "rows": 7_000})
    result = JOB.run(given)
    assert [(time.phase, time.kind) for time in given.phases.times] == [
        ("generate", "cold"),
        ("generate", "repeat"),
    ]
    assert result.counts["rows"] == 7_000
    assert result.counts["bytes"] > 0
    assert result.metrics["rows_per_s"] > 0
    assert spark.read.parquet(str(tmp_path / "generated")).select("user", "item").distinct().count() == 7_000


def test_an_unknown_variant_is_named_with_the_nearest(spark, tmp_path):
    with pytest.raises(UsageError, match="did you mean 'ml-10m'"):
        JOB.run(context(spark, tmp_path, {"variant": "ml-10"}))
