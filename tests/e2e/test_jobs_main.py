"""`python -m jobs` as the harness runs it: preprocess, then train, and every way in which an application ends."""

import functools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from datasets.dataset import find
from experiments.results.parts import read_result
from jobs.runtime.request import Request

SPARK = {
    "spark.master": "local[2]",
    "spark.driver.memory": "1g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.default.parallelism": "2",
    "spark.sql.shuffle.partitions": "2",
}
ALS = {
    "params": {"test": 0.3, "k": 3, "top_n": 3},
    "model": {"name": "als", "rank": 4, "iterations": 3, "blocks": 2},
}
BIAS = {"params": {"k": 3, "top_n": 3}, "model": {"name": "bias"}}


def request(folder, job="train", name="run", **changes):
    given = {
        "job": job,
        "params": {},
        "spark": SPARK,
        "store": "parquet",
        "store_root": str(folder / "store"),
        "work": str(folder / name),
        "events": str(folder / f"{name}.jsonl"),
    }
    return Request(**{**given, **changes})


@functools.cache
def harness_environment():
    """The environment that the harness gives to applications where the locale knows ASCII alone: Java finds what Python finds."""
    shown = "import json, os, cluster.configuration as s; s.load([], os.environ); print(json.dumps({**os.environ}))"
    done = subprocess.run(
        [sys.executable, "-c", shown],
        env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def start(folder, asked, name="run"):
    return start_several(folder, {name: asked})


def start_several(folder, asked):
    """Start one application for several requests by their names; the log has the first one's."""
    command = [sys.executable, "-m", "jobs", next(iter(asked.values())).job]
    for name, one in asked.items():
        one.save(folder / f"{name}.request.json")
        command += ["--request", f"{folder}/{name}.request.json", "--result", f"{folder}/{name}.json"]
    log = (folder / f"{next(iter(asked))}.log").open("w")
    return subprocess.Popen(
        command, stdout=log, stderr=log, start_new_session=True, env=harness_environment()
    )


def finish(process, folder, name="run"):
    try:
        code = process.wait(timeout=240)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    return code, read_result(folder / f"{name}.json")


def run(folder, asked, name="run"):
    return finish(start(folder, asked, name), folder, name)


def events(folder, name="run"):
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder of a name that wants care, with what preprocessing has stored in it, and preprocessing's result."""
    folder = tmp_path_factory.mktemp("main") / "r[1] %20 \u00e9"
    folder.mkdir()
    source = find("movielens/100k").source.sample("100k", folder / "data")
    asked = request(folder, "preprocess", "pre", dataset="movielens/100k", dataset_path=str(source),
                    params={"max_rejected_share": 0.9})  # fmt: skip
    code, result = run(folder, asked, "pre")
    assert code == 0, result.error
    return folder, result


@pytest.fixture(scope="module")
def fitted(prepared):
    """The result of an application of its own that has fitted ALS: a cold pass and two measured ones."""
    folder, _ = prepared
    code, result = run(folder, request(folder, name="fitted", **ALS, repeats=2, warmups=1), "fitted")
    assert code == 0, result.error
    return result


def test_preprocess_counts_every_row_and_writes_nothing_beside_its_folder(prepared):
    folder, result = prepared
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert (folder / "pre" / "checkpoints").is_dir()
    dropped = sum(count for name, count in result.counts.items() if name.startswith("dropped."))
    assert result.counts["rows_in"] == result.counts["rows_out"] + dropped
    assert [phase.phase for phase in result.phases] == ["read_clean", "write"]
    assert result.info["scale"] == "1.0,5.0,1.0"
    assert result.info["data_digest"].startswith(f"{result.counts['rows_out']}-")
    assert [event["event"] for event in events(folder, "pre")] == [
        "application_start", "session_ready", "pass", "phase_start", "phase_end", "phase_start", "phase_end",
        "application_end",
    ]  # fmt: skip


def test_an_application_measures_each_phase_of_each_pass(prepared, fitted):
    folder, _ = prepared
    assert 0 < len(fitted.fingerprint) <= 1000
    assert {"rmse", "rmse_bias", "coverage", "ndcg_at_3"} <= set(fitted.metrics)
    assert [(phase.phase, phase.kind) for phase in fitted.phases] == [
        (phase, kind) for kind in ("cold", "repeat", "repeat") for phase in ("fit", "score", "recommend")
    ]
    assert (folder / "store" / "recommendations_als" / "_SUCCESS").exists()


def test_playlists_without_ratings_go_all_the_way(tmp_path):
    source = find("spotify/playlists").source.sample("playlists", tmp_path / "data")
    spark = {**SPARK, "spark.master": "local[1]"}
    asked = request(tmp_path, "preprocess", "pre", dataset="spotify/playlists", dataset_path=str(source), spark=spark,
                    params={"max_rejected_share": 0.9})  # fmt: skip
    code, result = run(tmp_path, asked, "pre")
    assert code == 0, result.error
    counts = result.counts
    assert (counts["rows_in"], counts["rows_out"], counts["users"], counts["items"]) == (21, 13, 2, 7)
    assert counts["dropped.duplicate"] == 1
    assert result.info["scale"] == ""
    model = {"name": "als_implicit", "rank": 2, "iterations": 2, "blocks": 1}
    asked = request(tmp_path, name="train", params=ALS["params"], model=model, spark=spark)
    code, result = run(tmp_path, asked, "train")
    assert code == 0, result.error
    assert "ndcg_at_3" in result.metrics
    assert "rmse" not in result.metrics
    assert (tmp_path / "store" / "recommendations_als_implicit" / "_SUCCESS").exists()


def test_a_set_of_items_only_is_refused(tmp_path):
    source = find("movies/tmdb5000").source.sample("tmdb5000", tmp_path / "data")
    asked = request(tmp_path, "preprocess", dataset="movies/tmdb5000", dataset_path=str(source))
    code, result = run(tmp_path, asked)
    assert (code, result.status) == (1, "failed")
    assert "movies/tmdb5000" in result.error
    assert "items only" in result.error


def test_a_job_that_refuses_its_input_says_so_in_its_result(tmp_path):
    code, result = run(tmp_path, request(tmp_path, **ALS))
    assert (code, result.status) == (1, "failed")
    assert "make preprocess" in result.error
    assert events(tmp_path)[-1]["status"] == "failed"
    assert result.info["spark_version"] == "3.5.9"


@pytest.mark.parametrize(
    ("job", "model", "message"),
    [("trian", {}, "did you mean 'train'"), ("train", {"name": "asl"}, "did you mean 'als'")],
)
def test_unknown_names_end_with_two(prepared, job, model, message):
    folder, _ = prepared
    code, result = run(folder, request(folder, job, "usage", model=model), "usage")
    assert code == 2
    assert message in result.error


def test_a_request_that_does_not_read_ends_with_two(tmp_path):
    (tmp_path / "request.json").write_text('{"job": "train", "sprak": {}}')
    command = [
        sys.executable,
        "-m",
        "jobs",
        "train",
        "--request",
        f"{tmp_path}/request.json",
        "--result",
        f"{tmp_path}/r",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "did you mean 'spark'" in done.stderr
    assert "Traceback" not in done.stderr


def wait_for(folder, event, name):
    path = Path(folder) / f"{name}.jsonl"
    end = time.monotonic() + 200
    while time.monotonic() < end:
        if path.exists() and f'"event": "{event}"' in path.read_text():
            return
        time.sleep(0.2)
    raise AssertionError(f"no {event} in time")


LONG = {**ALS, "model": {**ALS["model"], "iterations": 3000}}


def kill_jvm(process):
    import psutil  # noqa: PLC0415 - only here

    (jvm,) = [
        child for child in psutil.Process(process.pid).children(recursive=True) if child.name() == "java"
    ]
    jvm.kill()


def share(folder, **given):
    """Requests with these fields, by name, with folders of their own and one session."""
    return {
        name: request(folder, name=f"{name}/work", **own, events=str(folder / f"{name}.jsonl"), warmups=1)
        for name, own in given.items()
    }


def test_trials_that_share_an_application_measure_and_answer_each_for_itself(prepared, fitted):
    """Jobs of two trials must not be counted together, and what one leaves must not help or hinder the next."""
    folder, _ = prepared
    asked = share(folder, one=ALS, two=ALS, three=ALS, four=BIAS)
    asked["two"] = request(
        folder,
        name="two/work",
        **ALS,
        events=str(folder / "two.jsonl"),
        per_user=str(folder / "two.jsonl" / "no folder"),
    )
    process = start_several(folder, asked)
    code, one = finish(process, folder, "one")
    assert code == 1
    two, three, four = (read_result(folder / f"{name}.json") for name in ("two", "three", "four"))
    assert [item.status for item in (one, two, three, four)] == ["ok", "failed", "ok", "ok"]
    assert "no folder" in two.error
    assert {item.info["application_id"] for item in (one, two, three, four)} == {one.info["application_id"]}
    ends = [events(folder, name)[-1] for name in ("one", "two", "three", "four")]
    assert [(end["event"], end["unfit"]) for end in ends] == [("application_end", None)] * 4
    assert [event["event"] for event in events(folder, "three")][:2] == ["application_start", "pass"]
    for same in (one, three):  # as another application's
        assert same.fingerprint == pytest.approx(fitted.fingerprint, abs=1e-4)
        assert same.metrics == pytest.approx(fitted.metrics, abs=1e-4)
    assert [(time.phase, time.spark_jobs) for time in three.phases] == [
        (time.phase, time.spark_jobs) for time in one.phases
    ]
    assert {time.kind for time in one.phases} == {"cold", "repeat"}
    assert {time.kind for time in three.phases} == {"warmup", "repeat"}
    assert not list(folder.glob("*/work/checkpoints"))[:-1]


def test_an_interruption_ends_the_trial_that_runs_and_those_after_it(prepared):
    folder, _ = prepared
    asked = share(folder, before=BIAS, during=LONG, after=ALS)
    process = start_several(folder, asked)
    wait_for(folder, "phase_start", "during")
    process.send_signal(signal.SIGTERM)
    code, before = finish(process, folder, "before")
    assert (code, before.status) == (130, "ok")
    during = read_result(folder / "during.json")
    assert during.status == "failed"
    assert "interrupted" in during.error
    assert not (folder / "after.json").exists()


def test_a_dead_driver_leaves_the_trials_after_it_to_another_application(prepared):
    folder, _ = prepared
    process = start_several(folder, share(folder, killed=LONG, left=ALS))
    wait_for(folder, "phase_start", "killed")
    kill_jvm(process)
    code, result = finish(process, folder, "killed")
    assert (code, result.status) == (1, "failed")
    assert "JVM is gone" in result.error
    assert events(folder, "killed")[-1]["unfit"]
    assert not (folder / "left.json").exists()


@pytest.mark.parametrize(
    "changes", [{"spark": {**SPARK, "spark.sql.shuffle.partitions": "3"}}, {"executors": 1}]
)
def test_requests_of_different_sessions_share_no_application(tmp_path, changes):
    asked = {"one": request(tmp_path, name="one"), "two": request(tmp_path, name="two", **changes)}
    assert start_several(tmp_path, asked).wait(60) == 2
    assert f"they have {next(iter(changes))}" in (tmp_path / "one.log").read_text()
    assert not (tmp_path / "one.json").exists()
