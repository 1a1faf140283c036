"""Tables of the store `lake` without Spark: which versions count, what is removed, what a drill's own copy shares."""

import fcntl
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import JobError
from datasets.publishers.lake.delta_log import LOG, begin, live, newest
from datasets.sources.lake import SOURCE
from experiments.run.stores import spark_settings_of, spark_settings_to_read, together
from jobs.retention import Retention
from jobs.stores.lake.storage import STORAGE
from jobs.stores.lake.versions import DeltaVersions

SCHEMA = '{"type": "struct", "fields": []}'


@pytest.fixture
def tables(tmp_path):
    return DeltaVersions(tmp_path / "tables", Retention(versions=1))


def committed(tables, table, values, note="", *, replaces=True):
    """Commit rows as Delta does: what they replace stays on the disk."""
    folder = tables.folder(table)
    begin(folder, SCHEMA)
    number = newest(folder) + 1
    actions = [{"commitInfo": {"userMetadata": note}}]
    actions += [{"remove": {"path": name}} for name in live(folder, number - 1) if replaces]
    if values:
        file = folder / f"part-{number}.parquet"
        pq.write_table(pa.table(values), file)
        (folder / f".{file.name}.crc").touch()
        actions.append({"add": {"path": file.name, "size": file.stat().st_size}})
    (folder / LOG / f"{number:020}.json").write_text("\n".join(map(json.dumps, actions)))


def published(tables, table, values):
    """Commit rows and publish them, as a write does."""
    committed(tables, table, values, note := f"note {id(values)}")
    return tables.publish(table, note)


def parts(tables, table="things"):
    return {path.name for path in tables.folder(table).iterdir() if "part" in path.name}


def of(number):
    return {f"part-{number}.parquet", f".part-{number}.parquet.crc"}


def test_a_version_counts_once_it_is_published(tables):
    with pytest.raises(JobError, match="make preprocess DATASET="):
        tables.open("things")
    committed(tables, "things", {"id": [1]}, "mine")
    committed(tables, "things", {"id": [2]}, "another's")
    assert tables.versions("things") == []
    assert tables.publish("things", "mine") == 1
    assert tables.versions("things") == [1]
    assert tables.rows("things") == [{"id": 1}]
    assert published(tables, "things", {}) == 3
    assert (tables.versions("things"), tables.rows("things")) == ([3, 1], [])


def test_a_version_with_rows_of_two_writers_does_not_count(tables):
    published(tables, "things", {})
    committed(tables, "things", {"id": [1]}, "one")
    committed(tables, "things", {}, "without rows", replaces=False)
    assert tables.publish("things", "without rows") is None
    assert tables.versions("things") == [1]


def test_what_no_version_needs_is_removed_and_what_is_open_or_named_stays(tables):
    reader = DeltaVersions(tables.root)
    published(tables, "things", {"id": [1]})
    assert reader.open("things") == 1
    for value in (2, 3):
        published(tables, "things", {"id": [value]})
    committed(tables, "things", {"id": [4]}, "died before it was published")
    tables.sweep("things", keep={2})
    assert (tables.versions("things"), parts(tables)) == ([3, 2, 1], of(3) | of(2) | of(1))
    tables.sweep("things")
    assert (tables.versions("things"), parts(tables)) == ([3, 1], of(3) | of(1))
    reader.close()
    tables.sweep("things")
    assert (tables.versions("things"), parts(tables)) == ([3], of(3))
    with pytest.raises(JobError, match="version 1 of table 'things'"):
        tables.open("things", 1)


def test_nothing_is_removed_while_another_thread_writes_and_no_other_process_writes_then(tables):
    for value in (1, 2):
        published(tables, "things", {"id": [value]})
    lock = tables.root / ".things.lock"
    with tables.writing("things", SCHEMA):
        with DeltaVersions(tables.root).writing("things", SCHEMA):
            tables.sweep("things")
            assert tables.versions("things") == [2, 1]
        with lock.open() as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        tables.sweep("things")
        assert (tables.versions("things"), parts(tables)) == ([2], of(2))
    with lock.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def prepared(tables, digest="d1"):
    """Let a preprocessing have ended."""
    facts = {"state": "complete", "data_digest": digest}
    versions = {"ratings": published(tables, "ratings", {"user": [1, 2]})}
    facts["versions"] = json.dumps(versions)
    published(tables, "summary", {"key": list(facts), "value": list(facts.values())})


def test_what_is_there_is_found_without_spark(tables):
    root = str(tables.root)
    assert not STORAGE.holds(root, {}, "d1")
    prepared(tables)
    assert [STORAGE.holds(root, {}, digest) for digest in ("d1", "d2")] == [True, False]
    assert STORAGE.layout(root, {}) == "1 files"
    assert STORAGE.table(root, {}, "ratings", lambda rows, name: (list(rows), name)) == (
        [{"user": 1}, {"user": 2}], "ratings@1",
    )  # fmt: skip
    assert STORAGE.table(root, {}, "nothing", lambda rows, _: list(rows)) is None
    published(tables, "ratings", {"user": [3]})
    tables.sweep("ratings")
    assert not STORAGE.holds(root, {}, "d1")  # the version that its summary names is gone
    STORAGE.drop(root, {})
    assert not tables.root.exists()


def test_a_copy_of_ones_own_shares_rows_and_no_changes(tables, tmp_path):
    prepared(tables)
    published(tables, "recommendations_als", {"user": [1]})
    root = STORAGE.private(str(tables.root), tmp_path / "drill", ("recommendations_",))
    own = DeltaVersions(tmp_path / "drill" / "store", Retention(versions=1))
    assert root == str(own.root)
    assert STORAGE.holds(root, {}, "d1")
    assert not own.versions("recommendations_als")
    (rows,) = own.files("ratings")
    assert rows.samefile(*tables.files("ratings"))
    assert published(own, "ratings", {"user": [7]}) == 2
    own.sweep("ratings")
    assert (own.rows("ratings"), own.versions("ratings")) == ([{"user": 7}], [2])
    assert (tables.rows("ratings"), tables.versions("ratings")) == ([{"user": 1}, {"user": 2}], [1])


def test_data_and_tables_in_delta_need_its_jars_and_its_extension_once():
    both = together(
        spark_settings_of("lake", None, [], "file:///jars/a.jar"),
        spark_settings_to_read(
            SOURCE, lambda name: f"file:///jars/{'a' if name == STORAGE.jars else name}.jar"
        ),
    )
    assert both["spark.jars"] == "file:///jars/a.jar"
    assert both["spark.sql.extensions"] == "io.delta.sql.DeltaSparkSessionExtension"
