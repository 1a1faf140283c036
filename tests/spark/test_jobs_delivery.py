"""Recommendations as files: the same rows as CSV and as Parquet, in order, within the scale, each whole or not at all."""

import csv

import pyarrow.parquet as pq
import pytest

from jobs.modelling.delivery import SCHEMA, deliver
from jobs.prepare.stored import Tables


@pytest.fixture
def tables(spark):
    users = spark.createDataFrame([(n, f"u{n}") for n in range(12)], "user int, key string")
    titles = [(0, "a", 'El "faro", dos'), (1, "b", None), (2, "c", "Niebla\nde abril")]
    items = spark.createDataFrame(titles, "item int, key string, title string")
    return Tables(ratings=users, items=items, users=users)


def lists(spark, rows):
    return spark.createDataFrame(rows, "user int, items array<int>, scores array<float>").repartition(3)


def test_both_files_have_the_same_rows(spark, tables, tmp_path):
    found = lists(spark, [(10, [2, 0], [6.5, 0.25]), (2, [1], [3.14159])])
    text, table = deliver(found, tables, (1.0, 5.0, 0.5), tmp_path / "new")
    wanted = [
        ("u2", "b", None, 3.142),
        ("u10", "c", "Niebla\nde abril", 5.0),
        ("u10", "a", 'El "faro", dos', 1.0),
    ]
    rows = [tuple(row.values()) for row in pq.read_table(table).to_pylist()]
    assert [row[:3] for row in rows] == [row[:3] for row in wanted]
    assert [row[3] for row in rows] == pytest.approx([row[3] for row in wanted], abs=1e-6)
    with text.open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    assert header == ["userId", "recommended_content", "titulo", "predicted_rating"]
    assert [tuple(line) for line in lines] == [
        (user, item, title or "", f"{rating:g}") for user, item, title, rating in wanted
    ]
    assert {path.name for path in (tmp_path / "new").iterdir()} == {text.name, table.name}


def test_scores_that_are_no_ratings_stay_and_nothing_recommended_is_an_empty_file(spark, tables, tmp_path):
    _, table = deliver(lists(spark, [(0, [0], [-2.0])]), tables, None, tmp_path)
    assert pq.read_table(table)["predicted_rating"].to_pylist() == [-2.0]
    text, table = deliver(lists(spark, []), tables, None, tmp_path)
    assert pq.read_table(table).schema == SCHEMA
    assert len(text.read_text().splitlines()) == 1


def test_a_write_that_fails_leaves_the_files_as_they_were(spark, tables, tmp_path):
    text, table = deliver(lists(spark, [(0, [0], [2.0])]), tables, None, tmp_path)
    before = text.read_bytes(), table.read_bytes()
    broken = lists(spark, [(0, [0, 1], [2.0, 1.0])]).selectExpr(
        "user", "items", "transform(scores, x -> if(x < 2, float(raise_error('gone')), x)) as scores"
    )
    with pytest.raises(Exception, match="gone"):
        deliver(broken, tables, None, tmp_path)
    assert (text.read_bytes(), table.read_bytes()) == before
    assert len(list(tmp_path.iterdir())) == 2
