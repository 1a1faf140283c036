"""Tables and notes as plain text: columns that are aligned, and lines that a terminal does not break."""

import textwrap
from collections.abc import Collection, Iterator, Sequence

WIDTH = 120
"""Columns of a terminal that texts keep within."""

_GAP = 2
_LONGEST_WORD = 24

Row = Sequence[str]


def columns(rows: Sequence[Row], right: Collection[int] = ()) -> list[str]:
    """Align rows, the first of which may be a header, in columns two spaces apart, however wide.

    Args:
        rows: cells, as many in each row.
        right: numbers of the columns that are aligned to the right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [_joined(row, widths, [n for n in range(len(widths)) if n not in right]) for row in rows]


def table(header: Row, rows: Sequence[Row], width: int = WIDTH) -> str:
    """Align a table: names, in the first column, to the left, numbers to the right.

    Long cells are wrapped, and where there are too many columns for that they are shown in several parts, each with the
    names. A single row that is too wide becomes a list.
    """
    if len(rows) == 1:
        fits = _sum(_widths([header, *rows])) <= width
        return "\n".join(_aligned(header, rows, width) if fits else _listed(header, rows[0], width))
    parts = ("\n".join(_aligned(*part, width)) for part in _parts(header, rows, width))
    return "\n\n".join(parts)


def wrapped(text: str, width: int = WIDTH) -> str:
    """Break the lines of a note or an answer; what continues is set in, long words such as paths stay whole."""
    return "\n".join(
        textwrap.fill(line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
        for line in text.splitlines()
    )


def hanging(name: str, text: str, indent: int, width: int = WIDTH) -> str:
    """Write a name and, set in by `indent`, the lines of a text on it."""
    return textwrap.fill(text, width, initial_indent=name.ljust(indent), subsequent_indent=" " * indent)


def _parts(header: Row, rows: Sequence[Row], width: int) -> Iterator[tuple[Row, list[Row]]]:
    """Yield parts of a table with so few columns each that every word has room, the names in all of them."""
    least = _least([header, *rows])
    chosen = [0]
    for column in range(1, len(header)):
        if len(chosen) > 1 and _sum([*(least[each] for each in chosen), least[column]]) > width:
            yield _only(header, chosen), [_only(row, chosen) for row in rows]
            chosen = [0]
        chosen.append(column)
    yield _only(header, chosen), [_only(row, chosen) for row in rows]


def _only(row: Row, columns: Sequence[int]) -> Row:
    return [row[n] for n in columns]


def _aligned(header: Row, rows: Sequence[Row], width: int) -> Iterator[str]:
    """Yield the lines of a table whose words fit; the widest columns are wrapped."""
    widths, least = _widths([header, *rows]), _least([header, *rows])
    wrapped: set[int] = set()
    while _sum(widths) > width and any(wide > few for wide, few in zip(widths, least, strict=True)):
        widest = max(
            (column for column in range(len(widths)) if widths[column] > least[column]),
            key=lambda n: widths[n],
        )
        widths[widest] -= 1
        wrapped.add(widest)
    left = {0, *wrapped}
    yield from _row(header, widths, left)
    yield (" " * _GAP).join("-" * wide for wide in widths)
    for row in rows:
        yield from _row(row, widths, left)


def _row(cells: Row, widths: Sequence[int], left: Collection[int]) -> Iterator[str]:
    found = [_lines(cell, wide) for cell, wide in zip(cells, widths, strict=True)]
    for number in range(max(map(len, found))):
        yield _joined([lines[number] if number < len(lines) else "" for lines in found], widths, left)


def _joined(cells: Row, widths: Sequence[int], left: Collection[int]) -> str:
    """Put the cells of one line in their columns."""
    texts = (
        cell.ljust(wide) if column in left else cell.rjust(wide)
        for column, (cell, wide) in enumerate(zip(cells, widths, strict=True))
    )
    return (" " * _GAP).join(texts).rstrip()


def _lines(cell: str, wide: int) -> list[str]:
    """Cut a cell into lines; those after the first are set in, so that rows stay apart."""
    if len(cell) <= wide:
        return [cell]
    indent = "  " if wide > _LONGEST_WORD else ""
    return textwrap.wrap(cell, wide, subsequent_indent=indent, break_on_hyphens=False)


def _listed(header: Row, row: Row, width: int) -> Iterator[str]:
    """Yield a single row as a list: each column's name and its value."""
    wide = min(max(map(len, header)), width // 3)
    for name, value in zip(header, row, strict=True):
        names = textwrap.wrap(name, wide) or [""]
        values = textwrap.wrap(value, width - wide - _GAP, break_on_hyphens=False) or [""]
        for number in range(max(len(names), len(values))):
            left = names[number] if number < len(names) else ""
            right = values[number] if number < len(values) else ""
            yield f"{left.ljust(wide)}{' ' * _GAP}{right}".rstrip()


def _widths(lines: Sequence[Row]) -> list[int]:
    return [max(map(len, column)) for column in zip(*lines, strict=True)]


def _least(lines: Sequence[Row]) -> list[int]:
    """Return how narrow each column may become: its longest word, but long words may be broken."""
    return [
        min(_LONGEST_WORD, max((len(word) for cell in column for word in cell.split()), default=1))
        for column in zip(*lines, strict=True)
    ]


def _sum(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)
