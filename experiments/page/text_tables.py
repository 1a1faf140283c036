"""Tables and notes for a terminal: at most 120 columns wide; what is the same in every row of a table is said once below."""

import textwrap
from collections.abc import Iterator, Sequence

from experiments.page.merged_notes import without_settings
from experiments.page.tables import Table

WIDTH = 120
_GAP = 2
_LONGEST_WORD = 24


def as_text(table: Table, width: int = WIDTH) -> str:
    """Align a table: names to the left, numbers to the right.

    Columns with one value, and settings that stand in every name, move into a line below; long cells are wrapped, and
    where there are too many columns for that they are shown in several parts, each with the names. A single row that
    is too wide becomes a list.
    """
    if len(table.rows) == 1:
        natural = _sum(_widths(table))
        return "\n".join(_aligned(table, width) if natural <= width else _listed(table, width))
    told, rest = _folded(table)
    parts = ["\n".join(_aligned(part, width)) for part in _parts(rest, width)]
    text = "\n\n".join(parts)
    below = wrapped(f"in all rows: {', '.join(told)}", width) if told else ""
    return f"{text}\n{below}" if below else text


def wrapped(text: str, width: int = WIDTH) -> str:
    """Break the lines of a note or an answer; what continues is set in, long words such as paths stay whole."""
    return "\n".join(
        textwrap.fill(line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
        for line in text.splitlines()
    )


def _folded(table: Table) -> tuple[list[str], Table]:
    """Return what is the same in every row, and the table without it."""
    if len(table.rows) < 2:
        return [], table
    same = [
        column
        for column in range(1, len(table.header))
        if len({row[column] for row in table.rows}) == 1
        and (table.header[column] or not table.rows[0][column])
    ]
    if len(same) == len(table.header) - 1:  # rows that differ in nothing else: the table would be names alone
        same = []
    told, names = without_settings([row[0] for row in table.rows])
    told += [f"{table.header[column]} {table.rows[0][column]}" for column in same if table.header[column]]
    kept = [column for column in range(1, len(table.header)) if column not in same]
    rows = [[name, *(row[column] for column in kept)] for name, row in zip(names, table.rows, strict=True)]
    return told, Table([table.header[0], *(table.header[column] for column in kept)], rows)


def _parts(table: Table, width: int) -> Iterator[Table]:
    """Yield parts of a table with so few columns each that every word has room, the names in all of them."""
    least = _least(table)
    columns: list[int] = []
    for column in range(1, len(table.header)):
        if columns and _sum([least[0], *(least[each] for each in columns), least[column]]) > width:
            yield _only(table, columns)
            columns = []
        columns.append(column)
    yield _only(table, columns)


def _only(table: Table, columns: Sequence[int]) -> Table:
    chosen = [0, *columns]
    return Table([table.header[n] for n in chosen], [[row[n] for n in chosen] for row in table.rows])


def _aligned(table: Table, width: int) -> Iterator[str]:
    """Yield the lines of a table whose words fit; the widest columns are wrapped."""
    widths, least = _widths(table), _least(table)
    wrapped: set[int] = set()
    while _sum(widths) > width and any(wide > few for wide, few in zip(widths, least, strict=True)):
        widest = max(
            (column for column in range(len(widths)) if widths[column] > least[column]),
            key=lambda n: widths[n],
        )
        widths[widest] -= 1
        wrapped.add(widest)
    yield from _row(table.header, widths, wrapped)
    yield "  ".join("-" * wide for wide in widths)
    for row in table.rows:
        yield from _row(row, widths, wrapped)


def _row(cells: Sequence[str], widths: Sequence[int], wrapped: set[int]) -> Iterator[str]:
    columns = [_lines(cell, wide) for cell, wide in zip(cells, widths, strict=True)]
    for number in range(max(map(len, columns))):
        texts = [found[number] if number < len(found) else "" for found in columns]
        yield (
            (" " * _GAP)
            .join(
                text.ljust(wide) if column == 0 or column in wrapped else text.rjust(wide)
                for column, (text, wide) in enumerate(zip(texts, widths, strict=True))
            )
            .rstrip()
        )


def _lines(cell: str, wide: int) -> list[str]:
    """Cut a cell into lines; those after the first are set in, so that rows stay apart."""
    if len(cell) <= wide:
        return [cell]
    indent = "  " if wide > _LONGEST_WORD else ""
    return textwrap.wrap(cell, wide, subsequent_indent=indent, break_on_hyphens=False)


def _listed(table: Table, width: int) -> Iterator[str]:
    """Yield a single row as a list: each column's name and its value."""
    wide = min(max(map(len, table.header)), width // 3)
    for name, value in zip(table.header, table.rows[0], strict=True):
        names = textwrap.wrap(name, wide) or [""]
        values = textwrap.wrap(value, width - wide - _GAP, break_on_hyphens=False) or [""]
        for number in range(max(len(names), len(values))):
            left = names[number] if number < len(names) else ""
            right = values[number] if number < len(values) else ""
            yield f"{left.ljust(wide)}{' ' * _GAP}{right}".rstrip()


def _widths(table: Table) -> list[int]:
    return [max(len(line[column]) for line in _all(table)) for column in range(len(table.header))]


def _least(table: Table) -> list[int]:
    """Return how narrow each column may become: its longest word, but long words may be broken."""
    return [
        min(
            _LONGEST_WORD,
            max((len(word) for line in _all(table) for word in line[column].split()), default=1),
        )
        for column in range(len(table.header))
    ]


def _all(table: Table) -> list[list[str]]:
    return [table.header, *table.rows]


def _sum(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)
