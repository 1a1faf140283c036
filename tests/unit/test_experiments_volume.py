"""Sizes of what is stored, and how they grow: from tables of a lake that are there, and from sizes by hand."""

import pytest

from cluster import configuration
from cluster.lifecycle import Cluster
from core.errors import UsageError
from datasets.publishers.lake import sample
from experiments.__main__ import main
from experiments.record.tracking import Tracking
from experiments.studies.volume.growth import NAME, a_second, growth_table, message_table
from experiments.studies.volume.measured import CASSANDRA, KAFKA, LAKE, Size, measured

SIZES = [
    Size("events", KAFKA, 100, 30_000),
    Size("events", LAKE, 90, 4_500),
    Size("movies", KAFKA, 300, 60_000),
]


def test_bytes_a_second_follow_each_topics_share():
    assert a_second(SIZES, 8.0) == {KAFKA: 8 * (300 * 0.25 + 200 * 0.75), LAKE: 8 * 50 * 0.25}


def test_tables():
    each = message_table(SIZES)
    assert each.rows == [
        ["events", "100", "300", "50", "\u2013"],
        ["movies", "300", "200", "\u2013", "\u2013"],
    ]
    growth = growth_table([Size("events", KAFKA, 1, 1024)], 1.0)
    assert growth.header[1:] == ["a second", "a minute", "an hour", "a day", "a year"]
    assert growth.rows[0][:4] == [KAFKA, "1 KiB", "60 KiB", "4 MiB"]
    assert [row[0] for row in growth.rows] == [KAFKA, "together"]


def test_what_is_stored_is_measured_recorded_and_printed(tmp_path, capsys):
    run = tmp_path / "run"
    sample.write(run / "lake", ("ratings", "movies"), rows=20)
    files = run / "cassandra" / "cassandra-1" / "data" / "recscale_streams" / "events-1"
    files.mkdir(parents=True)
    (files / "nb-1-Data.db").write_bytes(b"x" * 3000)
    sets = [f"run_dir={run}"]
    found = {(size.topic, size.place): size for size in measured(Cluster(configuration.load(sets, {})), run)}
    assert set(found) == {("ratings", LAKE), ("movies", LAKE), ("ratings", CASSANDRA)}
    assert found["ratings", CASSANDRA] == ("ratings", CASSANDRA, 20, 3000)
    assert found["movies", LAKE].messages == 20
    assert main(["volume", "--rate", "500", "--cluster-set", *sets]) == 0
    assert "ratings" in capsys.readouterr().out
    (run_,) = Tracking(f"sqlite:///{run / 'mlflow.db'}", None).runs(NAME, "recscale.kind", NAME)
    assert run_.metrics["bytes_a_message_ratings_cassandra"] == 150
    assert (run / "reports" / "volume.html").is_file()


def test_nothing_to_measure(tmp_path):
    with pytest.raises(UsageError):
        measured(Cluster(configuration.load([f"run_dir={tmp_path}"], {})), tmp_path)
