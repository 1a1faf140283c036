"""Guesses from rejected lines which option of `csv` would read them."""

import re
from collections.abc import Iterator, Sequence

from datasets.formats.csv_table import Table
from datasets.formats.csv_values import looks_like_time
from datasets.formats.dialect import QUOTES, WHITE
from datasets.source import Example

_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_POINT = re.compile(r"[+-]?\d+\.\d+", re.ASCII)


def advise(table: Table, rejected: Sequence[Example]) -> Iterator[str]:
    """Yield a sentence for each reason for which a guess can be made."""
    for example in rejected:
        fields = _fields(table, example.text)
        guess = (
            _of_time(table, example, fields)
            or _of_rating(table, example, fields)
            or _of_quotes(table, example)
            or _of_width(table, example)
            or _of_encoding(table, example)
        )
        if guess:
            yield guess


def _fields(table: Table, text: str) -> list[str] | None:
    found = table.dialect.split(text, lines=True)
    if found is None or len(found[0]) != table.width:
        return None
    return [table.dialect.value(field).strip(WHITE) for field in found[0]]


def _of_time(table: Table, example: Example, fields: list[str] | None) -> str | None:
    place = table.places.at
    if fields is None or place is None or not example.reason.startswith("at is not"):
        return None
    how = looks_like_time(fields[place])
    if how is None or how == table.meaning.at_format:
        return None
    what = {"s": "seconds since 1970", "ms": "milliseconds since 1970", "iso": "ISO 8601"}[how]
    return f"The time {fields[place]!r} looks like {what}: set data.at_format={how}."


def _of_rating(table: Table, example: Example, fields: list[str] | None) -> str | None:
    place = table.places.rating
    if fields is None or place is None or example.reason != "rating is not a number":
        return None
    if not table.header and example.line == 1:
        return "The first line looks like the columns' names: set data.header=true."
    other, pattern = (",", _COMMA) if table.meaning.decimal == "." else (".", _POINT)
    if pattern.fullmatch(fields[place]):
        return f"The rating {fields[place]!r} looks like a number with the decimal mark {other!r}: set data.decimal={other}."
    return None


def _of_quotes(table: Table, example: Example) -> str | None:
    quote = table.dialect.quote
    if example.reason != QUOTES or quote is None:
        return None
    where = "this line" if example.line is None else f"line {example.line:,}"
    open_ = table.dialect.split(example.text + quote) is not None or example.text.count(quote) % 2
    what = (
        f"In {where} a quotation is never closed" if open_ else f"In {where} the quotation marks do not match"
    )
    more = (
        "; data.multiline=no ends each quotation with its line"
        if open_ and table.dialect.multiline is not False
        else ""
    )
    if table.dialect.escape is None and f"\\{quote}" in example.text:
        more += "; data.escape=\\ makes the character after a backslash ordinary"
    return f"{what}: data.quote=none reads quotation marks as ordinary characters{more}."


def _of_width(table: Table, example: Example) -> str | None:
    if table.dialect.quote is None and '"' in example.text and example.reason.startswith("has "):
        return "With data.quote=none a separator inside quotation marks ends the field: leave the option out if they quote."
    if example.reason == f"has {table.width + 1} fields where {table.width} are expected" and table.header:
        return (
            "If every row has one field more than the header, the first column has no name (R writes row names like this): "
            "add a name at the beginning of the file's first line."
        )
    return None


def _of_encoding(table: Table, example: Example) -> str | None:
    if example.reason != f"is not {table.encoding}":
        return None
    return (
        f"Bytes that are not {table.encoding} are shown as in \\xe9: set data.encoding= to the file's encoding "
        "(cp1252, latin-1, utf-16 ...)."
    )
