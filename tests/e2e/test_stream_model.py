"""From a lake to recommendations, on a real cluster: versions in MLflow, the files, and what a second run does."""

import csv
import itertools

import pyarrow.parquet as pq
import pytest

from datasets.publishers.lake import sample
from tests.e2e.place import Place

GENRES = ("drama", "comedia", "terror", "romance")
SMALL = "model.rank=8 model.iterations=6 model.blocks=2 job.top_n=5 job.k=5 job.test=0.2 data.candidates=30"


def likes(kind, number):
    return {
        "id": f"{kind}{number}",
        "generos": [GENRES[number % 4]],
        "directores": [f"d{number % 6}"],
        "actores": [f"a{number % 5}", f"a{number % 3}"],
        "clasificacion": ("G", "PG", "R")[number % 3],
    }


def person(number):
    return {**likes("u", number), "decadas_favoritas": [f"{1980 + number % 3 * 10}s"]}


def title(kind, number):
    return {
        **likes(kind, number),
        "titulo": f"T {kind}{number}",
        "decada_lanzamiento": f"{1980 + number % 4 * 10}s",
    }


@pytest.fixture
def place(tmp_path, cluster_sets):
    place = Place(tmp_path, [*cluster_sets, "spark.workers=1", "spark.memory=1g"])
    lake = place.run_dir / "lake"
    sample.append(lake / "users", "users", [person(number) for number in range(40)])
    for kind in ("movies", "series"):
        sample.append(lake / kind, kind, [title(kind[0], number) for number in range(25)])
    return place


def test_a_lake_becomes_recommendations_that_name_its_versions(place):
    text = place.run("stream-model", "--sets", SMALL)
    (run,) = place.runs("stream_model")
    assert run.data.tags["recscale.data_versions"] == "movies 0, series 0, users 0"
    metrics = run.data.metrics
    assert metrics["rmse"] < min(metrics["baseline/rmse_bias"], metrics["baseline/rmse_global_mean"])
    table, comma = (
        place.run_dir / "recommendations" / f"recommendations.{kind}" for kind in ("parquet", "csv")
    )
    assert str(comma) in text
    rows = pq.read_table(table).to_pylist()
    with comma.open(encoding="utf-8", newline="") as file:
        assert [row["userId"] for row in csv.DictReader(file)] == [row["userId"] for row in rows]
    by_user = {user: list(each) for user, each in itertools.groupby(rows, lambda row: row["userId"])}
    assert set(by_user) == {f"u{number}" for number in range(40)}
    assert all(len(each) == 5 for each in by_user.values())
    assert all(row["titulo"] == f"T {row['recommended_content']}" for row in rows)
    assert all(1 <= row["predicted_rating"] <= 5 for row in rows)

    comma.unlink()
    place.run("stream-model", "--sets", SMALL)  # the same versions: only published again
    assert comma.is_file()
    assert len(place.runs("stream_model")) == 1
    sample.append(place.run_dir / "lake" / "users", "users", [person(40)])
    place.run("stream-model", "--sets", SMALL)
    assert [run.data.tags["recscale.data_versions"] for run in place.runs("stream_model")] == [
        "movies 0, series 0, users 0",
        "movies 0, series 0, users 1",
    ]
    assert "u40" in comma.read_text()
    assert place.processes() == []
