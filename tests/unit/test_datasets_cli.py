"""The command line of data sets, and the names and options that it takes."""

import pytest

from core.errors import UsageError
from core.options import pairs
from datasets.__main__ import main
from datasets.dataset import find
from datasets.sources import SOURCES


@pytest.fixture
def places(tmp_path, monkeypatch):
    monkeypatch.delenv("RECSCALE_DATA", raising=False)
    (tmp_path / "data").mkdir()
    return ["--data", str(tmp_path / "data"), "--cache", str(tmp_path / "cache")]


def test_list_names_every_data_set_and_where_it_is(places, tmp_path, capsys):
    SOURCES["movielens"].sample("1m", tmp_path / "data")
    SOURCES["movielens"].sample("20m", tmp_path / "cache")
    SOURCES["spotify"].sample("playlists", tmp_path / "data")
    assert main(["list", *places]) == 0
    lines = {line.split("  ")[0]: line for line in capsys.readouterr().out.splitlines()}
    for name, source in SOURCES.items():
        assert {f"{name}/{variant}" for variant in source.variants} <= lines.keys()
    assert "data folder" in lines["movielens/1m"]
    assert "downloaded" in lines["movielens/20m"]
    assert "  no  " in lines["movielens/25m"]
    assert "generated" in lines["synthetic/ml-1m"]
    assert "your file" in lines["csv/file"]
    assert "data folder" in lines["spotify/playlists"]
    assert "  no  " in lines["spotify/mpd"]
    assert "  no  " in lines["movies/kaggle"]


def test_fetch_prints_the_place(places, tmp_path, capsys):
    folder = SOURCES["movielens"].sample("100k", tmp_path / "data")
    assert main(["fetch", "movielens/100k", *places]) == 0
    assert str(folder) in capsys.readouterr().out


def test_environment_names_the_data_folder(tmp_path, capsys, monkeypatch):
    folder = SOURCES["movielens"].sample("1m", tmp_path)
    monkeypatch.setenv("RECSCALE_DATA", str(tmp_path))
    assert main(["fetch", "movielens/1m"]) == 0
    assert str(folder) in capsys.readouterr().out


def test_missing_file_is_named(places, tmp_path, capsys):
    folder = SOURCES["movielens"].sample("latest-small", tmp_path / "data")
    (folder / "tags.csv").unlink()
    assert main(["fetch", "movielens/latest-small", *places]) == 1
    told = capsys.readouterr().err
    assert str(folder) in told
    assert "tags.csv" in told
    assert "ratings.csv" not in told


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["movielen/1m"], ["'movielen'", "'movielens'"]),
        (["movielens/1M"], ["'1M'", "'1m'"]),
        (["synthetic/ml-1m", "--set", "sed=1"], ["'sed'", "'seed'", "synthetic/ml-1m"]),
        (["synthetic/ml-1m", "--set", "rows=0"], ["rows ", " 1,", "got 0"]),
        (["synthetic/ml-1m", "--set", "rows"], ["--set", "'rows'", "key=value"]),
        (["spotify/playlists", "--set", "item=album"], ["item ", "'album'", "artist, track"]),
        (["spotify/tracks", "--set", "item=artist"], ["item=artist", "item=track"]),
        (["csv"], ["options of csv", "path=..."]),
        (["csv", "--set", "path=x", "--set", "scale=5,1,1"], ["scale=", "5.0, 1.0, 1.0", "1,5,1"]),
        (["csv", "--set", "path=x", "--set", "at_format=iso8601"], ["at_format", "'iso8601'", "'iso'"]),
    ],
)
def test_usage_errors_name_what_was_given_and_what_is_allowed(places, capsys, words, named):
    assert main(["fetch", *words, *places]) == 2
    told = capsys.readouterr().err
    assert [name for name in named if name not in told] == []


@pytest.mark.parametrize(
    ("name", "folder"),
    [("spotify/tracks", "spotify"), ("spotify/mpd", "spotify"), ("movies/kaggle", "the-movies-dataset"),
     ("movies/kaggle-small", "the-movies-dataset"), ("movies/tmdb5000", "tmdb")],
)  # fmt: skip
def test_what_only_members_get_is_told_with_its_place(places, tmp_path, capsys, name, folder):
    assert main(["fetch", name, *places]) == 1
    told = capsys.readouterr().err
    source, _, variant = name.partition("/")
    assert SOURCES[source].variants[variant].page in told
    assert f"{tmp_path / 'data'}/{folder}/" in told


def test_missing_own_file_names_the_nearest(places, tmp_path, capsys):
    (tmp_path / "data" / "plays.csv").write_text("user,item\n")
    assert main(["fetch", "csv", "--set", "path=play.csv", *places]) == 1
    told = capsys.readouterr().err
    assert [name for name in ("play.csv", "'plays.csv'", "path=") if name not in told] == []


def test_options_show_in_the_description():
    assert find("synthetic/ml-1m", {"rows": "500"}).description.rows == 500
    assert find("synthetic/ml-1m").description.rows == 1_000_209
    assert find("csv", {"path": "x", "scale": "1,10,1"}).description.scale == (1.0, 10.0, 1.0)


def test_one_variant_needs_no_name():
    assert find("csv", {"path": "x"}).variant == "file"
    with pytest.raises(UsageError, match=r"variant '' of movielens: .*1m"):
        find("movielens")


def test_blanks_in_the_value_of_an_option_may_be_meant():
    assert pairs(["sep=\t", " rows =5", "note= a "], "--set", "rows=1000") == {
        "sep": "\t", "rows": "5", "note": " a ",
    }  # fmt: skip
    with pytest.raises(UsageError, match="sep=value"):
        pairs(["sep"], "--set", "rows=1000")
