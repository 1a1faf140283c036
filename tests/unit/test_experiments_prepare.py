"""A data set that was prepared before: what a person was told of it is told again and goes to the record."""

import json

from cluster import settings as cluster_settings
from experiments import __main__ as main
from experiments import prepare
from experiments.grid import data_of
from experiments.stores import PARQUET

SAID = "all times fall into one day"


def prepared_before(folder):
    path = folder / "plays.csv"
    path.write_text("user,item\na,b\n")
    settings = cluster_settings.load([f"run_dir={folder}", "store=parquet"], {})
    data = data_of({"dataset": "csv", "dataset.path": str(path), "store": PARQUET}, "test")
    kept = folder / "store" / data.slug
    (kept / "ratings").mkdir(parents=True)
    manifest = {
        "identity": prepare._identity(data, path),
        "digest": "1-0-0",
        "scale": "",
        "counts": {"rows_out": 1},
        "table": [["rows", "count"], ["in", 1]],
        "warnings": [SAID],
    }
    (kept / prepare.MANIFEST).write_text(json.dumps(manifest))
    return path, settings, data


def test_warnings_are_said_each_time(tmp_path, capsys):
    path, _, _ = prepared_before(tmp_path)
    flags = ["--cluster-set", f"run_dir={tmp_path}", "--cluster-set", "store=parquet"]
    assert main.main(["preprocess", "--dataset", "csv", "--set", f"dataset.path={path}", *flags]) == 0
    out = capsys.readouterr().out
    assert "nothing to do" in out
    assert [line for line in out.splitlines() if line.startswith("warning: ") and line.endswith(SAID)]


def test_warnings_are_part_of_what_every_run_says_of_its_data(tmp_path):
    path, _, data = prepared_before(tmp_path)
    manifest = json.loads((tmp_path / "store" / data.slug / prepare.MANIFEST).read_text())
    made = prepare._prepared(data, "", path, manifest, lambda _: None, fresh=False)
    assert made.described["warnings"] == [SAID]
    quiet = prepare._prepared(data, "", path, {**manifest, "warnings": []}, lambda _: None, fresh=False)
    assert "warnings" not in quiet.described
