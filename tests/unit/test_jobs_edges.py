"""What surrounds a job: the shipped packages, settings, memory estimates, explanations of failures."""

import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from py4j.protocol import Py4JNetworkError

from core.errors import JobError
from jobs.modelling.preflight import als_need, check_memory
from jobs.runtime.failures import explain, root_cause
from jobs.runtime.request import Request
from jobs.runtime.session import resolved, start_session
from jobs.runtime.shipping import pack


def request(tmp_path, **spark):
    return Request(
        job="train",
        params={},
        spark={key.replace("_", "."): value for key, value in spark.items()},
        store="parquet",
        store_root=str(tmp_path / "store"),
        work=str(tmp_path / "work"),
        events=str(tmp_path / "events.jsonl"),
    )


def test_the_same_code_gives_the_same_zip(tmp_path):
    first, second = pack(tmp_path / "a"), pack(tmp_path / "b")
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()
    names = zipfile.ZipFile(first).namelist()
    assert {"jobs/__init__.py", "jobs/models/als.py", "datasets/source.py", "core/errors.py"} <= set(names)
    assert not [name for name in names if "__pycache__" in name]


def test_plug_ins_are_found_inside_the_zip(tmp_path):
    code = "import jobs.models, jobs; print(jobs.__file__, sorted(jobs.models.MODELS))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(pack(tmp_path))}, cwd=tmp_path,
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert ".zip/jobs/__init__.py" in done.stdout
    assert "'als'" in done.stdout


def test_a_request_overrides_the_defaults(tmp_path):
    settings = resolved(request(tmp_path, spark_master="local[1]", spark_default_parallelism="3"))
    assert settings["spark.default.parallelism"] == "3"
    assert settings["spark.sql.adaptive.enabled"] == "false"
    assert settings["spark.executorEnv.PYTHONHASHSEED"] == "0"
    assert settings["spark.executorEnv.NUMBA_CACHE_DIR"] == str(tmp_path / "numba")


def test_a_missing_master_is_refused(tmp_path):
    with pytest.raises(JobError, match=r"spark\.master.*spark://127\.0\.0\.1:7077"):
        start_session(request(tmp_path))


def test_a_master_that_is_not_there_is_said_at_once(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(JobError, match=rf"spark://127\.0\.0\.1:{port} .*make setup"):
        start_session(request(tmp_path, spark_master=f"spark://127.0.0.1:{port}"))


def test_the_memory_estimate_grows_with_rank_and_shrinks_with_executors():
    def need(**changes):
        given = {
            "rows": 1_000_000,
            "users": 6_000,
            "items": 4_000,
            "rank": 32,
            "blocks": 8,
            "n_executors": 1,
            "cores": 1,
        }
        return als_need(**{**given, **changes})

    assert need(rank=64).hard > need().hard
    assert need(n_executors=2).factors == need().factors / 2
    assert need(blocks=16).sorting < need().sorting
    check_memory(need(), 2**30, "rank 32")
    with pytest.raises(JobError, match=r"rank 100000.*MEMORY=\d+g"):
        check_memory(need(rank=100_000), 2**30, "rank 100000")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("java.io.IOException: No space left on device", "make clean"),
        ("java.lang.OutOfMemoryError: Java heap space", "MEMORY="),
        ("java.lang.StackOverflowError", "checkpoint interval"),
        ("ExecutorLostFailure (executor 1 exited)", "make logs S=spark-worker-1"),
    ],
)
def test_known_failures_say_what_to_do(text, expected):
    error = RuntimeError(
        f"An error occurred while calling o1.save.\n: org.apache.spark.SparkException: x\nCaused by: {text}\n"
    )
    assert expected in explain(error)
    assert text in explain(error)


def test_other_failures_keep_their_words():
    assert explain(JobError("do this")) == "do this"
    assert "spark.driver_memory" in explain(Py4JNetworkError("Answer from Java side is empty"))
    assert "130" not in explain(KeyboardInterrupt())
    assert "ZeroDivisionError: division by zero" in explain(ZeroDivisionError("division by zero"))


def test_the_root_cause_is_the_innermost():
    trace = (
        ": a.B: outer\n\tat x\nCaused by: c.DException: inner\n\tat y\nCaused by: e.FError: innermost\n\tat z"
    )
    assert root_cause(trace) == "e.FError: innermost"
    assert (
        root_cause(": java.lang.IllegalStateException: alone\n\tat x")
        == "java.lang.IllegalStateException: alone"
    )


def test_packages_run_from_their_own_folder():
    """`datasets` is our package, whatever else of that name is installed."""
    import datasets  # noqa: PLC0415 - the test is about what this finds

    assert Path(datasets.__file__).parent.parent == Path(__file__).parents[2]
