"""Shapes whose workers are limited or pinned: where that cannot be done it is said, where it was done it is recorded."""

import os

import pytest

from cluster.configuration import load
from cluster.doctor import _cores
from cluster.shape import Shape
from core.errors import ServiceError
from experiments.run.environment import pins
from experiments.run.harness import Harness


@pytest.mark.parametrize("shape", [Shape(1, 1, "1g", cpus=0.5), Shape(1, 1, "1g", pin=True)])
def test_workers_of_somebody_else_are_not_silently_unlimited(tmp_path, shape):
    settings = load([f"run_dir={tmp_path}", "spark.master=spark://there:7077"], {})
    with (
        Harness(settings) as harness,
        pytest.raises(ServiceError, match=r"\b(cpus|pin)\b.*\bthere:7077"),
    ):
        harness.use(shape)


def test_workers_of_somebody_else_are_used_as_they_are(tmp_path):
    settings = load([f"run_dir={tmp_path}", "spark.master=spark://there:7077"], {})
    with Harness(settings) as harness:
        harness.use(Shape(1, 1, "1g"))


def test_cores_of_pinned_workers_are_recorded():
    cores = sorted(os.sched_getaffinity(0))
    found = pins(Shape(2, 1, "1g", pin=True))["spark.pinned"]
    assert found == f"spark-worker-1: {cores[0]}, spark-worker-2: {cores[1 % len(cores)]}"
    assert pins(Shape(2, 1, "1g")) == {}


def test_doctor_counts_a_limited_core_as_its_share():
    cores = os.cpu_count() or 1
    many = [f"spark.workers={4 * cores}", "spark.cores=1"]
    assert _cores(load(many, {})).state == "warn"
    assert "beyond" in _cores(load(many, {})).mend
    assert "beyond" not in _cores(load([*many, "spark.cpus=0.25"], {})).mend


def test_default_shape_takes_its_limits_from_the_settings(tmp_path):
    settings = load([f"run_dir={tmp_path}", "spark.cpus=0.5", "spark.pin=true"], {})
    with Harness(settings) as harness:
        assert harness.default_shape == Shape(2, 1, "2g", 0.5, pin=True)
