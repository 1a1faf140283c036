"""The Parquet store survives what happens to files and processes: crashes, killed readers, a full disk."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from core.errors import JobError
from jobs.prepare import stored
from jobs.retention import Retention
from jobs.stores.parquet.store import ParquetStore
from jobs.stores.parquet.versions import FolderVersions


def numbers(spark, low, high):
    return spark.range(low, high).selectExpr("int(id) as id")


def values(store):
    return sorted(row["id"] for row in store.read("things").collect())


@pytest.mark.parametrize("step", ["fill", "rename", "symlink_to", "replace"])
def test_a_crash_at_any_step_leaves_the_old_table_and_the_next_write_sweeps(
    spark, tmp_path, monkeypatch, step
):
    store = ParquetStore(spark, str(tmp_path))
    store.write("things", numbers(spark, 0, 3))
    child = os.fork()
    if child == 0:  # dies in the middle, as a killed process does: nothing is tidied up

        def die(*_):
            os.kill(os.getpid(), signal.SIGKILL)

        monkeypatch.setattr(Path, step, die, raising=False)
        folders = FolderVersions(tmp_path)
        with folders.fresh("things") as folder:
            shutil.copytree((tmp_path / "things").resolve(), folder)
            if step == "fill":
                die()
            folders.publish("things", folder)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert values(store) == [0, 1, 2]
    store.close()
    store.write("things", numbers(spark, 5, 7))
    assert values(store) == [5, 6]
    left = {path.name.partition("-")[0] for path in tmp_path.iterdir()}
    newest, before = store.versions("things")
    assert left == {".things.lock", "things", f"things.v{newest}", f"things.v{before}"}


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
    assert {path.name for path in tmp_path.iterdir()} == {".things.lock", "things", "things.v1"}


READER = """
import sys
from pathlib import Path
from jobs.stores.parquet.versions import FolderVersions

print(FolderVersions(Path(sys.argv[1])).open("things"), flush=True)
sys.stdin.read()
"""


def test_a_reader_without_spark_keeps_its_version_until_it_is_killed(spark, tmp_path):
    store = ParquetStore(spark, str(tmp_path), Retention(versions=1))
    store.write("things", numbers(spark, 0, 3))
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        try:
            folder = Path(reader.stdout.readline().strip())
            for _ in range(2):
                store.write("things", numbers(spark, 5, 7))
            assert store.versions("things") == [3, 1]
            assert folder.exists()
        finally:
            reader.kill()
    store.write("things", numbers(spark, 7, 9))
    assert store.versions("things") == [4]
    assert not folder.exists()


def test_a_table_of_the_layout_before_versions_is_read_and_replaced(spark, tmp_path):
    store = ParquetStore(spark, str(tmp_path))
    numbers(spark, 0, 3).write.parquet(str(tmp_path / "things.part-0123"))
    (tmp_path / "things").symlink_to("things.part-0123")
    assert values(store) == [0, 1, 2]
    assert store.write("things", numbers(spark, 5, 7)) == 1
    assert values(store) == [5, 6]
    assert not (tmp_path / "things.part-0123").exists()


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


FULL = """
import json, sys
from pyspark.sql import SparkSession
from core.errors import JobError
from jobs.stores.parquet.versions import FolderVersions
from jobs.retention import Retention
from jobs.stores.parquet.store import ParquetStore

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
                             "folders": len(list(store.root.glob("things.*")))}))
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


def test_tables_of_two_preprocessings_are_never_mixed(spark, tmp_path):
    one, other = (ParquetStore(spark, str(tmp_path)) for _ in range(2))
    facts = {"dataset": "movielens/100k", "dataset_options": "{}", "scale": ""}

    def write(store, name, rows):
        return store.write(name, spark.range(rows).selectExpr("int(id) as user", "string(id) as key"))

    def sizes():
        tables, summary = stored.load(ParquetStore(spark, str(tmp_path)))
        return summary.digest, {frame.count() for frame in (tables.ratings, tables.items, tables.users)}

    versions = {name: write(one, name, 1) for name in ("ratings", "items", "users")}
    stored.finish(one, spark, {**facts, "data_digest": "first"}, versions)
    versions = {name: write(one, name, 2) for name in ("ratings", "items")}
    late = {name: write(other, name, 3) for name in ("users", "items")}
    assert sizes() == ("first", {1})  # both of the second round are still writing, or were killed
    versions["users"] = write(one, "users", 2)
    late["ratings"] = write(other, "ratings", 3)
    stored.finish(one, spark, {**facts, "data_digest": "second"}, versions)
    assert sizes() == ("second", {2})
    stored.finish(other, spark, {**facts, "data_digest": "third"}, late)
    assert sizes() == ("third", {3})
