"""The section on the engine: its table, its picture, and nothing where no trial was fitted on it."""

import json

from invented import application, outcome
from matplotlib.figure import Figure

from experiments.report.sections import FINDINGS
from experiments.spec.loading import read
from jobs.engine.accounts import account
from jobs.engine.half_steps import HalfStep, Took

EXPERIMENT = read("invented", {"question": "How fast?"})
KNOWN = {
    "engine_build_s": 2.0, "engine_iteration_s": 1.5, "engine_solve_s": 0.8, "engine_gather_s": 0.2, "engine_ship_s": 0.1,
    "engine_wait_s": 0.4, "engine_shipped_mb": 44.0, "engine_gflops": 60.0, "engine_product_gflops": 100.0, "engine_product_share": 0.6,
}  # fmt: skip


def test_a_fit_on_the_engine_is_told_by_its_parts():
    trials = [outcome([application(0, [9.0, 2.0], metrics=KNOWN)]), outcome([application(0, [9.0, 2.0])])]
    found = FINDINGS["engine"](EXPERIMENT, trials)
    (table,) = found.tables
    assert table.rows == [
        [trials[0].label, "2.00", "1.50", "0.80", "0.20", "0.10", "0.40", "44.0", "60.0", "60%"]
    ]
    (plot,) = found.plots
    axes = Figure().add_subplot()
    plot.draw(axes)
    assert sum(patch.get_width() for patch in axes.patches) == 1.5
    json.dumps(found.data)
    assert FINDINGS["engine"](EXPERIMENT, trials[1:]) is None


def half_step(side, seconds, processes):
    tasks = [Took(str(process), 0.05, 0.1, 0.3, 0.05, 0.02, 1000, 10, 5_000_000) for process in processes]
    return HalfStep(side, seconds, 0.03, tasks, 10_000_000 * len(set(processes)))


def test_an_account_leaves_the_first_iteration_out_and_its_parts_add_up():
    steps = [
        half_step(1, 9.0, [1, 2]),
        half_step(0, 9.0, [1, 2]),
        half_step(1, 1.0, [1, 2]),
        half_step(0, 0.6, [1, 1]),
    ]
    found = account(steps, 8, 2, 3.0)
    assert found["engine_iteration_s"] == 1.6
    parts = sum(found[f"engine_{part}_s"] for part in ("gather", "solve", "ship", "wait"))
    assert abs(parts - 1.6) < 1e-9
    assert abs(found["engine_gather_s"] - 4 * 0.1 / 2) < 1e-9
    assert found["engine_shipped_mb"] == (10 * 2 + 5 * 2) + (10 + 5 * 2)
    work = 4000 * (8 * 9 + 16) + 40 * (8**3 / 3 + 128)
    assert abs(found["engine_gflops"] - work / (4 * 0.45) / 1e9) < 1e-12
    assert account(steps[:2], 8, 2, 3.0)["engine_iteration_s"] == 18.0
    # The second half-step's tasks ran one after another in one process.
    assert abs(found["engine_stage_s"] - ((1.0 - 0.03 - 0.52) + (0.6 - 0.03 - 1.04)) / 2) < 1e-9
    assert found["engine_slowest"] == 1.5
    assert abs(found["engine_load_mb_per_s"] - 30 / (4 * 0.05)) < 1e-9
