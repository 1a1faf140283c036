"""Films with plots: literals parsed or their record rejected, torn records seen, MovieLens' keys reached by links."""

import os
from pathlib import Path

import pytest
from pyspark.sql import functions as F

from core.errors import DataError
from datasets import describe
from datasets.dataset import find
from datasets.publishers.movies.sample import MALFORMED_FILMS, SHIFTED
from datasets.publishers.movies.tables import CREDITS, MOVIES
from datasets.sources import SOURCES

SOURCE = SOURCES["movies"]


def read(spark, variant, path):
    return SOURCE.read(spark, variant, SOURCE.options(), path)


def rejected(raw, file):
    return sorted((row.reason, row.text) for row in raw.rejected.where(F.col("file") == file).collect())


def reasons(raw, file):
    return [reason for reason, _ in rejected(raw, file)]


def described(raw):
    return {row.item: row for row in raw.items.collect()}


@pytest.mark.parametrize("variant", ["kaggle", "kaggle-small"])
def test_ratings_have_the_keys_of_the_items(spark, tmp_path, variant):
    raw = read(spark, variant, SOURCE.sample(variant, tmp_path))
    assert raw.ratings.count() == 9
    assert raw.ratings.where("rating % 0.5 != 0 OR at IS NULL").count() == 0
    items = described(raw)
    assert items.keys() == {"1", "2", "5"}  # MovieLens' numbers of 862, 8844 and 4
    assert items["2"].title == "Été"
    file = "ratings.csv" if variant == "kaggle" else "ratings_small.csv"
    assert reasons(raw, file) == ["rating is not a number"]


def test_what_a_film_is(spark, tmp_path):
    items = described(read(spark, "kaggle", SOURCE.sample("kaggle", tmp_path)))
    film = items["1"]
    assert film.text == 'A clock stops.\r\nThe "harbour", too.'
    assert film.year == 1995
    assert film.genres == ["Animation", "Children's"]
    assert film.people == ["Zoë O'Directs", *(f"Actor {n}" for n in range(10))]
    assert film.tags == {"jealousy": 1, 'it\'s a toy, "really"': 1}
    assert film.features.keys() == {"budget", "runtime", "popularity", "vote_average", "vote_count"}
    assert film.features["runtime"] == 81
    assert (items["2"].genres, items["2"].tags) == ([], None)
    assert items["2"].text.startswith("Go! A clock")
    assert (items["5"].text, items["5"].year, items["5"].people) == (None, None, None)
    assert items["5"].title == "長" * 300


def test_each_record_that_describes_nothing_is_rejected(spark, tmp_path):
    raw = read(spark, "kaggle", SOURCE.sample("kaggle", tmp_path))
    films = [*MALFORMED_FILMS, "has 10 fields where 24 are expected", "has 15 fields where 24 are expected"]
    assert reasons(raw, "movies_metadata.csv") == sorted(films)
    assert {text for _, text in rejected(raw, "movies_metadata.csv")} > set(SHIFTED)
    assert reasons(raw, "keywords.csv") == [
        "id is listed twice",
        "id is not among the movies",
        "keywords is not a list of entries with names",
    ]
    assert reasons(raw, "credits.csv") == ["cast does not parse as a list", "id is not among the movies"]
    assert rejected(raw, "links.csv") == [
        ("imdbId is not a number or empty", "6,x,862"),
        ("tmdbId is empty", "3,0113228,"),
        ("tmdbId is not among the movies", "4,0114885,777"),
    ]


def test_a_quote_that_is_never_closed_takes_no_film_with_it(spark, tmp_path):
    path = SOURCE.sample("kaggle", tmp_path)
    file = path / "movies_metadata.csv"
    head, rest = file.read_bytes().split(b"\n", 1)
    file.write_bytes(head + b'\nFalse,"open,1\n' + rest)
    raw = read(spark, "kaggle", path)
    assert described(raw).keys() == {"1", "2", "5"}
    assert ("its quotes do not match", 'False,"open,1') in rejected(raw, "movies_metadata.csv")


@pytest.mark.parametrize("people", [True, False])
def test_films_without_ratings(spark, tmp_path, people):
    path = SOURCE.sample("tmdb5000", tmp_path)
    if not people:
        (path / CREDITS).unlink()
    raw = read(spark, "tmdb5000", path)
    assert raw.ratings is None
    items = described(raw)
    assert items.keys() == {"862", "8844", "4"}
    assert items["862"].people == (["Zoë O'Directs", *(f"Actor {n}" for n in range(10))] if people else None)
    assert items["862"].tags == {"jealousy": 1, 'it\'s a toy, "really"': 1}
    expected = [reason for reason in MALFORMED_FILMS if reason != "no movieId leads to it"]
    assert reasons(raw, MOVIES) == sorted(expected)


def test_missing_file(spark, tmp_path):
    path = SOURCE.sample("kaggle", tmp_path)
    (path / "credits.csv").unlink()
    with pytest.raises(DataError, match=r"credits\.csv"):
        read(spark, "kaggle", path)


@pytest.mark.parametrize("variant", SOURCE.variants)
def test_description(spark, tmp_path, variant):
    dataset = find(f"movies/{variant}")
    text = describe.text(dataset, describe.count(read(spark, variant, SOURCE.sample(variant, tmp_path))))
    assert "3 described" in text
    assert ("describes items only" in text) == (variant == "tmdb5000")


@pytest.mark.realdata
def test_real_films(spark, tmp_path):
    dataset = find("movies/tmdb5000")
    raw = dataset.read(spark, dataset.fetch(Path(os.environ["RECSCALE_DATA"]), tmp_path))
    assert raw.items.count() == raw.items.select("item").distinct().count() == 4_803
    assert raw.rejected.count() == 0
    filled = raw.items.agg(
        *(F.count(name).alias(name) for name in ("title", "text", "year", "tags", "people"))
    )
    assert filled.first().asDict() == {
        "title": 4_803,
        "text": 4_799,
        "year": 4_802,
        "tags": 4_391,
        "people": 0,
    }
    avatar = raw.items.where("item = '19995'").first()
    assert (avatar.title, avatar.year) == ("Avatar", 2009)
    assert avatar.genres == ["Action", "Adventure", "Fantasy", "Science Fiction"]
    assert len(avatar.tags) == 21
