"""The folder of links that Spark's history server reads."""

import os
from pathlib import Path

import pytest

from cluster.configuration import load
from cluster.services import SERVICES
from cluster.settings import UsageError
from experiments.__main__ import main
from experiments.cli.commands.history import link


def log(run_dir, where, name, text="{}", at=1_000):
    folder = run_dir / "experiments" / where / "eventlog"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    (folder / f".{name}.crc").write_text("")
    os.utime(folder / name, (at, at))
    return folder / name


def test_logs_of_trials_and_of_preprocessing_are_linked_by_relative_paths(tmp_path):
    log(tmp_path, "demo/key/attempt/app-0", "app-1", "one")
    log(tmp_path, "preprocess/movielens-1m", "app-2.inprogress", "two")
    assert link(tmp_path) == 2
    found = {path.name: path for path in (tmp_path / "history").iterdir()}
    assert found.keys() == {"app-1", "app-2.inprogress"}
    assert found["app-1"].read_text() == "one"
    assert found["app-1"].readlink() == Path("../experiments/demo/key/attempt/app-0/eventlog/app-1")


def test_linking_again_follows_what_changed(tmp_path):
    first = log(tmp_path, "demo/k/a/app-0", "app-1", "old")
    log(tmp_path, "demo/k/a/app-1", "app-2")
    link(tmp_path)
    log(tmp_path, "demo/k/b/app-0", "app-1", "new", at=2_000)
    (tmp_path / "experiments/demo/k/a/app-1/eventlog/app-2").unlink()
    assert link(tmp_path) == 1
    assert [path.name for path in (tmp_path / "history").iterdir()] == ["app-1"]
    assert (tmp_path / "history" / "app-1").read_text() == "new"
    assert first.read_text() == "old"


def test_folder_of_a_rolling_log_is_linked_as_one(tmp_path):
    folder = tmp_path / "experiments/demo/k/a/app-0/eventlog/eventlog_v2_app-1"
    folder.mkdir(parents=True)
    (folder / "events_1_app-1").write_text("{}")
    assert link(tmp_path) == 1
    assert (tmp_path / "history" / "eventlog_v2_app-1" / "events_1_app-1").exists()


def test_without_logs_nothing_is_started_and_the_next_step_is_named(tmp_path, capsys):
    assert main(["history", "--cluster-set", f"run_dir={tmp_path}"]) == 2
    assert "make experiment NAME=demo" in capsys.readouterr().err
    assert not (tmp_path / "services").exists()


def test_it_is_among_the_services_only_when_asked_for():
    class Place:
        def address(self, service, port, wanted):
            return f"127.0.0.1:{wanted}"

    assert SERVICES["history"].describe(load([], {}), Place()) == ()
    with pytest.raises(UsageError, match=r"history\.servers\b.*\b2\b"):
        load(["history.servers=2"], {})
