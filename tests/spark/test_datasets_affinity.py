"""Ratings from affinity: by hand for one pair, the same however the rows are partitioned, and what becomes of odd messages."""

import datetime as dt
from collections import Counter

import pytest

from datasets.publishers.lake.affinity import WEIGHTS, rated

BEGIN = dt.datetime(2024, 1, 1)
PLACE = "id string, at timestamp, partition int, offset bigint"
LIKES = "generos array<string>, directores array<string>, actores array<string>, clasificacion string"
USERS = f"{PLACE}, {LIKES}, decadas_favoritas array<string>"
TITLES = f"{PLACE}, {LIKES}, titulo string, decada_lanzamiento string"


def message(number, minute, *values):
    return (number, BEGIN + dt.timedelta(minutes=minute), 0, minute, *values)


def titles(spark, *rows):
    return spark.createDataFrame(list(rows), TITLES)


@pytest.fixture
def ana(spark):
    likes = (["Drama", " comedia "], ["R. Soto"], ["A. Rey", "C. Luna"], "PG-13", ["1990s"])
    return spark.createDataFrame([message("ana", 5, *likes)], USERS)


def of(found):
    return {(row.user, row.item): row.rating for row in found.ratings.collect()}


def test_a_rating_by_hand(spark, ana):
    half = message("half", 9, ["drama", "terror"], ["R. SOTO"], ["M. Prado"], "TV-PG", "Mitad", "1980s")
    all_known = message("all", 1, ["drama"], ["r. soto"], ["c. luna"], "pg-13", "Todo", "1990s")
    only_genre = message("one", 1, ["terror"], [], None, None, "Nada", None)
    too_old = message("adult", 1, None, None, None, "R", "Mayor", None)
    unknown = message("other", 1, None, None, None, "+16", "Otra", None)
    silent = message("silent", 1, None, None, None, "", "Callada", "")
    found = rated(
        ana, titles(spark, half, all_known), titles(spark, only_genre, silent, too_old, unknown), 10, 1
    )
    mean = WEIGHTS["genres"] * 0.5 + WEIGHTS["directors"] + WEIGHTS["age_rating"]
    assert of(found) == {
        ("ana", "half"): round(2 * (1 + 4 * mean)) / 2,
        ("ana", "all"): 5.0,
        ("ana", "one"): 1.0,
        ("ana", "adult"): 1.0,
        ("ana", "other"): 1.0,
    }
    times = {row.item: row.at for row in found.ratings.collect()}
    assert times["half"] == BEGIN + dt.timedelta(minutes=9)
    assert times["all"] == BEGIN + dt.timedelta(minutes=5)
    items = {row.item: row for row in found.items.collect()}
    assert set(items) == {"half", "all", "one", "silent", "adult", "other"}
    assert (items["half"].title, items["half"].year) == ("Mitad", 1980)
    assert items["half"].people == ["r. soto", "m. prado"]


def test_the_last_message_counts_and_what_cannot_be_rated_is_rejected(spark, ana):
    old = message("m", 1, ["terror"], None, None, None, "Antes", None)
    new = message("m", 2, ["drama"], None, None, None, "Ahora", None)
    show = message("m", 3, ["drama"], None, None, None, "Serie", None)
    nobody = spark.createDataFrame([message("nobody", 1, [], None, [" "], None, [])], USERS)
    found = rated(ana.union(nobody), titles(spark, old, new), titles(spark, show), 10, 1)
    assert of(found) == {("ana", "m"): 5.0}
    assert [row.title for row in found.items.collect()] == ["Ahora"]
    rejected = {row.file: row for row in found.rejected.collect()}
    assert "Serie" in rejected["series"].text
    assert "nobody" in rejected["users"].text
    assert len(rejected) == 2


def test_drawn_candidates_depend_on_the_rows_and_the_seed_alone(spark):
    genres = ["drama", "comedia", "terror"]
    users = spark.createDataFrame(
        [message(f"u{n}", n, [genres[n % 3]], None, None, None, None) for n in range(40)], USERS
    )
    films = titles(
        spark, *(message(f"m{n}", n, [genres[n % 3]], None, None, None, "T", None) for n in range(90))
    )
    shows = titles(spark, message("s", 1, ["drama"], None, None, None, "S", None))
    found = of(rated(users, films, shows, 20, 7))
    again = of(rated(users.repartition(5, "offset"), films.repartition(3), shows, 20, 7))
    assert found == again
    each = Counter(user for user, _ in found)
    assert len(each) == 40
    assert 12 <= min(each.values()) <= max(each.values()) <= 20
    assert len({item for _, item in found}) > 80
    assert of(rated(users, films, shows, 20, 8)).keys() != found.keys()
    assert len(of(rated(users, films, shows, 91, 7))) == 40 * 91
