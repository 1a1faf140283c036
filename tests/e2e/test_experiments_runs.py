"""Experiments on a real cluster of their own: from a spec to recorded runs, with faults and interruptions."""

import json
import signal

import pytest

from cluster.lifecycle import Cluster
from tests.conftest import free_ports, unset_settings
from tests.e2e.place import Place, publish

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One run folder for the tests that can share its prepared data, with no cluster running between them."""
    folder = tmp_path_factory.mktemp("experiments")
    with pytest.MonkeyPatch.context() as patch:
        unset_settings(patch)
        yield Place(
            folder, [*free_ports(), f"run_dir={folder / 'run'}", "spark.workers=1", "spark.memory=1g"]
        )


@pytest.mark.long
def test_demo_from_a_publishers_folder_to_a_compared_experiment(shared, tmp_path, monkeypatch):
    publish(tmp_path / "data")
    place = Place(tmp_path, [*shared.sets, f"run_dir={tmp_path / 'run'}", f"data={tmp_path / 'data'}"])
    monkeypatch.delenv("JAVA_TOOL_OPTIONS")  # here alone the JVMs run as a user's do
    text = place.run("demo")
    assert text.splitlines()[-1].startswith("demo: ok ")
    for label in ("knn w1\u00d71c", "als_implicit w2\u00d71c", "bias w1\u00d71c", "popularity w1\u00d71c"):
        assert label in text
    assert "data: movielens/latest-small" in text
    assert "harness: " in text
    assert place.processes() == []
    trials = place.runs("demo")
    assert [run.info.status for run in trials] == ["FINISHED"] * 6
    assert {run.data.params["shape.workers"] for run in trials} == {"1", "2"}
    (parent,) = place.runs("demo", "experiment")
    assert parent.info.status == "FINISHED"
    assert "| trial |" in parent.data.tags["mlflow.note.content"]
    report = json.loads((place.run_dir / "reports" / "demo.json").read_text())
    by_label = {trial["label"]: trial for trial in report["trials"]}
    assert "rmse" in by_label["knn w1\u00d71c"]["metrics"]
    assert "rmse" not in by_label["popularity w1\u00d71c"]["metrics"]
    assert by_label["knn w1\u00d71c"]["seconds"].keys() == {"fit", "score", "recommend", "total"}
    assert by_label["knn w2\u00d71c"]["speedup"]["ratio"] is None  # a look
    assert [item["metric"] for item in report["baselines"]] == ["RMSE", "nDCG@10"]
    assert len({run.data.tags["application_id"] for run in trials}) == 2  # one for each shape
    assert {(trial["shared"]["place"], trial["shared"]["of"]) for trial in report["trials"]} == {
        (1, 4), (2, 4), (3, 4), (4, 4), (1, 2), (2, 2),
    }  # fmt: skip
    metrics = next(run for run in trials if run.info.run_name == "bias w1\u00d71c").data.metrics
    assert metrics["spark/fit/tasks"] > 0
    assert metrics["harness/start_s"] > 0
    assert metrics["fit_s"] > 0

    again = place.run("demo")
    assert "6 finished before and skipped, 0 to run" in again
    assert "starting spark" not in again
    assert len(place.runs("demo")) == 6


TWO_LONG_ONES = """
model.name = ["als", "bias", "popularity"]
model.als.iterations = [20]
model.als.rank = [8, 9]
model.als.checkpoint = [5]
"""
BOTH = "all workers (spark-worker-1, spark-worker-2)"


@pytest.mark.long
def test_death_of_one_worker_is_survived_and_that_of_all_fails_one_trial(shared):
    spec = shared.spec("orphaned", TWO_LONG_ONES, workers=2, warmups=1, applications='"shared"')
    with shared.started("run", spec) as process:
        shared.wait_for(process, "orphaned", "fit")
        shared.kill("spark-worker-2")
        shared.wait_for(process, "orphaned", "fit", count=4)  # of the second trial: its second pass
        shared.kill("spark-worker-1")
        shared.kill("spark-worker-2")  # started again for this trial
        assert process.wait(300) == 1
    assert "executor(s) lost" in shared.output()
    assert f"{BOTH} died while the application ran" in shared.output()
    runs = {
        (run.data.params["model.name"], run.data.params.get("model.rank")): run
        for run in shared.runs("orphaned")
    }
    first, second = runs["als", "8"], runs["als", "9"]
    others = [runs[model, None] for model in ("bias", "popularity")]
    assert [run.info.status for run in (first, second, *others)] == [
        "FINISHED", "FAILED", "FINISHED", "FINISHED",
    ]  # fmt: skip
    assert int(first.data.tags["recscale.executors_lost"]) >= 1
    assert first.data.tags["recscale.died"] == "spark-worker-2"
    assert f"{BOTH} died" in second.data.tags["recscale.error"]
    assert int(second.data.tags["recscale.executors_lost"]) == 2
    assert second.data.metrics["cold/fit_s"] > 0  # what was measured before is kept
    assert {run.data.tags["recscale.executors_lost"] for run in others} == {"0"}
    places = [run.data.tags["recscale.shared"] for run in (first, second, *others)]
    assert [" ".join(place.split()[:4]) for place in places] == [
        "trial 1 of 1", "trial 1 of 1", "trial 1 of 2", "trial 2 of 2",
    ]  # fmt: skip
    assert len({run.data.tags["application_id"] for run in others}) == 1
    assert shared.processes() == []


def test_interrupted_experiment_leaves_nothing_goes_on_and_grows(shared):
    grid = 'model.name = ["bias"]\nmodel.bias.reg_user = [{}]'
    spec = shared.spec("grows", grid.format("3.0"), applications=2)
    with shared.started("run", spec) as process:
        shared.wait_for(process, "grows", "fit", count=2)
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 130
    assert "interrupted" in shared.output()
    assert shared.processes() == []
    (run,) = shared.runs("grows")
    assert run.info.status == "KILLED"
    assert run.data.tags["recscale.applications"] == "1"
    assert [item.info.status for item in shared.runs("grows", "experiment")] == ["KILLED"]

    text = shared.run("run", spec)
    assert "[1/1]" in text  # the application that had ended is not run again
    (run,) = shared.runs("grows")
    assert run.info.status == "FINISHED"
    assert run.data.tags["recscale.applications"] == "2"

    spec = shared.spec("grows", grid.format("3.0, 7.0"), applications=1)
    text = shared.run("run", spec)
    assert "2 trials, 1 finished before and skipped, 1 to run" in text
    assert [run.data.params["model.reg_user"] for run in shared.runs("grows")] == ["3.0", "7.0"]
    assert len(shared.runs("grows", "experiment")) == 1
    spec = shared.spec("grows", grid.format("7.0"))
    assert "1 trials, 1 finished before and skipped, 0 to run" in shared.run("run", spec)
    shared.run("report", spec)
    (shown,) = json.loads((shared.run_dir / "reports" / "grows.json").read_text())["trials"]
    assert shown["params"]["model.reg_user"] == 7.0


def test_preprocess_and_train_use_a_cluster_that_runs_and_leave_it(shared):
    cluster = Cluster(shared.settings)
    cluster.up({"spark"})
    try:
        before = {(item.name, item.pid) for item in cluster.status() if item.state == "running"}
        options = ["--dataset", "synthetic/ml-latest-small", "--set", "data.rows=2500"]
        text = shared.run("preprocess", *options)
        # An earlier run of the tests may have made it.
        assert "stored in" in text or "nothing to do, already in" in text
        assert "2,500" in text
        text = shared.run(
            "train", "--model", "bias", "--repeats", "1", *options, "--set", "job.top_n=0", "--set", "job.k=5"
        )
        assert "bias w1\u00d71c" in text
        assert "RMSE of bias" in text
        assert {(item.name, item.pid) for item in cluster.status() if item.state == "running"} == before
    finally:
        cluster.down()
    assert shared.processes() == []
