"""Reports from a real record: logged to the parent run, and all of them at once."""

import json
import re

import invented_streams as streams
import pytest
from invented import BASIS, application, outcome
from invented_drills import STREAM_DRILLED
from mlflow import MlflowClient

from cluster import configuration
from experiments import __main__ as main
from experiments.report.show import show
from experiments.run.runner import open_recorder
from experiments.spec.experiment import Experiment
from experiments.studies.stream_drills.record import keep

QUESTION = 'question = "How fast is a small one?"\n'
SPEC = f'{QUESTION}data.name = "movielens/1m"\nmodel.name = "als"\n'
OLDER = f"""{QUESTION}job = "train"
exclude = [{{ model = "knn", workers = 2 }}]
[fixed]
model = "als"
dataset = "movielens/1m"
cores = 1
[grid]
workers = [1, 2]
rank = [8, 16]
[[comparisons]]
baseline = {{ workers = 2 }}
contender = {{ workers = 1 }}
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """A record of experiments: one with its spec, one with a spec of before tables, one without, one whose trials never ran."""
    folder = tmp_path_factory.mktemp("run")
    made = configuration.load([f"run_dir={folder}"], {})
    recorder = open_recorder(made, None)
    every = (("small", SPEC, True), ("older", OLDER, True), ("lost", "", True), ("empty", SPEC, False))
    for name, spec, ran in every:
        items = [outcome([application(0, [9.0, 1.0, 2.0])], number, experiment=name) for number in (1, 2)]
        items = items if name == "older" else items[:1]
        parent = recorder.open(
            name, BASIS, [item.key for item in items], {"question": "How fast?", "spec": spec}
        )
        for item in items if ran else ():
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
    streams.write(settings.run_dir / "streaming", streams.start("a"), streams.course(10))
    keep(STREAM_DRILLED, settings.run_dir / "experiments" / "stream-drills")
    assert main.main(["reports", "--cluster-set", f"run_dir={settings.run_dir}"]) == 1
    said = capsys.readouterr()
    refused = dict(re.findall(r"no page of (\w+): (.*)", said.err))
    assert refused.keys() == {"lost", "empty"}
    assert "spec" in refused["lost"]
    assert "nothing is recorded" in refused["empty"]
    assert (settings.run_dir / "reports" / "small.html").exists()
    index = (settings.run_dir / "reports" / "index.html").read_text()
    assert "How fast is a small one?" in index
    pages = {*re.findall(r'href="([^"]+)"', index)}
    assert "lost.html" not in pages
    assert {"stream-lake.html", "stream-drills.html"} <= pages
    assert re.search(r"^older: .*\bolder version\b", said.out, re.MULTILINE)
    (compared,) = json.loads((settings.run_dir / "reports" / "older.json").read_text())["comparisons"]
    assert (compared["baseline"], compared["contender"]) == ({"shape.workers": 2}, {"shape.workers": 1})


def test_index_without_any_record(tmp_path, capsys):
    assert main.main(["reports", "--cluster-set", f"run_dir={tmp_path}"]) == 0
    assert "index.html" in capsys.readouterr().out
