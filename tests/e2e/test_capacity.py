"""A capacity model from real runs: planned, recorded, predicted from, checked against a held-out run."""

import json

import pytest

from tests.e2e.place import Place

pytestmark = [pytest.mark.timeout(1200), pytest.mark.long]

SPEC = """
question = "How long would user and item means take on more rows?"
applications = 1
repeats = 1
warmups = 0
partitions = 2
held_out = [{ data.rows = 4000, shape.workers = 1 }]

data.name = "synthetic/ml-latest-small"
model.name = "bias"

[shape]
cores = 1
memory = "1g"

[job]
top_n = 0
k = 5

[spark]
executor.metrics.pollingInterval = "500ms"
executor.processTreeMetrics.enabled = true

[grid]
data.rows = [1000, 4000]
shape.workers = [1, 2]
"""


@pytest.fixture
def place(tmp_path, cluster_sets):
    return Place(tmp_path, [*cluster_sets, "spark.workers=1"])


def test_plan_predict_and_recommend(place):
    path = place.folder / "small.toml"
    path.write_text(SPEC)
    text = place.run("plan", str(path), "--budget", "2h", "--validate")
    assert "two pilots first" in text
    assert "3 of 3 candidates are run" in text
    assert "From three small runs the time of one larger run was predicted with an error of" in text
    trials = place.runs("small")
    assert len(trials) == 4
    assert {run.info.status for run in trials} == {"FINISHED"}
    found = json.loads((place.run_dir / "reports" / "small.json").read_text())["capacity"]
    assert found["terms"] == ["1", "rows/cores"]
    assert [point["held_out"] for point in found["points"]] == [False] * 3 + [True]
    for point in found["points"]:
        assert point["measured_s"]["pass"] > 0
        assert point["measured_s"]["all_else"] > 0
        assert point["executor"]["heap"] > 300 * 2**20
        assert point["executor"]["python"] > 2**20

    predicted = place.run("predict", "--rows", "33e6", "--workers", "16", "--of", str(path))
    assert "33,000,000 rows on 16 worker(s), 16 core(s) in all" in predicted
    assert "16 cores is 8.0 times the most that was measured (2)" in predicted
    assert "checked on 1 held-out run(s) of up to 4,000 rows" in predicted
    assert "no interval: 3 runs leave 1 degree(s) of freedom" in predicted
    asked = (
        "recommend",
        "--rows",
        "1e5",
        "--deadline",
        "1h",
        "--price-per-worker-hour",
        "0.40",
        "--of",
        str(path),
    )
    place.run(*asked, code=2)  # a deadline needs intervals, which need one more run
    again = place.run("plan", str(path), "--budget", "2h", "--choose-only")
    assert "2 finished before and skipped, 0 to run" in again
    assert len(place.runs("small")) == 4
    assert place.processes() == []
