"""A person's own interactions: one text file with columns for user, item and perhaps rating and time."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pyspark.sql import SparkSession

from datasets.csv_file import check_encoding, columns
from datasets.csv_table import Columns, read_table
from datasets.errors import DataError, UsageError
from datasets.lines import rejected
from datasets.options import nearest
from datasets.source import Raw, Variant


@dataclass(frozen=True)
class Options:
    """How the file is written. A column is given by its name in the header or by its position from 0.

    Attributes:
        path: the file; one that is not absolute is looked for in the data folder, then from the working folder.
        user, item: columns of the keys, taken as text.
        rating: column of the rating; none means that every row says "interacted".
        at: column of the time; `at_format` is "s" or "ms" (since 1970) or "iso" (ISO 8601, UTC unless it says).
        separator: between fields; "tab" stands for a tab.
        header: whether the first record holds the columns' names.
        encoding: of the text, by any name that Python knows.
        multiline: whether quoted fields may hold line ends; "no" lets several cores share one large file.
        scale: lowest and highest rating and the step between ratings, as in "1,5,1".
    """

    path: str
    user: str = "user"
    item: str = "item"
    rating: str | None = None
    at: str | None = None
    at_format: Literal["s", "ms", "iso"] = "s"
    separator: str = ","
    header: bool = True
    encoding: str = "utf-8"
    multiline: bool = True
    scale: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse a scale that is none."""
        if self.scale is not None and not (
            len(self.scale) == 3 and self.scale[0] < self.scale[1] and self.scale[2] > 0
        ):
            raise UsageError(f"scale={self.scale}: expected lowest, highest and step, as in 1,5,1")

    @property
    def mark(self) -> str:
        """The separator itself."""
        return "\t" if self.separator in ("tab", "\\t") else self.separator


class Csv:
    """Any file of interactions with a separator between fields."""

    variants: Mapping[str, Variant] = {"file": Variant("your own interactions file (set path=...)", "csv")}
    options = Options
    citation = "Yours."
    licence = "Yours to know."

    def fetch(self, variant: str, options: Options, data: Path | None, cache: Path) -> Path:  # noqa: ARG002 - protocol
        """Return the file."""
        path = Path(options.path).expanduser()
        for place in ((data / path) if data is not None else path, path):
            if place.is_file():
                return place.resolve()
        folders = [place.parent for place in ((data / path) if data is not None else path, path)]
        names = [entry.name for folder in folders if folder.is_dir() for entry in folder.glob("*.?sv*")]
        raise DataError(
            f"no file {options.path} ({nearest(path.name, names)}); set path= to the file's place"
        )

    def read(self, spark: SparkSession, variant: str, options: Options, path: Path) -> Raw:  # noqa: ARG002 - protocol
        """Read the interactions; there are no items."""
        check_encoding(path, options.encoding)
        found = columns(path, options.encoding, options.mark, options.header)
        places = Columns(
            user=_place("user", options.user, found, options.header),
            item=_place("item", options.item, found, options.header),
            rating=None
            if options.rating is None
            else _place("rating", options.rating, found, options.header),
            at=None if options.at is None else _place("at", options.at, found, options.header),
        )
        ratings, bad = read_table(spark, path, options, places, len(found))
        return Raw(ratings, None, rejected(spark, bad))

    def sample(self, variant: str, folder: Path) -> Path:  # noqa: ARG002 - protocol
        """Write invented interactions that the default options and `rating=rating at=at` read."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "interactions.csv"
        rows = [f"u{n % 5},i{n % 7},{1 + n % 5},{1_600_000_000 + n}" for n in range(20)]
        quoted = '"reader, the ""first""","a key\nover two lines",4.5,1600000100'
        bad = ["u1,i2", ",i3,4,1600000000", "u1,i4,much,1600000000", "u1,i5,3,yesterday"]
        text = "\n".join(["user,item,rating,at", *rows, quoted, *bad]) + "\n"
        path.write_text(text, encoding="utf-8", newline="")
        return path


def _place(role: str, wanted: str, found: list[str], header: bool) -> int:
    if wanted.isdecimal() and int(wanted) < len(found):
        return int(wanted)
    if header and wanted in found:
        return found.index(wanted)
    known = (
        nearest(wanted, found) if header else f"without a header give a position from 0 to {len(found) - 1}"
    )
    raise UsageError(f"no column {wanted!r} for {role}: {known}")


SOURCE = Csv()
