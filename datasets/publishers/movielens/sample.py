"""Sample of a MovieLens edition: a few invented movies and ratings, some lines of them malformed."""

from pathlib import Path

from datasets.formats.lines import Layout
from datasets.publishers.movielens.layouts import GENRES_100K, Edition

MOVIES = (
    (1, "Clockwork Harbour, The (1987)", ("Drama", "Mystery")),
    (2, "Amélie's Kite (1994)", ("Animation", "Comedy")),
    (3, "Nine Lanterns (1990)", ("Action",)),
    (4, 'Paper "Moonlight" Parade (1979)', ("Musical", "Romance")),
    (5, "Untitled Voyage", ()),
    (6, "Short Winter (1996) (V)", ("Sci-Fi", "War")),
)
"""Invented movies: number, title, genres."""

RATINGS = tuple(
    (user, movie, 1 + (3 * user + 5 * movie) % 5, 978300000 + 1000 * user + movie)
    for user in range(1, 9)
    for movie in range(1, 7)
    if (user + movie) % 3
)
"""Invented ratings: user, movie, whole stars, seconds since 1970."""

TAGS = (
    (1, 1, "slow, but good"),
    (2, 1, "harbour"),
    (3, 1, "harbour"),
    (3, 4, 'so-called "classic"'),
    (5, 5, "été"),
)
"""Invented tags: user, movie, tag."""

_ENDS = {"\t": "\n", "|": "\n", "::": "\n", ",": "\r\n"}


def malformed(edition: Edition) -> dict[str, list[str]]:
    """Return the malformed lines of the sample by file: too few fields, and a rating that is not a number."""
    layout = edition.ratings
    bad = {
        layout.file: [
            layout.separator.join(("9", "1")),
            layout.separator.join(("9", "2", "good", "978300000")),
        ]
    }
    if edition.tags is not None:
        bad[edition.tags.file] = [edition.tags.separator.join(("1", "77", "of no movie", "978300000"))]
    return bad


def write(edition: Edition, folder: Path) -> None:
    """Write the sample's files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    bad = malformed(edition)
    ratings = [_rating(edition.ratings, *row) for row in RATINGS]
    _write(edition.ratings, folder, [*ratings, *bad[edition.ratings.file]])
    _write(edition.items, folder, [_movie(edition.items, *movie) for movie in MOVIES])
    if edition.tags is not None:
        tags = [_line(edition.tags, (user, movie, tag, 978400000)) for user, movie, tag in TAGS]
        _write(edition.tags, folder, [*tags, *bad[edition.tags.file]])
    for n, fold in enumerate(edition.folds):
        _write(fold, folder, ratings[n :: len(edition.folds)])


def _rating(layout: Layout, user: int, movie: int, stars: int, at: int) -> str:
    return _line(layout, (user, movie, f"{stars:.1f}" if layout.header else stars, at))


def _movie(layout: Layout, movie: int, title: str, genres: tuple[str, ...]) -> str:
    if layout.separator == "|":
        flags = ["1" if genre in genres else "0" for genre in GENRES_100K]
        return _line(layout, (movie, title, "01-Jan-1990", "", "", *flags))
    return _line(layout, (movie, title, "|".join(genres) or "(no genres listed)"))


def _line(layout: Layout, values: tuple[object, ...]) -> str:
    return layout.separator.join(
        _quoted(str(value)) if layout.separator == "," else str(value) for value in values
    )


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in ',"') else text


def _write(layout: Layout, folder: Path, lines: list[str]) -> None:
    end = _ENDS[layout.separator]
    head = [layout.header] if layout.header else []
    text = "".join(line + end for line in [*head, *lines])
    (folder / layout.file).write_bytes(text.encode(layout.encoding))
