"""File layouts of GroupLens' MovieLens editions: four families over twenty years."""

from typing import NamedTuple

from datasets.formats.lines import LATIN1, Field, Layout

GENRES_100K = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *(
        "Fantasy",
        "Film-Noir",
        "Horror",
        "Musical",
        "Mystery",
        "Romance",
        "Sci-Fi",
        "Thriller",
        "War",
        "Western",
    ),
)
"""The order of the nineteen 0/1 flags in `u.item`."""

_ID = r"\d{1,9}"
_CSV = r'"[^"]*(?:""[^"]*)*"|[^",]*'
_USER = Field("user", _ID, "a number")
_ITEM = Field("item", _ID, "a number")
_RATING = Field("rating", r"-?\d{1,3}(?:\.\d{1,4})?", "a number")
_AT = Field("at", r"\d{1,11}", "seconds since 1970")
_RATINGS = (_USER, _ITEM, _RATING, _AT)


class Edition(NamedTuple):
    """The tables of one edition; `folds` names the layouts of published test parts."""

    ratings: Layout
    items: Layout
    tags: Layout | None = None
    folds: tuple[Layout, ...] = ()

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """The layout of every table."""
        return (self.ratings, self.items, *((self.tags,) if self.tags else ()), *self.folds)

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that the edition's folder must hold."""
        return tuple(layout.file for layout in self.layouts)


def _tab(file: str) -> Layout:
    return Layout(file, "\t", _RATINGS)


TABS = Edition(
    ratings=_tab("u.data"),
    items=Layout(
        "u.item",
        "|",
        (
            _ITEM,
            Field("title", r"[^|]*", "a title"),
            *(Field(name, r"[^|]*", "text") for name in ("released", "released_on_video", "url")),
            *(Field(f"genre{n}", "[01]", "0 or 1") for n in range(len(GENRES_100K))),
        ),
        encoding=LATIN1,
    ),
    folds=tuple(_tab(f"u{n}.test") for n in range(1, 6)),
)
"""100k: `u.data` with tabs, `u.item` with bars and genre flags, five published folds."""

_MOVIES_DAT = (_ITEM, Field("title", ".*", "a title"), Field("genres", "[^:]*", "genres with | between"))

COLONS = Edition(
    ratings=Layout("ratings.dat", "::", _RATINGS),
    items=Layout("movies.dat", "::", _MOVIES_DAT, encoding=LATIN1),
)
"""1m: two colons between fields, Latin-1."""

COLONS_WITH_TAGS = Edition(
    ratings=COLONS.ratings,
    items=Layout("movies.dat", "::", _MOVIES_DAT),
    tags=Layout("tags.dat", "::", (_USER, _ITEM, Field("tag", ".*", "a tag"), _AT)),
)
"""10m: two colons between fields, UTF-8, half stars, tags."""

COMMAS = Edition(
    ratings=Layout("ratings.csv", ",", _RATINGS, header="userId,movieId,rating,timestamp"),
    items=Layout(
        "movies.csv",
        ",",
        (_ITEM, Field("title", _CSV, "a CSV field"), Field("genres", _CSV, "a CSV field")),
        header="movieId,title,genres",
    ),
    tags=Layout(
        "tags.csv",
        ",",
        (_USER, _ITEM, Field("tag", _CSV, "a CSV field"), _AT),
        header="userId,movieId,tag,timestamp",
    ),
)
"""20m and later: CSV with a header, fields with commas in quotes, UTF-8, half stars, tags."""
