"""Samples of Spotify's data sets: invented playlists and tracks, with every kind of malformed record."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from datasets.publishers.spotify.items import FEATURES
from datasets.publishers.spotify.tables import SONGS, TRACKS

LONG = "長" * 300
"""A key of three hundred characters that are not ASCII."""

_TITLES = ("Low Tide", 'The "Quiet" Room, Pt. 2', "Première\nNeige", "Nine Lamps", "NA", "Slow Comet")
_ARTISTS = ("Harbour & Sons", "Édith Kestrel", "Édith Kestrel", 'The "Owls", Live', "NA", "Juno Vale")
_DATES = ("2019-06-14", "2019-06", "2004", "1998-01-02", "NA", "2020-01-10")
_PLAYLISTS = (("p1", "Late, Calm", "pop", "dance pop"), ("p2", "Kitchen 🔥", "rock", "album rock"))

MALFORMED_SONGS = {
    b'broken,"never closed,Nobody,1,b,x,2001,Late,p1,pop,dance pop' + b",0.5" * 12: "its quotes do not match",
    b'broken,a "quoted" word,Nobody,1,b,x,2001,Late,p1,pop,dance pop'
    + b",0.5" * 12: "its quotes do not match",
    b"broken,too short,Nobody": "has 3 fields where 23 are expected",
    b"broken,Caf\xe9,Nobody,1,b,x,2001,Late,p1,pop,dance pop"
    + b",0.5" * 12: "is not UTF-8 (shown as Latin-1)",
    b"broken,a,Nobody,1,b,x,June,Late,p1,pop,dance pop"
    + b",0.5" * 12: "track_album_release_date is not a date",
    b"broken,a,Nobody,1,b,x,2001,Late,p1,pop,dance pop,loud" + b",0.5" * 11: "danceability is not a number",
    b"broken,a,Nobody,1,b,x,2001,Late,,pop,dance pop" + b",0.5" * 12: "playlist_id is empty",
}
"""Unreadable lines of spotify_songs.csv, and why."""

MALFORMED_TRACKS = {
    "artists does not parse as a list": {"artists": "['Nobody'"},
    "artists is not a list of texts": {"artists": "[1, 2]"},
    "popularity is not a number": {"popularity": "high"},
    "release_date is not a date": {"release_date": "19/02/1922"},
    "id is empty": {"id": " "},
    "item is listed twice": {"id": "t1", "name": "Another Tide"},
}
"""Mistakes in records of tracks.csv by the reason of rejection."""


def write(variant: str, folder: Path) -> Path:
    """Write the sample of a variant into `folder` and return what the source's `fetch` returns."""
    folder.mkdir(parents=True, exist_ok=True)
    if variant == "playlists":
        path = folder / "spotify_songs.csv"
        path.write_bytes(_csv([SONGS, *_songs()]) + b"".join(line + b"\n" for line in MALFORMED_SONGS))
        return path
    if variant == "tracks":
        path = folder / "tracks.csv"
        path.write_bytes(_csv([TRACKS, *_tracks()]))
        return path
    (folder / "mpd.slice.0-999.json").write_text(json.dumps(_slice("0-999", _playlists(0)), indent=4))
    broken = [*_playlists(10), {"name": "no number", "pid": None, "tracks": []}]
    broken += [_playlist(12, [{"pos": 0}]), _playlist(13, [])]
    (folder / "mpd.slice.1000-1999.json").write_text(
        json.dumps(_slice("1000-1999", broken), indent=4, ensure_ascii=False)[:-40], encoding="utf-8"
    )
    return folder


def _songs() -> list[list[str]]:
    again = ("p1", "Late, Calm", "pop", "electropop")  # the same playlist, by another subgenre
    return [
        *(
            _song(f"t{n}", n, playlist)
            for place, playlist in enumerate(_PLAYLISTS)
            for n in range(place, len(_TITLES))
        ),
        *(_song(LONG, 0, playlist) for playlist in _PLAYLISTS),
        _song("t1", 1, again),
    ]


def _song(track: str, n: int, playlist: tuple[str, str, str, str]) -> list[str]:
    key, name, genre, subgenre = playlist
    about = [
        track,
        _TITLES[n],
        _ARTISTS[n],
        "50",
        f"b{n}",
        f"Album {n}",
        _DATES[n],
        name,
        key,
        genre,
        subgenre,
    ]
    return [*about, *(f"{(n + 1) * (place + 1) / 100:.6g}" for place in range(len(FEATURES)))]


def _tracks() -> list[list[str]]:
    good = [
        _track(id="t1"),
        _track(id="t1"),  # repeated to the letter
        _track(id="t2", name='A, "b"\nc', artists="[\"Sinéad O'Kestrel\", 'Juno Vale']", release_date="1922"),
        _track(id=LONG, name="", artists="[]", release_date="", tempo=""),
    ]
    return good + [_track(**{"id": f"bad{n}", **wrong}) for n, wrong in enumerate(MALFORMED_TRACKS.values())]


def _track(**changes: str) -> list[str]:
    usual = dict.fromkeys(TRACKS, "0.5") | {
        "name": "Low Tide",
        "popularity": "6",
        "duration_ms": "126903",
        "explicit": "0",
        "artists": "['Harbour & Sons']",
        "id_artists": "['a1']",
        "release_date": "1922-02-22",
    }
    return [(usual | changes)[name] for name in TRACKS]


def _playlists(first: int) -> list[dict[str, Any]]:
    tracks = [_entry(n, pos) for pos, n in enumerate((0, 1, 2, 0))]
    return [_playlist(first, tracks), _playlist(first + 1, tracks[1:3])]


def _playlist(pid: int, tracks: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": 'Throw "backs", été',
        "collaborative": "false",
        "pid": pid,
        "modified_at": 1493424000 + pid,
        "num_tracks": len(tracks),
        "num_albums": 1,
        "num_followers": 1,
        "tracks": tracks,
        "num_edits": 6,
        "duration_ms": 11532414,
        "num_artists": 1,
    }


def _entry(n: int, pos: int) -> dict[str, Any]:
    return {
        "pos": pos,
        "artist_name": _ARTISTS[n],
        "track_uri": f"spotify:track:{LONG if n == 2 else n}",
        "artist_uri": f"spotify:artist:{n // 2}",
        "track_name": _TITLES[n],
        "album_uri": f"spotify:album:{n}",
        "duration_ms": 200_000 + n,
        "album_name": f"Album {n}",
    }


def _slice(name: str, playlists: list[dict[str, Any]]) -> dict[str, Any]:
    info = {"generated_on": "2017-12-03 08:41:42.057563", "slice": name, "version": "v1"}
    return {"info": info, "playlists": playlists}


def _csv(rows: list[Any]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()
