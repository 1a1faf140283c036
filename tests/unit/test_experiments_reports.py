"""Reports from a real record: logged to the parent run, and all of them at once."""

import re

import pytest
from invented import BASIS, application, outcome
from mlflow import MlflowClient

from cluster import configuration
from experiments import __main__ as main
from experiments.report.show import show
from experiments.run.runner import open_recorder
from experiments.spec.experiment import Experiment

SPEC = 'question = "How fast is a small one?"\n[fixed]\nmodel = "als"\ndataset = "movielens/1m"\n'


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """A record of three experiments: one with its spec, one whose spec is lost, one whose trials never ran."""
    folder = tmp_path_factory.mktemp("run")
    made = configuration.load([f"run_dir={folder}"], {})
    recorder = open_recorder(made, None)
    for name, spec, ran in (("small", SPEC, True), ("lost", "", True), ("empty", SPEC, False)):
        item = outcome([application(0, [9.0, 1.0, 2.0])], experiment=name)
        parent = recorder.open(name, BASIS, [item.key], {"question": "How fast?", "spec": spec})
        if ran:
            item.save(folder / "experiments" / name / item.attempt)
            recorder.record(item, folder / "experiments" / name / item.attempt, parent)
    return made


def test_report_is_logged_to_the_parent_run(settings, capsys):
    show(settings, Experiment("small", "How fast is a small one?"))
    assert "all reports:" in capsys.readouterr().out
    client = MlflowClient(tracking_uri=f"sqlite:///{settings.run_dir.resolve() / 'mlflow.db'}")
    where = [client.get_experiment_by_name("small").experiment_id]
    (parent,) = client.search_runs(where, "tags.`recscale.kind` = 'experiment'")
    logged = {entry.path for entry in client.list_artifacts(parent.info.run_id, "report")}
    assert {f"report/small.{kind}" for kind in ("html", "json", "csv")} <= logged
    assert {f"report/small-phases.{kind}" for kind in ("png", "svg")} <= logged
    assert re.search(r"pass of ALS on one worker\b.*\b1\.5 s", parent.data.tags["mlflow.note.content"])


def test_all_reports_are_written_and_what_cannot_be_is_named(settings, capsys):
    assert main.main(["reports", "--cluster-set", f"run_dir={settings.run_dir}"]) == 1
    said = capsys.readouterr()
    refused = dict(re.findall(r"no page of (\w+): (.*)", said.err))
    assert refused.keys() == {"lost", "empty"}
    assert "spec" in refused["lost"]
    assert "nothing is recorded" in refused["empty"]
    assert (settings.run_dir / "reports" / "small.html").exists()
    index = (settings.run_dir / "reports" / "index.html").read_text()
    assert "How fast is a small one?" in index
    assert "lost" not in index


def test_index_without_any_record(tmp_path, capsys):
    assert main.main(["reports", "--cluster-set", f"run_dir={tmp_path}"]) == 0
    assert "index.html" in capsys.readouterr().out
