"""Versions of the lake's tables, without Spark: what the log says, what is pinned, what is refused."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import DataError, UsageError
from datasets.dataset import find
from datasets.publishers.lake import delta_log, pins, sample


@pytest.fixture
def lake(tmp_path):
    sample.write(tmp_path / "run" / "lake", ("users", "movies", "series"))
    return tmp_path / "run" / "lake"


def add(lake, name, number):
    return sample.append(lake / name, name, [{"id": f"later{number}", "generos": ["drama"]}])


def fetched(lake, **options):
    dataset = find("lake/affinity", options)
    return dataset, dataset.fetch(None, lake.parent / "data")


def test_log_gives_the_files_of_each_version(lake):
    assert add(lake, "users", 1) == delta_log.newest(lake / "users") == 1
    first, second = (delta_log.live(lake / "users", version) for version in (0, 1))
    assert [file.rows for file in first.values()] == [12]
    assert sum(file.rows for file in second.values()) == 13
    assert all((lake / "users" / name).stat().st_size == file.size for name, file in second.items())


def test_log_after_a_compaction_and_a_checkpoint(lake):
    table = lake / "users"
    add(lake, "users", 1)
    old, log = delta_log.live(table, 1), table / delta_log.LOG
    new = {"path": "both%20in%20one.parquet", "size": 7, "stats": json.dumps({"numRecords": 13})}
    removed = [{"remove": {"path": name}} for name in old]
    (log / f"{2:020}.json").write_text("\n".join(map(json.dumps, [*removed, {"add": new}])))
    assert delta_log.live(table, 2) == {"both in one.parquet": (7, 13)}
    pq.write_table(pa.table({"add": [new, None]}), log / f"{2:020}.checkpoint.parquet")
    for version in range(3):
        (log / f"{version:020}.json").unlink()
    (log / f"{3:020}.json").write_text("\n")
    assert delta_log.live(table, 3) == {"both in one.parquet": (7, 13)}
    with pytest.raises(DataError):
        delta_log.live(table, 1)


def test_newest_versions_are_pinned_and_stay(lake):
    dataset, path = fetched(lake)
    assert dataset.versions(path) == {"users": 0, "movies": 0, "series": 0}
    assert dataset.rows(path) == 12 * 24
    assert fetched(lake)[1] == path
    stamp = path.stat().st_mtime_ns
    add(lake, "movies", 1)
    later, new = fetched(lake)
    assert later.versions(new) == {"users": 0, "movies": 1, "series": 0}
    assert fetched(lake, versions="movies@0")[1] == path
    assert fetched(lake, path=str(path))[1] == path
    assert path.stat().st_mtime_ns == stamp
    assert list(dataset.check(path)) == []


def test_a_version_that_is_gone_is_refused(lake):
    dataset, path = fetched(lake)
    next((lake / "users").glob("part-*")).unlink()
    with pytest.raises(DataError):
        dataset.check(path)


def test_a_table_that_was_made_anew_is_refused(lake):
    dataset, path = fetched(lake)
    (lake / "users" / delta_log.LOG / f"{0:020}.json").unlink()
    sample.append(lake / "users", "users", [{"id": "u1"}])
    assert fetched(lake)[1] != path
    with pytest.raises(DataError):
        dataset.check(path)


@pytest.mark.parametrize("versions", ["people@1", "users", "users@last", "users@-1"])
def test_versions_that_say_nothing(lake, versions):
    with pytest.raises(UsageError):
        fetched(lake, versions=versions)


def test_what_is_not_there(lake, tmp_path):
    with pytest.raises(DataError):
        fetched(lake, versions="users@7")
    with pytest.raises(DataError):
        find("lake/affinity").fetch(None, tmp_path / "elsewhere" / "data")
    other = tmp_path / "notes.json"
    other.write_text('{"lake": 1}')
    with pytest.raises(DataError):
        pins.load(other)
    _, path = fetched(lake)
    ratings = find("lake/ratings", {"path": str(path)})
    with pytest.raises(UsageError):
        ratings.check(path)
