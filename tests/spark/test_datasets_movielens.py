"""MovieLens editions: each line kept or rejected, in the right encoding, with the published folds."""

import os
from pathlib import Path

import pytest
from pyspark.sql import functions as F

from core.errors import DataError
from datasets.dataset import find
from datasets.publishers.movielens import sample as movielens_sample
from datasets.sources import SOURCES

SOURCE = SOURCES["movielens"]


def read(spark, variant, path):
    return SOURCE.read(spark, variant, SOURCE.options(), path)


def rejected(raw):
    return {(row.file, row.text, row.reason) for row in raw.rejected.collect()}


def append(path, line):
    path.write_bytes(path.read_bytes() + line)


@pytest.mark.parametrize("variant", ["latest-small", "100k", "1m", "10m"])
def test_no_line_is_lost(spark, tmp_path, variant):
    path = SOURCE.sample(variant, tmp_path)
    raw = read(spark, variant, path)
    edition = SOURCE.edition(variant)
    bad = raw.rejected.groupBy("file").count().rdd.collectAsMap()
    lines = (path / edition.ratings.file).read_text(edition.ratings.encoding).splitlines()
    header = int(edition.ratings.header is not None)
    assert raw.ratings.count() + bad[edition.ratings.file] == len(lines) - header
    expected = {file: len(malformed) for file, malformed in movielens_sample.malformed(edition).items()}
    assert bad == expected
    assert raw.items.count() == len(movielens_sample.MOVIES)


@pytest.mark.parametrize("variant", ["latest-small", "100k", "1m", "10m"])
def test_what_a_movie_is(spark, tmp_path, variant):
    items = {row.item: row for row in read(spark, variant, SOURCE.sample(variant, tmp_path)).items.collect()}
    assert items["2"].title == "Amélie's Kite (1994)"
    assert items["4"].title == 'Paper "Moonlight" Parade (1979)'
    assert items["4"].genres == ["Musical", "Romance"]
    assert [items[str(n)].year for n in range(1, 7)] == [1987, 1994, 1990, 1979, None, 1996]
    assert items["5"].genres == []
    if SOURCE.edition(variant).tags:
        assert items["1"].tags == {"harbour": 2, "slow, but good": 1}
        assert items["5"].tags == {"été": 1}
    assert items["2"].tags is None


def test_ratings_and_times(spark, tmp_path):
    raw = read(spark, "1m", SOURCE.sample("1m", tmp_path))
    found = {
        (int(row.user), int(row.item), row.rating, row.seconds, row.fold)
        for row in raw.ratings.withColumn("seconds", F.unix_timestamp("at")).collect()
    }
    assert found == {(user, movie, stars, at, None) for user, movie, stars, at in movielens_sample.RATINGS}


def test_reasons(spark, tmp_path):
    path = SOURCE.sample("1m", tmp_path)
    for line in (
        b"1::2::3\n",
        b"x::2::3::4\n",
        b"1::2::3::soon\n",
        b"\n",
        b"1::2::3::4::5\n",
        b"1::2::\xe9::4\n",
    ):
        append(path / "ratings.dat", line)
    reasons = {
        text: reason for file, text, reason in rejected(read(spark, "1m", path)) if file == "ratings.dat"
    }
    assert reasons["1::2::3"] == "has 3 fields where 4 are expected"
    assert reasons["x::2::3::4"] == "user is not a number"
    assert reasons["1::2::3::soon"] == "at is not seconds since 1970"
    assert reasons[""] == "is empty"
    assert reasons["1::2::3::4::5"] == "has 5 fields where 4 are expected"
    assert reasons["1::2::é::4"] == "is not UTF-8 (shown as Latin-1)"


def test_latin1_where_utf8_is_published(spark, tmp_path):
    path = SOURCE.sample("latest-small", tmp_path)
    append(path / "movies.csv", "9,Café (1999),Drama\r\n".encode("latin-1"))
    raw = read(spark, "latest-small", path)
    assert ("movies.csv", "9,Café (1999),Drama", "is not UTF-8 (shown as Latin-1)") in rejected(raw)
    assert raw.items.where("item = '9'").count() == 0


def test_utf8_where_latin1_is_published(spark, tmp_path):
    path = SOURCE.sample("1m", tmp_path)
    append(path / "movies.dat", "9::Café (1999)::Drama\n".encode())
    raw = read(spark, "1m", path)
    assert ("is UTF-8 where the publisher writes Latin-1") in {reason for _, _, reason in rejected(raw)}
    assert raw.items.where("item = '9'").count() == 0


def test_line_ends_and_byte_order_mark(spark, tmp_path):
    path = SOURCE.sample("latest-small", tmp_path)
    file = path / "ratings.csv"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    before = read(spark, "latest-small", path)
    assert before.rejected.where("file = 'ratings.csv'").count() == 2
    assert before.ratings.count() == len(movielens_sample.RATINGS)


def test_second_header_is_a_rejected_line(spark, tmp_path):
    path = SOURCE.sample("latest-small", tmp_path)
    append(path / "ratings.csv", b"userId,movieId,rating,timestamp\r\n")
    assert ("ratings.csv", "userId,movieId,rating,timestamp", "user is not a number") in rejected(
        read(spark, "latest-small", path)
    )


def test_wrong_header(spark, tmp_path):
    path = SOURCE.sample("latest-small", tmp_path)
    (path / "ratings.csv").write_text("user,movie,stars\n1,2,3\n")
    with pytest.raises(
        DataError, match=r"ratings\.csv: expected the header 'userId.*found 'user,movie,stars'"
    ):
        read(spark, "latest-small", path)


def test_item_listed_twice(spark, tmp_path):
    path = SOURCE.sample("1m", tmp_path)
    append(path / "movies.dat", b"3::Nine Lanterns again (1991)::Drama\n")
    raw = read(spark, "1m", path)
    assert raw.items.where("item = '3'").count() == 1
    assert ("movies.dat", "3::Nine Lanterns again (1991)::Drama", "item is listed twice") in rejected(raw)


def test_folds(spark, tmp_path):
    path = SOURCE.sample("100k", tmp_path)
    found = read(spark, "100k", path).ratings.groupBy("fold").count().rdd.collectAsMap()
    assert found.keys() == {"u1", "u2", "u3", "u4", "u5"}
    assert sum(found.values()) == len(movielens_sample.RATINGS)


@pytest.mark.parametrize("change", ["missing", "stray"])
def test_folds_that_do_not_share_out_the_ratings(spark, tmp_path, change):
    path = SOURCE.sample("100k", tmp_path)
    test = path / "u3.test"
    lines = test.read_text().splitlines(keepends=True)
    test.write_text("".join(lines[1:] if change == "missing" else [*lines, lines[0]]))
    with pytest.raises(DataError, match=r"1 rows of u\.data .* u1\.test to u5\.test"):
        read(spark, "100k", path)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("variant", "rows", "users", "rated", "movies"),
    [("100k", 100_000, 943, 1_682, 1_682), ("1m", 1_000_209, 6_040, 3_706, 3_883), ("latest-small", 100_836, 610, 9_724, 9_742)],
)  # fmt: skip
def test_real_files(spark, tmp_path, variant, rows, users, rated, movies):
    dataset = find(f"movielens/{variant}")
    raw = dataset.read(spark, dataset.fetch(Path(os.environ["RECSCALE_DATA"]), tmp_path))
    counts = raw.ratings.agg(F.count("*"), F.countDistinct("user"), F.countDistinct("item")).first()
    assert tuple(counts) == (rows, users, rated)
    assert rows == dataset.description.rows
    assert raw.items.count() == movies
    assert raw.rejected.count() == 0
    if variant == "100k":
        assert raw.ratings.groupBy("fold").count().rdd.collectAsMap() == {
            f"u{n}": 20_000 for n in range(1, 6)
        }
