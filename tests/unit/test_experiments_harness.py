"""The archive of Spark's classes is recorded while data is prepared; what is measured waits for it."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from cluster.configuration import load
from cluster.lifecycle import Cluster
from cluster.shape import Shape
from core.errors import ServiceError
from experiments.run import harness as module
from experiments.run.harness import Harness

SHAPE = Shape(1, 1, "1g")


@pytest.fixture
def harness(tmp_path, monkeypatch):
    monkeypatch.setattr(Cluster, "reshape", lambda *_, **__: [])
    return Harness(load([f"run_dir={tmp_path}"], {}))


def test_an_application_that_is_measured_waits_for_the_archive_and_others_do_not(harness, monkeypatch):
    begun, may_end = Event(), Event()

    def record(*_):
        begun.set()
        assert may_end.wait(60)

    monkeypatch.setattr(module, "record", record)
    harness.use(SHAPE, measured=False)
    assert begun.wait(60)
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(harness.use, SHAPE)
        with pytest.raises(TimeoutError):
            waits.result(0.2)
        may_end.set()
        waits.result(60)


def test_a_recording_that_failed_is_not_tried_again(harness, monkeypatch):
    tried = []

    def record(*_):
        tried.append(1)
        raise ServiceError("no room")

    monkeypatch.setattr(module, "record", record)
    for _ in range(2):
        harness.use(SHAPE)
    assert tried == [1]


def test_a_recording_that_breaks_down_keeps_nothing_from_being_given_back(harness, monkeypatch):
    stopped = []

    def record(*_):
        raise OSError("no room")

    monkeypatch.setattr(module, "record", record)
    monkeypatch.setattr(Cluster, "down", lambda _, names=(): stopped.extend(names))
    with harness:
        harness.use(SHAPE, measured=False)
    assert stopped == ["spark"]
    with pytest.raises(OSError, match="no room"):
        harness.use(SHAPE)
