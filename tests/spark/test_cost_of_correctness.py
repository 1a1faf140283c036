"""Sides of streams on a real broker and a real node: each takes in all of the same messages, bad ones among them."""

from dataclasses import replace

import pytest

from core.errors import JobError
from datasets.topics.declared import DEAD_LETTERS
from jobs.apps import JOBS
from jobs.guarantees.ladders import LADDERS, ROOT
from jobs.stores.cassandra.store import CassandraStore
from tests.spark.streaming import fresh_topics, rating, send

GOOD, BAD = 190, 10


@pytest.mark.parametrize("stream", sorted(LADDERS))
def test_every_side_keeps_every_message_once(spark, kafka, in_cassandra, context, stream):
    fresh_topics(kafka, "ratings", DEAD_LETTERS)
    names = [side.name for side in LADDERS[stream].every]
    params = {
        "brokers": [kafka], "stream": stream, "orders": [names], "rows": GOOD + BAD, "bad": 0.001, "most": 110,
        "batches": 30 if stream == "lake" else 0,
    }  # fmt: skip
    place = replace(context("cost_of_correctness", params), store=CassandraStore(spark, ROOT))
    result = JOBS["cost_of_correctness"].run(place)  # fails if a side has lost a message, or has it twice
    assert result.counts == {"rows": GOOD + BAD, "bad": BAD}
    if stream == "lake":
        early, late = (result.metrics[f"{name}_p95_s"] for name in ("early", "late"))
        assert early > 0
        assert result.metrics["late_of_early"] == pytest.approx(late / early)
    assert [one.phase for one in place.phases.times] == names
    assert all(one.seconds > 0 and one.spark_jobs > 0 for one in place.phases.times)
    send(kafka, "ratings", [rating(1)])
    with pytest.raises(JobError, match="1 messages that are not of a measurement"):
        JOBS["cost_of_correctness"].run(place)
