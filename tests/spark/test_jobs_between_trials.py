"""What a trial leaves in a session is freed before the next one, or the session is not used again."""

import pytest

from jobs.runtime import between_trials
from jobs.runtime.between_trials import clear, held
from jobs.runtime.request import Request
from jobs.runtime.session import cached_rdds


@pytest.fixture
def request_of(tmp_path):
    def make(**changes):
        return Request(
            job="train",
            params={},
            spark={},
            store="parquet",
            store_root="",
            work=str(tmp_path),
            events="",
            **changes,
        )

    return make


def test_frames_rdds_broadcasts_and_checkpoints_are_freed(spark, request_of, tmp_path):
    before = set(held(spark))
    frame = spark.range(100).persist()
    assert frame.count() == 100
    context = spark.sparkContext
    folder = context._jsc.sc().getCheckpointDir().get()
    try:
        context.setCheckpointDir((tmp_path / "checkpoints").as_uri())
        rdd = context.parallelize(range(10)).persist()
        rdd.checkpoint()
        sent = context.broadcast(list(range(1000)))
        assert rdd.map(lambda number: number + sent.value[number]).count() == 10
        assert {name.split("_")[0] for name in set(held(spark)) - before} == {"rdd", "broadcast"}
        rdd = sent = None  # what a trial's own objects still refer to cannot go
        clear(spark, request_of(), deadline_s=5.0)
    finally:
        context.setCheckpointDir(folder)
    assert set(held(spark)) <= before
    assert not cached_rdds(spark)
    assert not (tmp_path / "checkpoints").exists()
    assert frame.count() == 100  # who still has a frame can compute it again


def test_a_session_that_keeps_something_is_said_to_be_unfit(spark, request_of, monkeypatch):
    # Other tests of this session have tables of the lake open, which keep broadcasts of their own.
    monkeypatch.setattr(between_trials, "_SHOWN", 10_000)
    kept = spark.sparkContext.broadcast([1, 2, 3])
    try:
        assert f"broadcast_{kept._jbroadcast.id()}" in clear(spark, request_of(), deadline_s=0.0)
    finally:
        kept.destroy()


def test_a_session_without_all_its_executors_is_unfit(spark, request_of):
    assert clear(spark, request_of(executors=2)) == "0 of 2 executors are left"
