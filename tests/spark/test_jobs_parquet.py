"""The Parquet store survives what happens to files: crashes, a second writer, a full disk."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from jobs.errors import JobError
from jobs.stores.parquet import ParquetStore


def numbers(spark, low, high):
    return spark.range(low, high).selectExpr("int(id) as id")


def values(store):
    return sorted(row["id"] for row in store.read("things").collect())


@pytest.mark.parametrize("step", ["symlink_to", "replace"])
def test_a_crash_at_any_step_leaves_the_old_table_and_the_next_write_sweeps(
    spark, tmp_path, monkeypatch, step
):
    store = ParquetStore(spark, str(tmp_path))
    store.write("things", numbers(spark, 0, 3))
    child = os.fork()
    if child == 0:  # dies between the write and the swap, as a killed process does: nothing is tidied up
        folder = tmp_path / "things.part-dead"
        shutil.copytree((tmp_path / "things").resolve(), folder)
        if step == "replace":
            (tmp_path / "things.part-dead.link").symlink_to(folder.name)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert values(store) == [0, 1, 2]
    store.write("things", numbers(spark, 5, 7))
    assert values(store) == [5, 6]
    left = sorted(path.name for path in tmp_path.iterdir())
    assert len(left) == 3, left  # the lock, the link, the folder it points to


def test_an_interrupted_write_leaves_the_old_table(spark, tmp_path, monkeypatch):
    store = ParquetStore(spark, str(tmp_path))
    store.write("things", numbers(spark, 0, 3))

    def interrupt(self, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            store.write("things", numbers(spark, 5, 7))
    assert values(store) == [0, 1, 2]
    assert len(list(tmp_path.glob("things.part-*"))) == 1


def test_a_half_written_folder_is_no_table(spark, tmp_path):
    (tmp_path / "things").mkdir()
    (tmp_path / "things" / "part-0.parquet").write_bytes(b"PAR1")
    store = ParquetStore(spark, str(tmp_path))
    assert not store.has("things")
    with pytest.raises(JobError, match="no table 'things'"):
        store.read("things")


@pytest.mark.parametrize("name", ["r[1]", "r{1,2}", "r?", "r*", "r 1", "r%201", "r#1", "a=1", "r\\1", "ré"])
def test_a_folder_s_name_is_its_own(spark, tmp_path, name):
    """Names that Spark would take for patterns or parts of a URI: it reads this folder and no other."""
    (tmp_path / "r1").mkdir()
    ParquetStore(spark, str(tmp_path / "r1")).write("things", numbers(spark, 5, 9))
    store = ParquetStore(spark, str(tmp_path / name))
    store.write("things", numbers(spark, 0, 3))
    assert values(store) == [0, 1, 2]


def test_two_jobs_do_not_write_one_table_at_once(spark, tmp_path):
    store = ParquetStore(spark, str(tmp_path))
    store.write("things", numbers(spark, 0, 3))
    with (tmp_path / ".things.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(JobError, match="another job is writing table 'things'"):
            store.write("things", numbers(spark, 5, 7))
    assert values(store) == [0, 1, 2]


FULL = """
import json, sys
from pyspark.sql import SparkSession
from jobs.errors import JobError
from jobs.stores.parquet import ParquetStore

spark = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
         .config("spark.driver.host", "127.0.0.1").config("spark.sql.shuffle.partitions", "1").getOrCreate())
store = ParquetStore(spark, sys.argv[1] + "/tables")
store.write("things", spark.range(3).selectExpr("int(id) as id"))
try:
    store.write("things", spark.range(3_000_000).selectExpr("int(id) as id", "uuid() as text"))
    error = ""
except JobError as caught:
    error = str(caught)
print("ANSWER" + json.dumps({"error": error, "left": sorted(row["id"] for row in store.read("things").collect()),
                             "folders": len(list(store.root.glob("things.part-*")))}))
"""


def test_a_full_disk_is_an_error_with_the_folder_and_leaves_the_old_table(tmp_path):
    """A small file system of its own, which needs no root: a user namespace may mount a tmpfs."""
    script = tmp_path / "full.py"
    script.write_text(textwrap.dedent(FULL))
    disk = tmp_path / "disk"
    disk.mkdir()
    command = f"mount -t tmpfs -o size=8m tmpfs {disk} && exec {sys.executable} {script} {disk}"
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", command], capture_output=True, text=True, timeout=240, check=False
    )
    answers = [line for line in done.stdout.splitlines() if line.startswith("ANSWER")]
    assert answers, done.stderr[-2000:]
    answer = json.loads(answers[0].removeprefix("ANSWER"))
    assert "the disk is full" in answer["error"]
    assert str(disk) in answer["error"]
    assert "MiB are free" in answer["error"]
    assert answer["left"] == [0, 1, 2]
    assert answer["folders"] == 1
