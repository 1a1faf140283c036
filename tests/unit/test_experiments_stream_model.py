"""From the lake to a published list, without a cluster: settings of the source, values of the spec, files that are published."""

import tomllib

import pytest
from invented import application, outcome

from core.errors import JobError, UsageError
from datasets.sources import SOURCES
from experiments.cli.commands.stream_model import NAME, changed, published
from experiments.run.stores import spark_settings_to_read, together
from experiments.spec import loading as spec

TEXT = (spec.SPECS / f"{NAME}.toml").read_text(encoding="utf-8")


def test_values_take_the_place_of_the_specs_own():
    experiment = changed(TEXT, {"model.rank": 3, "data.versions": "users@2", "clean.k_core": 2})
    assert experiment.fixed["model.rank"] == 3
    assert experiment.fixed["data.versions"] == "users@2"
    assert experiment.fixed["clean.k_core"] == 2
    assert experiment.fixed["model.reg"] == tomllib.loads(TEXT)["model"]["reg"]
    with pytest.raises(UsageError):
        changed(TEXT, {"model.rnak": 3})


def test_the_files_of_the_trial_that_ended_well_are_published_whole(tmp_path):
    found = outcome([application(0, [1.0], [0.5])])
    kept = found.folder(tmp_path) / "app-0"
    kept.mkdir(parents=True)
    for kind in ("csv", "parquet"):
        (kept / f"recommendations.{kind}").write_text(f"new {kind}")
    target = tmp_path / "recommendations"
    target.mkdir()
    (target / "recommendations.csv").write_text("older and longer")
    assert [path.read_text() for path in published(found, tmp_path)] == ["new csv", "new parquet"]
    assert len(list(target.iterdir())) == 2
    (kept / "recommendations.csv").unlink()
    with pytest.raises(JobError):
        published(found, tmp_path)
    assert (target / "recommendations.csv").read_text() == "new csv"


def test_what_a_source_needs_joins_what_a_store_needs():
    source = spark_settings_to_read(SOURCES["lake"], lambda name: f"file:/{name}.jar")
    store = {"spark.jars": "file:/store.jar", "spark.sql.extensions": "a.Store", "spark.other": "1"}
    found = together(
        {"spark.other": "0"}, store, source, {"spark.jars": "file:/store.jar", "spark.other": "2"}
    )
    assert found["spark.jars"] == "file:/store.jar,file:/streams.jar"
    assert found["spark.sql.extensions"].split(",") == ["a.Store", source["spark.sql.extensions"]]
    assert found["spark.other"] == "2"
    assert spark_settings_to_read(SOURCES["movielens"], str) == {}
