"""Records of quoted CSV, without a JVM: no line is merged into another by a wrong quote, and none is lost."""

import pytest

from datasets.formats.fields import entries, json_value, number, python_literal, texts, year
from datasets.formats.records import split_records
from datasets.publishers.spotify.mpd import playlists, rows_of

QUOTES = "its quotes do not match"


def split(text, width=3):
    return [tuple(record) for record in split_records(text.splitlines(keepends=True), width)]


def test_quoted_fields():
    text = 'a,"b, ""c""",d\n"x\ny","",z\r\n1,2,3'
    assert split(text) == [
        (1, 'a,"b, ""c""",d', None),
        (2, '"x\ny","",z', None),
        (4, "1,2,3", None),
    ]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ('1,"open,x', QUOTES),
        ('1,"a" b,x', QUOTES),
        ('1,a "b" c,x', QUOTES),
        ('1, "a",x', QUOTES),
        ("1,2", "has 2 fields where 3 are expected"),
        ("1,2,3,4", "has 4 fields where 3 are expected"),
        ("1,2\rx,3", "holds a carriage return outside of quotes"),
        ("1,\udce9,3", "is not UTF-8 (shown as Latin-1)"),
        ("", "is empty"),
    ],
)
@pytest.mark.parametrize("after", ["p,q,r", 'p,"q, ""s""",r', '"p","q\nq2","r"'])
def test_a_bad_line_costs_itself_only(bad, reason, after):
    lines = ["a,b,c\n", f"{bad}\n", *(line + "\n" for line in after.split("\n")), "x,y,z\n"]
    found = [tuple(record) for record in split_records(lines, 3)]
    shown = bad.encode("utf-8", "surrogateescape").decode("latin-1")
    last = len(lines)
    assert found == [(1, "a,b,c", None), (2, shown, reason), (3, after, None), (last, "x,y,z", None)]


def test_a_quote_open_to_the_end_of_the_file():
    text = 'a,"b,c\n' + "1,2,3\n" * 1000
    found = split(text)
    assert found[0] == (1, 'a,"b,c', QUOTES)
    assert found[1:] == [(n, "1,2,3", None) for n in range(2, 1002)]


def test_a_torn_record_of_several_lines_is_rejected_line_by_line():
    assert [record[1:] for record in split('a,"b\nc"\nd,e,f\n')] == [
        ('a,"b', QUOTES),
        ('c"', QUOTES),
        ("d,e,f", None),
    ]


def test_numbers():
    assert [number(text, "n") for text in ("1", "-.5", "2.33e-5", " ", "")] == [
        1.0,
        -0.5,
        2.33e-5,
        None,
        None,
    ]
    assert number("NA", "n", ("NA",)) is None
    for text in ("NA", "nan", "inf", "1e99", "1,5", "\u0663", "0x1", "1_000"):
        with pytest.raises(ValueError, match=r"^n .*number"):
            number(text, "n")


def test_years():
    assert [year(text, "d") for text in ("2019-06-14", "2019-06", "2019", "0000", "")] == [
        2019,
        2019,
        2019,
        None,
        None,
    ]
    for text in ("19", "14/06/2019", "2019-06-14T00:00"):
        with pytest.raises(ValueError, match=r"^d .*date"):
            year(text, "d")


def test_lists():
    assert texts("['a', \"b's\", ' a ', '']", "c", python_literal) == ["a", "b's"]
    assert texts("", "c", python_literal) == []
    assert entries('[{"id": 1, "name": "\\u00e9"}]', "c", json_value) == [{"id": 1, "name": "é"}]
    for text in ("[", "nonsense", "__import__('os').getcwd()", "{'a': 1}", "[" * 5000, "None", "\0"):
        with pytest.raises(ValueError, match=r"^c .*list"):
            texts(text, "c", python_literal)
    with pytest.raises(ValueError, match=r"^c .*surrogate"):
        texts("['\\ud800']", "c", python_literal)
    with pytest.raises(ValueError, match=r"^c .*names"):
        entries("[{'name': None}]", "c", python_literal)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"playlists": []}', []),
        ('{"playlists": [{"name": "a"}, {"name": "b"}]}', [{"name": "a"}, {"name": "b"}]),
        ('{"playlists": [{"name": "a"}, {"name": ', [{"name": "a"}, '{"name": ']),
        ('{"playlists": [{"name": "a"},', [{"name": "a"}, "(the file ends within its list of playlists)"]),
        ('{"playlists": [{"name": x}, {"name": "b"}]}', ['{"name": x}, ', {"name": "b"}]),
        ('{"playlists": [{"name": "a"}]}\n{"playlists": [{"name": "b"}]}', [{"name": "a"}, {"name": "b"}]),
        ("no JSON", ["no JSON"]),
    ],
)
def test_playlists_of_a_broken_slice(text, found):
    assert list(playlists(text)) == found


def test_reasons_of_entries():
    wrong = {
        '"track"': "is not a track",
        '{"track_uri": 7}': "track_uri is not a text",
        '{"track_uri": " "}': "track_uri is empty",
        '{"track_uri": "t", "track_name": "\\ud83d"}': "track_name is not UTF-8 or holds half a character",
        '{"track_uri": "t", "duration_ms": "long"}': "duration_ms is not a number",
    }
    text = '{"playlists": [{"name": "", "pid": 1, "tracks": [' + ",".join(wrong) + "]}]}"
    assert [row["reason"] for row in rows_of(text, "track")] == list(wrong.values())
    good = '{"playlists": [{"pid": 1, "tracks": [{"track_uri": "t"}]}]}'
    assert [row["reason"] for row in rows_of(good, "artist")] == ["artist_uri is empty"]
    (row,) = rows_of(good, "track")
    assert (row["user"], row["track"], row["title"], row["seconds"]) == ("1", "t", None, None)


@pytest.mark.parametrize(
    ("playlist", "reason"),
    [
        ("7", "is not the JSON of a playlist"),
        ('{"tracks": []}', "pid is not a number"),
        ('{"pid": true, "tracks": []}', "pid is not a number"),
        ('{"pid": 1, "modified_at": "2017", "tracks": []}', "modified_at is not seconds since 1970"),
        ('{"pid": 1, "modified_at": 1e400, "tracks": []}', "modified_at is not seconds since 1970"),
        ('{"pid": 1}', "tracks is not a list"),
    ],
)
def test_reasons_of_playlists(playlist, reason):
    (row,) = rows_of(f'{{"playlists": [{playlist}]}}', "track")
    assert row["reason"] == reason
