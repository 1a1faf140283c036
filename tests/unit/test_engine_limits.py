"""Arithmetic of iterations that were not measured: limits that are known, and its report."""

import json

import numpy as np
import pytest

from experiments.studies.engine_limits.arithmetic import (
    WAYS,
    Data,
    Measured,
    _distinct,
    _ratings_of,
    iteration,
)
from experiments.studies.engine_limits.report import document
from jobs.engine.normal_equations import flops

MEASURED = Measured(50, 1000, 0.1, 1.2, 1250)
DATA = Data(1e8, 6.3e5, 8.8e4)


def test_ratings_of_ids_add_up_to_those_of_the_data():
    for side in ("users", "items"):
        assert _ratings_of(DATA, side).mean() * getattr(DATA, side) == pytest.approx(DATA.ratings)


def test_distinct_ids_are_at_least_all_once_and_at_most_in_every_block():
    assert _distinct(DATA, "items", 1) == pytest.approx(DATA.items)
    few, many = (_distinct(DATA, "items", blocks) for blocks in (8, 512))
    assert DATA.items < few < 8 * DATA.items
    assert few < many < min(512 * DATA.items, DATA.ratings)
    assert _distinct(DATA, "users", 10**9) == pytest.approx(
        DATA.ratings, rel=1e-3
    )  # each rating in a block of its own


def test_distinct_ids_are_those_of_a_simulation():
    rng = np.random.default_rng(1)
    data = Data(2e5, 2e3, 5e2)
    numbers = rng.permutation(np.repeat(_ratings_of(data, "items"), 1))[:500]
    numbers = (numbers / numbers.mean() * 400).astype(int)
    items = np.repeat(np.arange(500), numbers)
    blocks = rng.integers(0, 16, len(items))
    simulated = len(np.unique(items.astype(np.int64) * 16 + blocks))
    expected = sum(16 * (1 - (1 - 1 / 16) ** number) for number in numbers)
    assert simulated == pytest.approx(expected, rel=0.02)


def test_one_worker_computes_all_and_more_share_it():
    one, four = (iteration(DATA, workers, 64, MEASURED) for workers in (1, 4))
    assert one.compute_s == pytest.approx(flops(2e8, DATA.ids, 64) / 50e9 * 1.2)
    assert four.compute_s == pytest.approx(one.compute_s / 4)
    assert four.shipped[WAYS[0]] == pytest.approx(4 * DATA.ids * 64 * 4)
    assert four.most[WAYS[0]] == pytest.approx(DATA.users * 64 * 4)
    assert all(seconds > four.compute_s for seconds in four.seconds.values())


def test_the_report_has_a_row_for_each_size_and_number_of_workers():
    report = document(64, MEASURED, 1e9, {"host.cores": 2})
    (finding,) = report.findings
    assert [len(finding.tables[0].rows), len(finding.plots)] == [12, 3]
    assert "with 954 MiB for factors in each worker it ends at about 6e+08 ratings" in report.answer
    assert all("<svg" in plot.svg for plot in finding.plots)
    json.dumps(report.values)
