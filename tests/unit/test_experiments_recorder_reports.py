"""Reports and views in the record, and what experiments it knows."""

import json
import re
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from invented import BASIS, application, outcome
from recording import ABOUT, runs, trial, write

from cluster.configuration import load
from core.errors import RecordingError
from experiments.record.run_tags import shown_columns
from experiments.report.report import Report
from experiments.report.show import show
from experiments.spec.experiment import Experiment
from experiments.stats.summaries import summary


def test_view_lists_the_trials_with_few_columns_and_the_parent_has_charts_of_its_own(named):
    recorder, client, name, folder = named
    trials = [trial(name, 1), trial(name, 2, applications=2)]
    parent = recorder.open(name, BASIS, [item.key for item in trials], ABOUT)
    for item in trials:
        recorder.record(item, write(item, folder), parent)
    address = recorder.show(name, shown_columns(trials))
    experiment = client.get_experiment_by_name(name)
    page, _, asked = address.partition("?")
    assert page == f"#/experiments/{experiment.experiment_id}/runs"
    # Without the first MLflow's pages show what they have for language models.
    assert parse_qs(asked) == {"workflowType": ["machine_learning"], "viewStateShareKey": ["trials"]}
    view = json.loads(experiment.tags["mlflow.sharedViewState.trials"])
    assert view["selectedColumns"][:2] == ["params.`shape.workers`", "metrics.`fit_s`"]
    assert "metrics.`rmse`" in view["selectedColumns"]
    for _ in range(2):
        recorder.annotate(parent.run_id, "### Trials", list(summary(trials)))
    history = client.get_metric_history(parent.run_id, "total_s by cores/als")
    assert [(item.step, item.value) for item in history] == [(1, 1.5), (2, 1.5)]
    assert client.get_run(parent.run_id).data.tags["mlflow.note.content"] == "### Trials"


def test_report_that_allows_a_changed_model_says_so_in_the_terminal_and_on_the_page_of_the_parent(
    named, place, capsys, monkeypatch
):
    monkeypatch.setattr(Report, "write", lambda _, folder: [folder, folder])  # drawn elsewhere, and slowly
    recorder, client, name, folder = named
    moved = [application(0, [9.0, 1.0, 1.0], fingerprint=[3.0, 4.5])]
    trials = [trial(name), outcome(moved, 2, experiment=name)]
    parent = recorder.open(name, BASIS, [item.key for item in trials], ABOUT)
    for item in trials:
        recorder.record(item, write(item, folder), parent)
    settings = load([f"run_dir={place[0]}"], {})

    def said(**changes):
        show(settings, Experiment(name, "How fast?"), **changes)
        note = client.get_run(parent.run_id).data.tags["mlflow.note.content"]
        return capsys.readouterr().out, note

    for text in said():
        assert re.search("No speed-up.*ALS.*fitted model", text)
        assert "not claimed" in text
    for text in said(allow_model_change=True):
        assert "1.50\u00d7 model changed" in text
        assert "--allow-model-change:" in text
        assert "No speed-up" not in text
    for run in runs(client, name):
        assert "recscale.allow_model_change" not in run.data.tags


def test_report_lies_with_the_parent_and_is_replaced(named, tmp_path):
    recorder, client, name, _ = named
    parent = recorder.open(name, BASIS, ["a" * 64], ABOUT)
    page = tmp_path / "page.html"
    (tmp_path / "kept").mkdir()
    for text in ("first", "second"):
        page.write_text(text)
        recorder.attach(parent.run_id, [page])
    assert [entry.path for entry in client.list_artifacts(parent.run_id, "report")] == ["report/page.html"]
    kept = Path(client.download_artifacts(parent.run_id, "report/page.html", str(tmp_path / "kept")))
    assert kept.read_text() == "second"
    with pytest.raises(RecordingError):
        recorder.attach("0" * 32, [page])


def test_known_experiments_come_with_what_they_were_last_run_with(named):
    recorder, _, name, _ = named
    recorder.open(name, BASIS, ["a" * 64], ABOUT)
    recorder.open(name, BASIS, ["a" * 64], {**ABOUT, "spec": "repeats = 3\n"})
    recorder.open(f"{name}-bare", BASIS, [], {"question": "?"})
    known = recorder.known()
    assert known[name] == "repeats = 3\n"
    assert known[f"{name}-bare"] == ""
    assert "Default" not in known
