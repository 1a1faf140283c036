"""Applications as processes, their events, identities of code and data, progress, and the command line."""

import argparse
import io
import json
import os
import re
import socket
import time

import pytest
from launching import launcher, request

from cluster import configuration
from cluster.backends.local.driver import LocalDriverHost
from cluster.lifecycle import Cluster
from cluster.settings import ROOT
from core.errors import ServiceError, UsageError
from core.log import shown
from experiments import __main__ as main
from experiments.cli import arguments
from experiments.results.events import Tail, last_lines, phases_of, tell_warnings, warnings_of
from experiments.results.parts import read_result
from experiments.run import environment, identity
from experiments.run.launcher import capture
from experiments.run.progress import Progress
from jobs.runtime.context import Context
from jobs.runtime.phases import Events
from jobs.runtime.request import Result


def test_application_that_fails_says_why(tmp_path):
    events = []
    launched = launcher().run(request(tmp_path), tmp_path, 60.0, events.append)
    assert launched.status == "failed"
    assert "names no spark.master" in launched.result.error
    assert launched.start_s is None
    assert 0 < launched.seconds < 60
    assert "application_start" in {event["event"] for event in events}
    assert "names no spark.master" in (tmp_path / "driver.log").read_text()


def test_application_that_leaves_no_result_is_known_by_its_log(tmp_path):
    (tmp_path / "result.json").write_text('{"job": "train", "status": "ok"}')
    broken = request(tmp_path, job="--nonsense")
    launched = launcher().run(broken, tmp_path, 60.0)
    assert launched.status == "failed"
    assert re.search(r"without a result\b.*\bexit code 2\b", launched.result.error)
    assert "usage:" in launched.result.error


def test_application_past_its_timeout_is_stopped(tmp_path):
    """A master that takes connections and never answers: the application cannot end by itself before that."""
    begin = time.perf_counter()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        spark = {"spark.master": f"spark://127.0.0.1:{silent.getsockname()[1]}"}
        launched = launcher().run(request(tmp_path, spark=spark), tmp_path, 0.0)
    assert launched.status == "failed"
    assert "longer than its timeout" in launched.result.error
    assert time.perf_counter() - begin < 30


def test_interrupt_stops_the_application_and_is_told(tmp_path):
    def interrupt(_event):
        raise KeyboardInterrupt

    launched = launcher().run(request(tmp_path), tmp_path, 60.0, interrupt)
    assert launched.status == "killed"
    assert launched.result.error == "interrupted (Ctrl-C)"


class Gone:
    """A cluster whose workers are gone."""

    def __init__(self, *names):
        self.names = names

    def died(self):
        return [type("Status", (), {"name": name})() for name in self.names]

    def log_tail(self, name, lines=20):
        return f"the last words of {name}"


WORKERS = frozenset({"spark-worker-1", "spark-worker-2"})


def test_application_without_workers_is_stopped_and_says_which_died(tmp_path):
    watched = launcher(Gone("spark-worker-1", "spark-worker-2"), workers=WORKERS)
    launched = watched.run(request(tmp_path), tmp_path, 60.0)
    assert launched.status == "failed"
    assert re.search(r"all workers\b.*\bspark-worker-1, spark-worker-2\b.*died", launched.result.error)
    assert Gone().log_tail("spark-worker-2") in launched.result.error
    assert launched.died == ["spark-worker-1", "spark-worker-2"]


def test_an_engine_that_does_not_answer_for_once_ends_nothing(tmp_path):
    class Silent(Gone):
        def died(self):
            raise ServiceError("`docker ps` did not end within 60 s")

    launched = launcher(Silent(), workers=WORKERS).run(request(tmp_path), tmp_path, 60.0)
    assert "names no spark.master" in launched.result.error


def test_one_dead_worker_of_two_is_noted_and_the_application_goes_on(tmp_path):
    watched = launcher(Gone("spark-worker-2", "mlflow", "spark-worker-9"), workers=WORKERS)
    launched = watched.run(request(tmp_path), tmp_path, 60.0)
    assert launched.died == ["spark-worker-2"]
    assert "names no spark.master" in launched.result.error


def test_dead_master_is_named(tmp_path):
    launched = launcher(Gone("spark-master"), workers=WORKERS).run(request(tmp_path), tmp_path, 60.0)
    assert "spark-master died" in launched.result.error


def test_events_are_read_as_they_come_and_only_whole(tmp_path):
    path = tmp_path / "events.jsonl"
    tail = Tail(path)
    assert tail.new() == []
    path.write_text('{"event": "a"}\n{"event": "b"')
    assert [event["event"] for event in tail.new()] == ["a"]
    with path.open("a") as file:
        file.write('}\nnot json\n["no event"]\n')
    assert [event["event"] for event in tail.new()] == ["b"]


def test_a_jobs_warnings_are_told_at_once_and_kept_once(tmp_path, caplog):
    asked = request(tmp_path)
    context = Context(asked, None, None, None, Events(tmp_path / "events.jsonl"), lambda: None)
    for text in ("one", "two", "one"):
        context.warn(text)
    assert context.warnings == ["one", "two"]
    events = Tail(tmp_path / "events.jsonl").new()
    assert warnings_of(events) == ["one", "two"]
    for event in [*events, {"event": "tick"}]:
        tell_warnings(event)
    assert caplog.messages == ["warning: one", "warning: two"]
    context.events.add("application_end")
    Result(job="train", status="ok", warnings=context.warnings).save(tmp_path / "result.json")
    assert read_result(tmp_path / "result.json").warnings == ["one", "two"]


def test_finished_phases_are_recovered_from_events():
    event = {
        "event": "phase_end",
        "phase": "fit",
        "pass_": 1,
        "kind": "repeat",
        "seconds": 2.5,
        "spark_jobs": 3,
    }
    (phase,) = phases_of([{"event": "phase_start", "phase": "fit"}, event, {"event": "phase_start"}])
    assert (phase.phase, phase.seconds) == ("fit", 2.5)


def test_end_of_a_log(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"x" * 9000 + b"\n\xff\nlast\n")
    assert last_lines(path, 2) == "\ufffd\nlast"


def test_short_commands_are_captured_or_absent():
    assert capture(["echo", "yes"]) == "yes"
    assert capture(["false"]) is None
    assert capture(["no-such-command-here"]) is None


def test_environment_describes_code_and_host():
    found = environment.describe(LocalDriverHost(configuration.load([], {})))
    assert found["host.cores"] == os.cpu_count()
    assert found["version.pyspark"].startswith("3.5")
    assert "17" in found["version.java"]
    assert environment.same_host(found, found)
    assert not environment.same_host(found, {**found, "host.cores": 4096})


def test_driver_gets_this_python_and_no_other_spark(monkeypatch):
    monkeypatch.setenv("SPARK_HOME", "/elsewhere")
    found, own = environment.for_driver(LocalDriverHost(configuration.load([], {})), None)
    assert "SPARK_HOME" not in found
    assert found["SPARK_LOCAL_IP"] == "127.0.0.1"
    assert found["PYTHONHASHSEED"] == "0"
    assert {"PYTHONPATH", "PYTHONHASHSEED", "SPARK_LOCAL_IP"} <= own


def test_preprocessing_does_not_depend_on_models():
    names = {path.relative_to(ROOT).as_posix() for path in identity._imported("jobs.apps.preprocess")}
    assert {"jobs/apps/preprocess.py", "jobs/prepare/cleaning.py", "datasets/sources/movielens.py"} <= names
    assert not any(name.startswith("jobs/models/") for name in names)


def test_preprocessing_depends_on_the_store_that_it_writes_to_and_on_the_session(monkeypatch):
    seen = []
    monkeypatch.setattr(identity, "hash_files", lambda paths: seen.append(set(paths)) or str(len(seen)))
    for store in ("parquet", "cassandra"):
        identity.preprocess_hash.__wrapped__(store)
    parquet, cassandra = ({path.relative_to(ROOT).as_posix() for path in found} for found in seen)
    assert {"jobs/apps/preprocess.py", "jobs/runtime/session.py", "jobs/stores/parquet/store.py"} <= parquet
    assert {
        "jobs/stores/cassandra/store.py",
        "jobs/stores/cassandra/access.py",
        "jobs/stores/cassandra/replication.py",
    } <= cassandra - parquet


def test_hash_of_files_is_of_names_and_contents(tmp_path):
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "b.py").write_text("2")
    paths = sorted(tmp_path.iterdir())
    first = identity.hash_files(paths, tmp_path)
    assert first == identity.hash_files(reversed(paths), tmp_path)
    paths[0].write_text("3")
    assert first != identity.hash_files(paths, tmp_path)


def test_stamp_notices_a_replaced_file(tmp_path):
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "ratings.csv"
    path.write_text("1")
    first = identity.stamp(tmp_path / "data")
    assert first == identity.stamp(tmp_path / "data")
    path.write_text("12")
    assert first != identity.stamp(tmp_path / "data")
    assert identity.stamp(path)


def test_progress_is_plain_lines_when_piped():
    out = io.StringIO()
    progress = Progress(total=2)
    with shown(out):
        for _ in range(2):
            progress.start("als")
            progress.follow({"event": "phase_start", "phase": "fit", "kind": "cold", "pass_": 0})
            progress.follow({"event": "tick"})
            progress.end("ok")
    lines = out.getvalue().splitlines()
    assert len(lines) == 4
    assert "\r" not in out.getvalue()
    assert lines[0] == "  [1/2] als: started"
    assert "s left" in lines[1]
    assert lines[3].startswith("  [2/2] als: ok after")


def test_progress_redraws_one_line_on_a_terminal():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    out = Terminal()
    progress = Progress(total=1)
    with shown(out):
        progress.start("als")
        progress.follow({"event": "phase_start", "phase": "fit", "kind": "cold", "pass_": 0})
        progress.end("ok")
    assert re.search(r"\r *\[1/1\] als: fit\b.*cold 1\b.*\b0 s", out.getvalue())
    assert out.getvalue().count("\n") == 1


def test_values_of_set_read_as_in_a_spec():
    found = arguments.read_sets(
        [
            "model.rank=32",
            "model.reg=0.06",
            "model.clip=true",
            "data.path=/a=b",
            'job.select={"reg": [0.1]}',
            "job.fold=u1",
        ]
    )
    assert found == {
        "model.rank": 32, "model.reg": 0.06, "model.clip": True, "data.path": "/a=b", "job.select": {"reg": [0.1]},
        "job.fold": "u1",
    }  # fmt: skip
    with pytest.raises(UsageError, match=r"--set\b.*'model\.rank'"):
        arguments.read_sets(["model.rank"])


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", []),
        ("model.rank=3", ["model.rank=3"]),
        (" rank=3  reg=0.1 ", ["rank=3", "reg=0.1"]),
        ("data.path=/my data/o'brien.csv clean.k_core=5", ["data.path=/my data/o'brien.csv", "clean.k_core=5"]),
        ("rank=[8, 16] als={rank=3, reg=0.1} k=5", ["rank=[8, 16]", "als={rank=3, reg=0.1}", "k=5"]),
        ("""a="x b=1" c='y d=2' e=["f g=3"]""", ['a="x b=1"', "c='y d=2'", 'e=["f g=3"]']),
        ("spark.driver.extraJavaOptions=-Da=1 -Db=2 k=5", ["spark.driver.extraJavaOptions=-Da=1 -Db=2", "k=5"]),
        ("title='tis here k=5", ["title='tis here", "k=5"]),
        (r'a="\" b=1" c=2', [r'a="\" b=1"', "c=2"]),
        ("rank 3", ["rank 3"]),
    ],
)  # fmt: skip
def test_one_text_holds_many_pairs_whose_values_may_hold_blanks_and_quotes(text, pairs):
    assert arguments.split_sets(text) == pairs
    parser = argparse.ArgumentParser()
    arguments.sets(parser)
    assert parser.parse_args(["--set", "x=1", f"--sets={text}", "--set=y=2"]).set == ["x=1", *pairs, "y=2"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "als_scalling"], 2, "als_scaling"),
        (["train", "--model", "asl", "--dataset", "movielens/1m"], 2, "'asl'.*'als'"),
        (
            ["train", "--model", "als", "--dataset", "movielens/1m", "--set", "model.rnak=3"],
            2,
            "'model.rnak'.*'model.rank'",
        ),
        (["preprocess", "--dataset", "movielens/2m"], 2, "variant '2m'.*movielens"),
        (["preprocess", "--dataset", "movielens/1m", "--set", "clean.kcore=3"], 2, "'clean.k_core'"),
        (["preprocess", "--dataset", "movielens/1m", "--set", "clean.k_core=many"], 2, r"\bk_core\b.*'many'"),
        (["preprocess", "--dataset", "movielens/1m", "--set", "clean.min_ratin=1"], 2, "'clean.min_rating'"),
        (
            ["preprocess", "--dataset", "movielens/1m", "--set", "clean.k_core=-3"],
            2,
            r"\bk_core\b.*\b0\b.*-3",
        ),
        (
            ["preprocess", "--dataset", "movielens/1m", "--set", "clean.max_rejected_share=5"],
            2,
            r"\bmax_rejected_share\b.*\b0\b.*\b1\b.*\b5\b",
        ),
        (["eda", "--dataset", "spotify/playlist"], 2, "'playlists'"),
        (["eda", "--dataset", "movielens/1m", "--set", "model.rank=3"], 2, r"key 'model\.rank'.*\beda\b"),
        (
            ["eda", "--dataset", "movielens/1m", "--set", "k_core=3"],
            2,
            r'k_core is now clean\.k_core: write SET="clean\.k_core=3"',
        ),
        (["report", "demo"], 2, r"recorded\b.*\bdemo\b.*make experiment NAME=demo"),
        (["list", "--cluster-set"], 2, None),
        (["run", "demo", "--cluster-set", "sparc.workers=3"], 2, r"'sparc\.workers'.*'spark\.workers'"),
    ],
)
def test_wrong_names_exit_with_two(arguments, code, message, tmp_path, capsys):
    if arguments[0] != "list":
        arguments = [*arguments, "--cluster-set", f"run_dir={tmp_path}"]
    try:
        found = main.main(arguments)
    except SystemExit as stop:
        found = stop.code
    assert found == code
    if message:
        assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("sets", "code"),
    [
        (["data.item=titel"], 2),
        (["data.separator=;"], 2),
        (["data.encoding=utf9"], 2),
        (["data.path={}/plais.csv"], 1),
    ],
)
@pytest.mark.parametrize("command", [["preprocess"], ["train", "--model", "bias"], ["eda"]])
def test_a_file_is_looked_at_before_anything_is_started(command, sets, code, tmp_path, capsys, monkeypatch):
    path = tmp_path / "plays.csv"
    path.write_text("user,item\na,b\n")
    monkeypatch.setattr(Cluster, "reshape", lambda *_, **__: pytest.fail("a cluster was started"))
    flags = [
        word
        for item in (f"data.path={path}", *(text.format(tmp_path) for text in sets))
        for word in ("--set", item)
    ]
    assert main.main([*command, "--dataset", "csv", *flags, "--cluster-set", f"run_dir={tmp_path}"]) == code
    assert "plays.csv" in capsys.readouterr().err or sets == ["data.encoding=utf9"]


def test_list_names_every_spec_with_its_question(capsys):
    assert main.main(["list"]) == 0
    out = capsys.readouterr().out
    for name in ("demo", "als_scaling", "data_scaling", "models", "topn_vs_mllib", "ml100k_folds"):
        assert name in out


def test_request_is_what_the_job_reads(tmp_path):
    launcher().run(request(tmp_path, params={"k": 3}), tmp_path, 60.0)
    assert json.loads((tmp_path / "request.json").read_text())["params"] == {"k": 3}
