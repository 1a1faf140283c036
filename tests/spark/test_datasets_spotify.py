"""Spotify's sets: playlists and slices as interactions, tracks and artists as items, every record kept or rejected."""

import json
import os
from pathlib import Path

import pytest
from pyspark.sql import functions as F

from core.errors import DataError
from datasets import describe
from datasets.dataset import find
from datasets.publishers.spotify.items import FEATURES, interactions
from datasets.publishers.spotify.sample import LONG, MALFORMED_SONGS, MALFORMED_TRACKS
from datasets.sources import SOURCES

SOURCE = SOURCES["spotify"]


def read(spark, variant, path, **options):
    return SOURCE.read(spark, variant, SOURCE.options(**options), path)


def reasons(raw):
    return {row.text: row.reason for row in raw.rejected.collect()}


def described(raw):
    return {row.item: row for row in raw.items.collect()}


def test_songs_that_cannot_be_read(spark, tmp_path):
    path = SOURCE.sample("playlists", tmp_path)
    raw = read(spark, "playlists", path)
    expected = {
        line.decode("latin-1" if b"\xe9" in line else "utf-8"): why for line, why in MALFORMED_SONGS.items()
    }
    assert reasons(raw) == expected
    assert raw.rejected.count() == len(expected)
    assert {row.file for row in raw.rejected.collect()} == {"spotify_songs.csv"}


def test_songs_are_interactions(spark, tmp_path):
    raw = read(spark, "playlists", SOURCE.sample("playlists", tmp_path))
    rows = [(row.user, row.item) for row in raw.ratings.collect()]
    first = [("p1", f"t{n}") for n in (0, 1, 1, 2, 3, 4, 5)]
    assert sorted(rows) == sorted(
        [*first, *(("p2", f"t{n}") for n in range(1, 6)), ("p1", LONG), ("p2", LONG)]
    )
    assert raw.ratings.where("rating IS NOT NULL OR at IS NOT NULL").count() == 0


def entries(spark, *playlists):
    """Playlists of tracks and the line of each, the last first."""
    rows = [(f"p{n}", track, f"by {track[0]}") for n, tracks in enumerate(playlists) for track in tracks]
    columns = "user string, track string, artist string, seconds long, line int"
    return spark.createDataFrame(
        [(*row, None, line) for line, row in reversed(list(enumerate(rows)))], columns
    ).repartition(3)


def test_the_ends_of_playlists_are_folds(spark):
    long, short = [f"a{n}" for n in range(12)], ["b0", "a0", "b1"]
    frame = entries(spark, [*long, "a3"], short, ["a0"])

    def labels(item):
        rows = interactions(frame, item, F.col("line")).collect()
        return sorted((row.user, row.item, row.fold) for row in rows if row.fold)

    ends = [f"a{n}" for n in range(12)][-5:]
    assert labels("track") == sorted(
        [
            ("p0", "a11", "last1|last5"),
            *(("p0", track, "last5") for track in ends[:-1]),
            ("p1", "b1", "last1"),
        ]
    )
    # An artist stands where the first track is: of p1's two the second is the last.
    assert labels("artist") == [("p1", "by a", "last1")]
    twenty = interactions(entries(spark, [f"c{n:02}" for n in range(20)]), "track", F.col("line"))
    found = {row.item: row.fold for row in twenty.collect()}
    assert [found[f"c{n:02}"] for n in (9, 10, 14, 15, 18, 19)] == [
        None, "last10", "last10", "last5|last10", "last5|last10", "last1|last5|last10",
    ]  # fmt: skip


def test_what_a_track_of_a_playlist_is(spark, tmp_path):
    items = described(read(spark, "playlists", SOURCE.sample("playlists", tmp_path)))
    assert items.keys() == {*(f"t{n}" for n in range(6)), LONG}
    quoted, lines, unnamed = items["t1"], items["t2"], items["t4"]
    assert quoted.title == 'The "Quiet" Room, Pt. 2'
    assert quoted.text == 'The "Quiet" Room, Pt. 2 Édith Kestrel Album 1'
    assert quoted.genres == ["album rock", "dance pop", "electropop", "pop", "rock"]
    assert quoted.people == ["Édith Kestrel"]
    assert quoted.features.keys() == set(FEATURES)
    assert quoted.features["tempo"] == pytest.approx(0.22)
    assert lines.title == "Première\nNeige"
    assert (unnamed.title, unnamed.text, unnamed.people, unnamed.year) == (None, "Album 4", None, None)
    assert [items[f"t{n}"].year for n in range(6)] == [2019, 2019, 2004, 1998, None, 2020]
    assert items["t0"].genres == ["dance pop", "pop"]


def test_artists_as_items(spark, tmp_path):
    raw = read(spark, "playlists", SOURCE.sample("playlists", tmp_path), item="artist")
    items = described(raw)
    assert items.keys() == {"Harbour & Sons", "Édith Kestrel", 'The "Owls", Live', "Juno Vale"}
    kestrel = items["Édith Kestrel"]
    assert kestrel.title == "Édith Kestrel"
    assert kestrel.people == ["Édith Kestrel"]
    assert kestrel.text == 'Première\nNeige The "Quiet" Room, Pt. 2'
    # Her tracks t1 and t2 stand in two playlists each, t1 in three rows; each counts once.
    assert kestrel.features["danceability"] == pytest.approx((0.02 + 0.03) / 2)
    assert kestrel.year is None
    counts = raw.ratings.groupBy("item").count().rdd.collectAsMap()
    assert counts == {"Harbour & Sons": 3, "Édith Kestrel": 5, 'The "Owls", Live': 2, "Juno Vale": 2}
    nameless = [text for text, why in reasons(raw).items() if why == "track_artist is empty"]
    assert len(nameless) == 2
    assert all(text.startswith("t4,NA,NA,") for text in nameless)


def test_the_first_line_tells_of_a_track(spark, tmp_path):
    path = SOURCE.sample("playlists", tmp_path)
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], lines[1].replace(b"Low Tide", b"High Tide"), *lines[1:]]))
    for _ in range(2):
        assert described(read(spark, "playlists", path))["t0"].title == "High Tide"


def test_a_large_file_is_shared_out_and_reads_the_same(spark, tmp_path, monkeypatch):
    path = SOURCE.sample("playlists", tmp_path)

    def whole():
        raw = read(spark, "playlists", path)
        frames = (raw.ratings, raw.items, raw.rejected)
        return [sorted(map(str, frame.collect())) for frame in frames]

    one = whole()
    monkeypatch.setattr("datasets.formats.records._TASK_BYTES", 500)
    assert whole() == one


def test_tracks(spark, tmp_path):
    raw = read(spark, "tracks", SOURCE.sample("tracks", tmp_path))
    assert raw.ratings is None
    assert sorted(reasons(raw).values()) == sorted(MALFORMED_TRACKS)
    items = described(raw)
    assert items.keys() == {"t1", "t2", LONG}
    assert items["t1"].title == "Low Tide"
    assert items["t1"].features["duration_ms"] == 126_903
    assert items["t1"].features.keys() == {*FEATURES, "time_signature", "popularity", "explicit"}
    assert (items["t2"].title, items["t2"].people) == ('A, "b"\nc', ["Sinéad O'Kestrel", "Juno Vale"])
    assert [items[key].year for key in ("t1", "t2", LONG)] == [1922, 1922, None]
    assert items[LONG].title is None
    assert "tempo" not in items[LONG].features


@pytest.mark.parametrize(("variant", "lacking"), [("playlists", "playlist_id"), ("tracks", "artists")])
def test_a_header_that_lacks_a_column(spark, tmp_path, variant, lacking):
    path = SOURCE.sample(variant, tmp_path)
    path.write_bytes(path.read_bytes().replace(lacking.encode(), b"other", 1))
    with pytest.raises(DataError, match=f"names no column '{lacking}'"):
        read(spark, variant, path)


def test_byte_order_mark_and_line_ends_of_windows(spark, tmp_path):
    path = SOURCE.sample("playlists", tmp_path)
    before = sorted(map(str, read(spark, "playlists", path).ratings.collect()))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    raw = read(spark, "playlists", path)
    assert sorted(map(str, raw.ratings.collect())) == before
    assert raw.rejected.count() == len(MALFORMED_SONGS)


def test_slices(spark, tmp_path):
    raw = read(spark, "mpd", SOURCE.sample("mpd", tmp_path))
    rows = [tuple(row) for row in raw.ratings.select("user", "item", F.unix_timestamp("at")).collect()]
    assert len(rows) == 12
    uris = ["spotify:track:0", "spotify:track:1", f"spotify:track:{LONG}", "spotify:track:0"]
    assert sorted(row for row in rows if row[0] == "0") == sorted(("0", uri, 1_493_424_000) for uri in uris)
    items = described(raw)
    assert items.keys() == set(uris)
    assert items[f"spotify:track:{LONG}"].title == "Première\nNeige"
    assert items["spotify:track:0"].features == {"duration_ms": 200_000.0}
    assert items["spotify:track:0"].genres is None
    found = sorted((row.file, row.reason) for row in raw.rejected.collect())
    file = "mpd.slice.1000-1999.json"
    assert found == [
        (file, "is not the JSON of a playlist"),
        (file, "pid is not a number"),
        (file, "track_uri is empty"),
    ]
    broken = raw.rejected.where("reason LIKE '%JSON%'").first().text
    assert '"pid": 13' in broken


def test_artists_of_slices(spark, tmp_path):
    raw = read(spark, "mpd", SOURCE.sample("mpd", tmp_path), item="artist")
    items = described(raw)
    assert items.keys() == {"spotify:artist:0", "spotify:artist:1"}
    assert items["spotify:artist:0"].features["duration_ms"] == pytest.approx(200_000.5)
    assert items["spotify:artist:0"].title == "Harbour & Sons"
    assert raw.ratings.where("item = 'spotify:artist:0'").count() == 8


@pytest.mark.parametrize("variant", SOURCE.variants)
def test_description(spark, tmp_path, variant):
    dataset = find(f"spotify/{variant}")
    text = describe.text(dataset, describe.count(read(spark, variant, SOURCE.sample(variant, tmp_path))))
    assert ("describes items only" in text) == (variant == "tracks")
    assert "rejected" in text
    if variant == "mpd":
        assert "2017-04-29 00:00:00 to 2017-04-29" in text


@pytest.mark.realdata
@pytest.mark.parametrize(("item", "items", "rejected"), [("track", 28_356, 0), ("artist", 10_692, 5)])
def test_real_playlists(spark, tmp_path, item, items, rejected):
    dataset = find("spotify/playlists", {"item": item})
    raw = dataset.read(spark, dataset.fetch(Path(os.environ["RECSCALE_DATA"]), tmp_path))
    counts = raw.ratings.agg(F.count("*"), F.countDistinct("user"), F.countDistinct("item")).first()
    assert tuple(counts) == (32_833 - rejected, 471, items)
    assert raw.items.count() == items
    assert raw.items.where(F.size("features") == 12).count() == items
    assert raw.items.where("title IS NULL").count() == (4 if item == "track" else 0)
    assert raw.items.where("size(genres) < 2").count() == 0
    assert [row.reason for row in raw.rejected.collect()] == ["track_artist is empty"] * rejected


@pytest.mark.realdata
@pytest.mark.parametrize(("item", "items"), [("track", 1_397), ("artist", 841)])
def test_real_slice(spark, tmp_path, item, items):
    dataset = find("spotify/mpd", {"item": item})
    path = dataset.fetch(Path(os.environ["RECSCALE_DATA"]), tmp_path)
    raw = dataset.read(spark, path)
    counts = raw.ratings.agg(F.count("*"), F.countDistinct("user"), F.countDistinct("item")).first()
    assert tuple(counts) == (1_448, 29, items)
    assert raw.items.count() == items
    assert raw.items.where("title IS NULL").count() == 0
    assert raw.rejected.count() == 0
    (slice_,) = path.glob("mpd.slice.*.json")
    first = json.loads(slice_.read_text())["playlists"][0]
    assert raw.ratings.where(f"user = '{first['pid']}'").count() == first["num_tracks"]
