"""The benchmark of generating: it writes what it was asked for, each pass anew, and counts it."""

import pytest

from core.errors import UsageError
from jobs.apps.generate import JOB


def test_writes_the_rows_that_were_asked_for_in_each_pass(spark, context, tmp_path):
    given = context("generate", {"variant": "ml-100k", "rows": 7_000}, warmups=1, repeats=1)
    result = JOB.run(given)
    assert [(time.phase, time.kind) for time in given.phases.times] == [
        ("generate", "cold"),
        ("generate", "repeat"),
    ]
    assert result.counts["rows"] == 7_000
    assert result.counts["bytes"] > 0
    assert result.metrics["rows_per_s"] > 0
    assert spark.read.parquet(str(tmp_path / "generated")).select("user", "item").distinct().count() == 7_000


def test_an_unknown_variant_is_named_with_the_nearest(context):
    with pytest.raises(UsageError, match="did you mean 'ml-10m'"):
        JOB.run(context("generate", {"variant": "ml-10"}))
