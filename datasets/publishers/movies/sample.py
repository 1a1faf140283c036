"""Samples of The Movies Dataset and TMDB 5000: invented films and ratings, some of them malformed."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets.publishers.movies.tables import CREDITS, LINKS, MOVIES

METADATA = (
    *("adult", "belongs_to_collection", "budget", "genres", "homepage", "id", "imdb_id", "original_language"),
    *(
        "original_title",
        "overview",
        "popularity",
        "poster_path",
        "production_companies",
        "production_countries",
    ),
    *("release_date", "revenue", "runtime", "spoken_languages", "status", "tagline", "title", "video"),
    *("vote_average", "vote_count"),
)
"""The columns of movies_metadata.csv."""

TMDB = (
    *("budget", "genres", "homepage", "id", "keywords", "original_language", "original_title", "overview"),
    *("popularity", "production_companies", "production_countries", "release_date", "revenue", "runtime"),
    *("spoken_languages", "status", "tagline", "title", "vote_average", "vote_count"),
)
"""The columns of tmdb_5000_movies.csv."""

_GENRES = [{"id": 16, "name": "Animation"}, {"id": 35, "name": "Children's"}]
_KEYWORDS = [{"id": 931, "name": "jealousy"}, {"id": 1, "name": 'it\'s a toy, "really"'}]
_CAST = [{"cast_id": n, "character": "", "name": f"Actor {n}", "order": n} for n in range(12)]
_CREW = [
    {"department": "Writing", "job": "Writer", "name": "Ana Writer"},
    {"department": "Directing", "job": "Director", "name": "Zoë O'Directs"},
]
_FILM = {
    "budget": "30000000",
    "original_title": "Clockwork Harbour",
    "overview": 'A clock stops.\r\nThe "harbour", too.',
    "popularity": "21.946943",
    "release_date": "1995-10-30",
    "revenue": "0",
    "runtime": "81.0",
    "tagline": "",
    "title": "Clockwork Harbour",
    "vote_average": "7.7",
    "vote_count": "5415",
}

MALFORMED_FILMS = {
    "genres does not parse as a list": {"genres": "[{'id': 16, 'name': "},
    "genres is not a list of entries with names": {"genres": '[{"id": 16}]'},
    "popularity is not a number": {"popularity": "Beware"},
    "release_date is not a date": {"release_date": "soon"},
    "id is not a number": {"id": "1997-08-20"},
    "id is listed twice": {"id": "862", "title": "Clockwork Harbour II"},
    "no movieId leads to it": {"id": "999"},
}
"""Mistakes in records of films by the reason of rejection; the last one is a mistake in The Movies Dataset only."""

SHIFTED = (
    'False,,0,[],,82663,tt0113002,en,Midnight,"A man, ""late"""',
    " - Written by Ørnås,0.065736,/ff9q.jpg,[],[],1997-08-20,0,104.0,[],Released,,Midnight Man,False,6.0,1",
)
"""A record of movies_metadata.csv that was torn in two, so that its columns are shifted."""


def write(variant: str, folder: Path) -> Path:
    """Write the sample of a variant into `folder` and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    if variant == "tmdb5000":
        _write(folder / MOVIES, TMDB, _films(json.dumps, TMDB)[:-1])
        people = [_credits("movie_id", number, json.dumps) | {"title": "x"} for number in ("862", "8844")]
        _write(folder / CREDITS, ("movie_id", "title", "cast", "crew"), people)
        return folder
    ratings = [
        f"{user},{movie},{0.5 + (user + movie) % 10 / 2},{1260759144 + user}"
        for user in (1, 2, 3)
        for movie in (1, 2, 9)
    ]
    file = "ratings.csv" if variant == "kaggle" else "ratings_small.csv"
    _lines(folder / file, "userId,movieId,rating,timestamp", [*ratings, "4,1,good,1260759144"])
    links = ["1,0114709,862", "2,0113497,8844", "3,0113228,", "4,0114885,777", "5,0000001,4.0", "6,x,862"]
    _lines(folder / LINKS.file, str(LINKS.header), links)
    _write(folder / "movies_metadata.csv", METADATA, _films(repr, METADATA), SHIFTED)
    words = {"id": "862", "keywords": repr(_KEYWORDS)}
    keywords = [
        words,
        words,  # repeated to the letter
        {"id": "8844", "keywords": "[]"},
        {"id": "862", "keywords": "[]"},
        {"id": "12345", "keywords": "[]"},
        {"id": "4", "keywords": "['jealousy']"},
    ]
    _write(folder / "keywords.csv", ("id", "keywords"), keywords)
    people = [_credits("id", number, repr) for number in ("862", "8844", "54321")]
    _write(folder / "credits.csv", ("cast", "crew", "id"), [*people, {"cast": "[", "crew": "[]", "id": "4"}])
    return folder


def _films(written: Any, columns: Sequence[str]) -> list[dict[str, str]]:
    lists = dict.fromkeys(columns, "") | _FILM | {"genres": written(_GENRES)}
    if "keywords" in columns:
        lists["keywords"] = written(_KEYWORDS)
    good = [
        lists | {"id": "862"},
        lists | {"id": "862"},  # repeated to the letter
        lists
        | {
            "id": "8844",
            "title": "",
            "original_title": "Été",
            "genres": "[]",
            "runtime": "",
            "tagline": "Go!",
        },
        lists | {"id": "4", "release_date": "", "overview": "", "title": "長" * 300},
    ]
    return good + [lists | {"id": str(7000 + n)} | wrong for n, wrong in enumerate(MALFORMED_FILMS.values())]


def _credits(column: str, number: str, written: Any) -> dict[str, str]:
    return {column: number, "cast": written(_CAST), "crew": written(_CREW)}


def _write(
    path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, str]], more: Sequence[str] = ()
) -> None:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes((out.getvalue() + "".join(line + "\n" for line in more)).encode())


def _lines(path: Path, header: str, lines: Sequence[str]) -> None:
    path.write_bytes("".join(line + "\r\n" for line in (header, *lines)).encode())
