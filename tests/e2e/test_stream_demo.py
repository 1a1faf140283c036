"""The whole of the streams in one command, on real services: from producers to recommendations, reconciled, one person erased."""

import csv
import itertools
import json
import re

import pyarrow.parquet as pq
import pytest

from tests.conftest import cassandra_sets, free_ports, kafka_sets, unset_settings
from tests.e2e.place import Place

SETS = ("spark.workers=1", "spark.memory=1g")


@pytest.fixture
def place(tmp_path, monkeypatch):
    unset_settings(monkeypatch)
    run = tmp_path / "run"
    return Place(
        tmp_path, [*cassandra_sets(run), *kafka_sets(run), *free_ports(), *SETS], kept=("numba", "classes")
    )


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_from_producers_to_recommendations(place):
    text = place.run("stream-demo", "--share", "0.05", "--forget", "user1-7")
    assert text.splitlines()[-1].startswith("stream-demo: ok ")
    (new,) = re.findall(
        r"likes \S+: (\d+) of 10 items of the list are new .* after it was sent", text.splitlines()[-3]
    )
    assert int(new) > 0
    assert re.search(r" \(new\) +(liked|near|popular) ", text)
    (sizes,) = re.findall(r"a message takes (\d+) B in Kafka, (\d+) B in lake, (\d+) B in Cassandra", text)
    assert all(int(size) > 10 for size in sizes)
    assert place.processes() == []
    (trained,) = place.runs("stream_model")
    metrics = trained.data.metrics
    assert metrics["rmse"] < min(metrics["baseline/rmse_bias"], metrics["baseline/rmse_global_mean"])

    folder = place.run_dir / "recommendations"
    rows = pq.read_table(folder / "recommendations.parquet").to_pylist()
    with (folder / "recommendations.csv").open(encoding="utf-8", newline="") as file:
        assert [row["userId"] for row in csv.DictReader(file)] == [row["userId"] for row in rows]
    each = {user: list(found) for user, found in itertools.groupby(rows, lambda row: row["userId"])}
    assert "user1-7" not in each
    assert len(each) > 80
    # Of so few titles some people have rated nearly all.
    assert max(len(found) for found in each.values()) == 10
    assert all(row["titulo"] and 1 <= row["predicted_rating"] <= 5 for row in rows)

    ledgers = [
        json.loads(line) for path in (place.run_dir / "stream-demo").glob("*.ledger") for line in path.open()
    ]
    assert {line["topic"] for line in ledgers} == {"users", "movies", "series", "tracks", "ratings", "events"}
