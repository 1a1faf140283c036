"""A person's own interactions: one text file with columns for user, item and perhaps rating and time."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from core.errors import DataError, UsageError
from core.options import nearest
from datasets.formats.blocks import header
from datasets.formats.csv_advice import advise
from datasets.formats.csv_columns import find_columns, other_separator
from datasets.formats.csv_table import Table, read_table
from datasets.formats.csv_values import Meaning
from datasets.formats.dialect import Dialect
from datasets.formats.lines import shaped
from datasets.formats.text_files import check_encoding, chunks, line_end
from datasets.source import RAW, REJECTED, Example, Raw, Variant

_SEPARATORS = {"tab": "\t", "\\t": "\t", "space": " "}
_TABLE = re.compile(r"\.(?:[a-z]sv|txt|dat|data)(?:\.\w+)?$", re.IGNORECASE)
_LOOK = 1 << 16


@dataclass(frozen=True)
class Options:
    r"""Reading options of a file; docs/csv.md explains each.

    A column is given by its name in the header or by its position from 0, written "#0" where that is a name too.

    Attributes:
        path: the file; one that is not absolute is looked for in the data folder, then from the working folder.
        user, item: columns of the keys, taken as text.
        rating: column of the rating; none means that every row says "interacted".
        at: column of the time; `at_format` is "s" or "ms" (since 1970) or "iso" (ISO 8601; UTC if it names no zone).
        separator: text between fields; "tab" and "space" stand for these characters.
        quote: the character around quoted fields, or none.
        escape: the character that makes the next one ordinary, or none; quotes within quotes may also be doubled.
        multiline: whether quoted fields may contain line ends; None: yes, unless one of the lines would be a row by itself.
        header: whether the first record contains the columns' names.
        encoding: of the text, by any name that Python knows.
        decimal: decimal mark of numbers, "." or ",".
        missing: texts that mean an empty field, for example "NULL,\N".
        scale: lowest rating, highest rating and the step between ratings, for example "1,5,1".
    """

    path: str
    user: str = "user"
    item: str = "item"
    rating: str | None = None
    at: str | None = None
    at_format: Literal["s", "ms", "iso"] = "s"
    separator: str = ","
    quote: str | None = '"'
    escape: str | None = None
    multiline: bool | None = None
    header: bool = True
    encoding: str = "utf-8"
    decimal: Literal[".", ","] = "."
    missing: tuple[str, ...] = ()
    scale: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse options that contradict each other, before any file is opened."""
        if self.scale is not None and not (
            len(self.scale) == 3 and self.scale[0] < self.scale[1] and self.scale[2] > 0
        ):
            raise UsageError(
                f"scale must be lowest,highest,step with lowest below highest and a step above 0, for example scale=1,5,1; "
                f"got scale={self.scale}"
            )
        check_encoding(self.encoding)
        self.dialect("\n")

    def dialect(self, mark: str) -> Dialect:
        """Return the file's notation, given its line end."""
        separator = _SEPARATORS.get(self.separator, self.separator)
        escape = (
            None if self.escape == self.quote else self.escape
        )  # a quote before a quote is what doubling is
        return Dialect(separator, self.quote, escape, self.multiline, mark)

    @property
    def columns(self) -> dict[str, str | None]:
        """Column by role."""
        return {"user": self.user, "item": self.item, "rating": self.rating, "at": self.at}


class Csv:
    """Any file of interactions with a separator between fields."""

    variants: Mapping[str, Variant] = {"file": Variant("your own interactions file (set path=...)", "csv")}
    options = Options
    citation = "Yours."
    licence = "Yours to know."

    def fetch(self, variant: str, options: Options, data: Path | None, cache: Path) -> Path:  # noqa: ARG002 - protocol
        """Return the file."""
        path = Path(options.path).expanduser()
        places = ((data / path) if data is not None else path, path)
        for place in places:
            if place.is_file():
                return place.resolve()
        folders = [place.parent for place in places if place.parent.is_dir()]
        names = {entry.name for folder in folders for entry in folder.iterdir() if _TABLE.search(entry.name)}
        raise DataError(
            f"no file {options.path} in {' or '.join(map(str, dict.fromkeys(place.parent for place in places)))} "
            f"({nearest(path.name, names)}): set path= to the file"
        )

    def check(self, variant: str, options: Options, path: Path) -> Sequence[str]:  # noqa: ARG002 - protocol
        """Find the columns in the file's first record."""
        return table_of(options, path)[1]

    def advise(
        self,
        variant: str,  # noqa: ARG002 - protocol
        options: Options,
        path: Path,
        rejected: Sequence[Example],
    ) -> Sequence[str]:
        """Guess which option would read the lines that were rejected."""
        return list(advise(table_of(options, path)[0], rejected))

    def read(self, spark: SparkSession, variant: str, options: Options, path: Path) -> Raw:  # noqa: ARG002 - protocol
        """Read the interactions; there are no items."""
        records = read_table(spark, table_of(options, path)[0])
        return Raw(
            shaped(records.where(F.col("reason").isNull()), RAW),
            None,
            shaped(records.where(F.col("reason").isNotNull()), REJECTED),
            records,
        )

    def sample(self, variant: str, folder: Path) -> Path:  # noqa: ARG002 - protocol
        """Write invented interactions that the default options and `rating=rating at=at` read."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "interactions.csv"
        rows = [f"u{n % 5},i{n % 7},{1 + n % 5},{1_600_000_000 + n}" for n in range(20)]
        quoted = '"reader, the ""first""","a key\nover two lines",4.5,1600000100'
        bad = [
            "u1,i2",
            ",i3,4,1600000000",
            "u1,i4,much,1600000000",
            "u1,i5,3,yesterday",
            'u1,"i6,2,1600000000',
        ]
        text = "\n".join(["user,item,rating,at", *rows, quoted, *bad]) + "\n"
        path.write_text(text, encoding="utf-8", newline="")
        return path


def table_of(options: Options, path: Path) -> tuple[Table, list[str]]:
    """Return how a file is read, and what a person should know of that."""
    if not path.is_file():
        raise DataError(f"no file {path}: set path= to the file")
    dialect = options.dialect(line_end(path, options.encoding))
    try:
        first = header(chunks(path, options.encoding), dialect)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    try:
        places, notes = find_columns(options.columns, first.fields, options.header)
    except UsageError as error:
        beginning = next(chunks(path, options.encoding), "")[:_LOOK]
        wanted = [column for column in options.columns.values() if column is not None]
        raise UsageError(f"{path}: {error}{other_separator(beginning, dialect, wanted)}") from None
    meaning = Meaning(options.at_format, options.decimal, options.missing)
    width = len(first.fields)
    return Table(path, options.encoding, dialect, options.header, width, places, meaning), notes


SOURCE = Csv()
