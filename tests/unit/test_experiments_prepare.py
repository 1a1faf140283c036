"""When a prepared data set is taken as it lies in the store, and what of it trials depend on."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cluster.configuration import load
from cluster.services.cassandra import CassandraSettings
from cluster.shape import Shape
from core.errors import JobError
from experiments import __main__ as main
from experiments.run import prepare
from experiments.run.harness import Harness
from experiments.run.stores import root_of
from experiments.spec.grid import data_of
from experiments.spec.trial import Data
from jobs.stores import STORAGES
from jobs.stores.parquet.versions import FolderVersions

SAID = "all times fall into one day"
DATA = Data("synthetic/ml-latest-small", {"rows": 3000}, store="parquet")
SHAPES = [Shape(1, 1, "1g")]


@pytest.fixture
def settings(tmp_path):
    return load([f"run_dir={tmp_path / 'run'}"], {})


def tables(settings, data):
    """Let tables of a data set stand in the store, as preprocessing leaves them; return where."""
    place = settings.run_dir / "store" / data.slug
    folders = FolderVersions(place)
    facts = {"state": "complete", "data_digest": "d1", "versions": json.dumps({"ratings": 1})}
    summary = pa.table({"key": list(facts), "value": list(facts.values())})
    for name, table, parts in (("ratings", pa.table({"user": [1]}), 3), ("summary", summary, 1)):
        with folders.fresh(name) as folder:
            folder.mkdir()
            (folder / "_SUCCESS").touch()
            for number in range(parts):
                pq.write_table(table, folder / f"part-{number}.parquet")
            folders.publish(name, folder)
    return place


def ready(settings, **changes):
    """Let tables of a data set stand in the store with their manifest; return where."""
    place = tables(settings, DATA)
    path = settings.run_dir / "data" / "none"
    kept = {"identity": prepare._identity(DATA, path), "digest": "d1", "scale": "", "counts": {}, "table": []}
    (place / prepare.MANIFEST).write_text(json.dumps({**kept, "seconds": {"write": 1.0}, **changes}))
    return place


@pytest.fixture
def taken(settings, monkeypatch):
    """Whether the tables that stand there are taken; making them anew is refused."""

    def no_shape(*_, **__):
        raise JobError("made anew")

    monkeypatch.setattr(Harness, "use", no_shape)

    def take():
        try:
            with Harness(settings) as harness:
                return prepare.prepare(DATA, harness, SHAPES)
        except JobError:
            return None

    return take


def test_tables_are_taken_as_they_are_while_nothing_changed(settings, taken):
    ready(settings)
    found = taken()
    assert (found.digest, found.layout, found.fresh) == ("d1", "3 files", False)


@pytest.mark.parametrize("name", ["preprocess_hash", "lock_hash"])
def test_other_code_and_other_packages_make_them_anew(settings, taken, monkeypatch, name):
    ready(settings)
    monkeypatch.setattr(prepare, name, lambda *_: "another")
    assert taken() is None


def test_a_manifest_that_does_not_read_is_said_and_the_tables_are_made_anew(settings, taken, caplog):
    place = ready(settings, format=prepare.PREPARED.version + 1)
    assert taken() is None
    assert str(place / prepare.MANIFEST) in caplog.text
    assert not (place / prepare.MANIFEST).exists()


def test_the_layout_is_part_of_what_trials_depend_on(settings, taken):
    place = ready(settings)
    first = taken().identity
    (place / "ratings" / "part-3.parquet").touch()
    assert taken().identity != first


def test_files_of_the_ratings_are_counted_and_belong_to_what_a_trial_reads(settings):
    place = ready(settings)
    (place / "ratings" / "part-3.parquet").touch()
    assert STORAGES["parquet"].layout(root_of(DATA, settings), {}) == "4 files"


def test_trials_on_cassandra_meet_as_many_nodes_as_are_started_for_them(settings):
    three = load([f"run_dir={settings.run_dir}", "cassandra.nodes=3", "cassandra.rf=2"], {})
    for asked, stores, nodes in (
        (settings, {"cassandra"}, 1),
        (settings, {"parquet"}, 0),
        (three, {"cassandra"}, 3),
    ):
        with Harness(asked) as harness:
            met = harness.met(stores)
            assert met.settings.of(CassandraSettings).nodes == nodes
            assert met.otherwise == {}


def before(folder):
    """Let a data set of one's own have been prepared, with something said of it."""
    path = folder / "plays.csv"
    path.write_text("user,item\na,b\n")
    settings = load([f"run_dir={folder}", "store=parquet"], {})
    data = data_of({"data.name": "csv", "data.path": str(path), "data.store": "parquet"}, "test")
    kept = tables(settings, data)
    manifest = {
        "identity": prepare._identity(data, path),
        "digest": "d1",
        "scale": "",
        "counts": {"rows_out": 1},
        "table": [["rows", "count"], ["in", 1]],
        "seconds": {},
        "warnings": [SAID],
    }
    (kept / prepare.MANIFEST).write_text(json.dumps(manifest))
    return path, settings, data


def test_what_was_said_of_the_data_is_said_again(tmp_path, capsys):
    path, _, _ = before(tmp_path)
    flags = ["--cluster-set", f"run_dir={tmp_path}", "--cluster-set", "store=parquet"]
    assert main.main(["preprocess", "--dataset", "csv", "--set", f"data.path={path}", *flags]) == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line.startswith("warning: ") and line.endswith(SAID)]


def test_what_was_said_is_part_of_what_every_run_says_of_its_data(tmp_path):
    path, _, data = before(tmp_path)
    manifest = prepare.manifest_of(tmp_path / "store" / data.slug)
    made = prepare._prepared(data, "", path, manifest, "1 file", fresh=False)
    assert made.described["warnings"] == [SAID]
    quiet = prepare._prepared(data, "", path, {**manifest, "warnings": []}, "1 file", fresh=False)
    assert "warnings" not in quiet.described
