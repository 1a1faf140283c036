"""Names of metrics: short ones now, and older runs that get them, on a real MLflow database."""

import ast
import dataclasses
import re
import statistics
from pathlib import Path

import pytest
from invented import BASIS, application, outcome
from invented_drills import drilled
from invented_pairs import ledger
from mlflow import MlflowClient
from mlflow.entities import Metric

from experiments import __main__ as main
from experiments.metric_table import (
    METRICS,
    OF_DRILLS,
    OTHERS,
    RECORDING,
    described,
    metric_name,
    new_name,
    phase_of,
    quality_name,
    seconds_name,
)
from experiments.record.recorder import Recorder
from experiments.record.run_tree import Node
from experiments.results.metrics import Number, numbers
from experiments.spec.loading import read
from experiments.stats.summaries import summary
from experiments.studies.compare.record import tree_of
from experiments.studies.compare.verdict import verdict_of
from experiments.studies.drills.record import numbers as numbers_of_drills
from experiments.studies.renaming import rename

JUDGED = {
    "rmse": 0.9, "coverage": 1.0, "ndcg_at_10": 0.1, "rmse_bias": 0.94, "rmse_global_mean": 1.1, "rmse_floor": 0.5,
    "mae": 0.7, "rmse_covered": 0.8, "map_at_10": 0.1, "precision_at_10": 0.1, "recall_at_10": 0.1, "single_fit_s": 1.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("phase.fit_s_median", "fit_s"),
        ("total_s_median", "total_s"),
        ("phase.fit_s", "repeats/fit_s"),
        ("phase.write_plain_s", "repeats/write_plain_s"),
        ("phase_cold/total_s", "cold/total_s"),
        ("overhead/recording_s", "harness/recording_s"),
        ("rmse_bias", "baseline/rmse_bias"),
        ("map_at_10", "quality/map_at_10"),
        *(
            (name, None)
            for name in (
                "fit_s",
                "total_s",
                "rmse",
                "ndcg_at_10",
                "spark/fit/gc_s",
                "rows/test_rows",
                "speed_up",
            )
        ),
    ],
)
def test_old_names_have_a_new_one(old, new):
    assert new_name(old) == new
    if new:
        assert new_name(new) is None


@pytest.mark.parametrize("metric", ["fit_s", "phase.fit_s", "phase.fit_s_median"])
def test_a_time_is_known_by_each_of_its_names(metric):
    assert phase_of(metric) == "fit"
    assert seconds_name(metric) == "fit_s"
    sides = {"baseline": {"model.rank": 8}, "contender": {"model.rank": 16}, "metric": metric}
    grid = {"question": "?", "model.name": "als", "data.name": "movielens/1m", "comparisons": [sides]}
    assert read("made", {**grid, "grid": {"model.rank": [8, 16]}}).comparisons[0].metric == "fit_s"
    search = {"metric": "rmse", "sampler": "grid", "space": {"model.rank": [8]}, "time_metric": metric}
    found = read(
        "made", {**{key: grid[key] for key in ("question", "model.name", "data.name")}, "search": search}
    ).search
    assert found.time_metric == "fit_s"


def test_every_recorded_metric_is_in_the_table_and_few_stand_first():
    groups = {f"fit#{n}": dict.fromkeys(
        ("tasks", "run_s", "cpu_s", "gc_s", "shuffle_read", "shuffle_write", "spill", "input_rows", "task_max_s", "task_median_s"), 1.0
    ) for n in range(2)}  # fmt: skip
    made = application(0, [9.0, 2.0], [3.0, 1.0], metrics=JUDGED, telemetry={"groups": groups})
    names = {number.name for number in numbers(outcome([made]))}
    first = {name for name in names if "/" not in name}
    assert first == {"fit_s", "score_s", "total_s", "rmse", "coverage", "ndcg_at_10"}
    sections = {metric.name.partition("/")[0] for metric in METRICS if "/" in metric.name}
    assert {name.partition("/")[0] for name in names if "/" in name} <= sections
    assert max(map(len, names)) <= 28
    assert all(metric.unit and metric.what for metric in METRICS)


def test_metrics_of_comparisons_and_drills_are_in_the_table(tmp_path):
    made = ledger(tmp_path)
    known = {name for name, *_ in described()}
    found = {number.name for number in tree_of(made, verdict_of(made, "total_s")).metrics}
    assert {re.sub("^rmse_difference$", "NAME_difference", name) for name in found} <= known
    assert {number.name for number in numbers_of_drills(drilled(rerun_s=1.0))} == {
        metric.name for metric in OF_DRILLS
    }
    label = outcome().label.partition(" ")[0]
    parents = {number.name for number in summary([outcome([application(0, [9.0, 1.0])])])}
    assert {name.replace(f"/{label}", "/NAME") for name in parents} <= known


def old_numbers(item):
    """What an older version recorded of a trial."""
    for number in numbers(item):
        old = next((name for name in OLD if new_name(name) == number.name), None)
        yield Number(old or number.name, number.value, number.step)


OLD = (
    "phase.fit_s_median", "total_s_median", "phase.fit_s", "phase_cold/fit_s", "phase_cold/total_s", "rmse_bias",
    "rmse_global_mean", *(f"overhead/{name}" for name in ("ready_s", "start_s", "stop_s", "application_s")),
)  # fmt: skip


@pytest.fixture
def place(tmp_path):
    uri = f"sqlite:///{(tmp_path / 'mlflow.db').resolve()}"
    return Recorder(uri, tmp_path / "mlartifacts"), MlflowClient(tracking_uri=uri)


def trials(client, name):
    where = [client.get_experiment_by_name(name).experiment_id]
    return client.search_runs(where, "tags.`recscale.kind` = 'trial'")


def kept(recorder, item, folder):
    item.save(folder)
    parent = recorder.open(item.experiment, BASIS, [item.key], {"question": "?", "spec": ""})
    recorder.record(item, folder, parent)


def test_older_trials_get_todays_names_and_keep_their_own(place, tmp_path, monkeypatch, capsys):
    recorder, client = place
    item = outcome([application(n, [9.0, 1.0, 2.0]) for n in range(2)], experiment="made")
    with monkeypatch.context() as older:
        older.setattr("experiments.record.recorder.numbers", old_numbers)
        older.setattr(
            "experiments.record.recorder.RECORDING", RECORDING._replace(name="overhead/recording_s")
        )
        kept(recorder, item, tmp_path / "old")
    (run,) = trials(client, "made")
    old = dict(run.data.metrics)
    assert "phase.fit_s_median" in old
    assert "fit_s" not in old
    (before,) = recorder.outcomes("made")[1]
    assert before.recording_s == old["overhead/recording_s"]

    assert rename(recorder.tracking) == {"made": 1}
    (run,) = trials(client, "made")
    found = run.data.metrics
    assert old.items() <= found.items()
    assert (found["fit_s"], found["total_s"], found["cold/fit_s"]) == (1.5, 1.5, 9.0)
    assert found["baseline/rmse_bias"] == 0.94
    assert found["harness/recording_s"] == pytest.approx(old["overhead/recording_s"], abs=1e-5)
    repeats = client.get_metric_history(run.info.run_id, "repeats/fit_s")
    assert [(metric.step, metric.value) for metric in repeats] == [(0, 1.0), (1, 2.0), (2, 1.0), (3, 2.0)]
    assert run.info.status == "FINISHED"
    expected = {number.name for number in numbers(item)} | {"harness/recording_s"}
    assert expected == {new_name(name) or name for name in old}
    assert expected <= found.keys()
    (after,) = recorder.outcomes("made")[1]
    assert dataclasses.replace(after, recording_s=before.recording_s) == before
    assert after.recording_s == pytest.approx(before.recording_s, abs=1e-5)

    assert rename(recorder.tracking) == {}
    assert main.main(["rename-metrics", "--cluster-set", f"run_dir={tmp_path}"]) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_runs_of_today_need_no_new_names(place, tmp_path):
    recorder, client = place
    kept(recorder, outcome([application(0, [9.0, 1.0])], experiment="made"), tmp_path / "new")
    (run,) = trials(client, "made")
    assert rename(recorder.tracking) == {}
    assert trials(client, "made")[0].data.metrics == run.data.metrics


def test_sides_of_older_comparisons_get_series_and_medians(place, tmp_path):
    recorder, client = place
    made = ledger(tmp_path / "pairs", ratio=1.3)
    tree = tree_of(made, verdict_of(made, "total_s"))
    side = tree.children[1]
    seconds = [number.value for number in side.metrics if number.name == "applications/fit_s"]
    series = [
        Number(name, value, step) for name in ("phase.fit_s", "total_s") for step, value in enumerate(seconds)
    ]
    older = Node("older", side.kind, {**side.tags, "recscale.kind": side.kind}, side.params, series)
    top = recorder.keep("made", Node("compare", tree.kind, tree.tags, children=[older]), "mark", "ok")
    assert rename(recorder.tracking) == {"made": 1}
    where = [client.get_experiment_by_name("made").experiment_id]
    (run,) = client.search_runs(where, f"tags.`mlflow.parentRunId` = '{top}'")
    for phase in ("fit", "total"):
        history = client.get_metric_history(run.info.run_id, f"applications/{phase}_s")
        assert [metric.value for metric in history] == pytest.approx(seconds)
        assert run.data.metrics[f"{phase}_s"] == pytest.approx(statistics.median(seconds), abs=1e-5)
    assert rename(recorder.tracking) == {}


def test_the_table_of_names_is_printed(capsys):
    assert main.main(["rename-metrics", "--list"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 120
    assert all(name in text for name, *_ in described())


def test_the_table_of_names_is_that_of_the_docs():
    page = (Path(__file__).parents[2] / "docs" / "reports.md").read_text()
    rows = [f"| `{name}` | {' | '.join(rest)} |" for name, *rest in described()]
    assert "\n".join(["|---|---|---|---|---|", *rows, ""]) in page


def test_jobs_keep_the_names_of_their_own_numbers():
    assert quality_name("rows_per_s.write plain") == "rows_per_s.write plain"
    assert quality_name("m=x") == "m_x"
    assert Metric("m_x", 1.0, 0, 0).key == "m_x"


@pytest.mark.parametrize(
    ("key", "title"),
    [
        ("rmse", "RMSE"),
        ("ndcg_at_10", "nDCG@10"),
        ("map_at_5", "MAP@5"),
        ("precision_at_10", "precision at 10"),
        ("mae", "mae"),
        ("rows_per_s", "rows per s"),
    ],
)
def test_people_read_metrics_of_jobs_in_words(key, title):
    assert metric_name(key) == title


def test_a_name_stands_in_the_table_alone():
    table = (*METRICS, *OTHERS)
    texts = {metric.name for metric in table} | {metric.key for metric in table if metric.of_job}
    names = {text.partition("{")[0] for text in texts} - {""}
    names -= {metric.key for metric in OF_DRILLS}  # fields of what came of a drill; and "rows" is a word
    found = [
        f"{path.name}:{node.lineno}: {node.value}"
        for path in sorted((Path(__file__).parents[2] / "experiments").rglob("*.py"))
        if path.name not in ("metric_table.py", "stream_metrics.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in names
    ]
    assert found == []
