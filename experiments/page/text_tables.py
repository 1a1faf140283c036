"""Tables of experiments as text: what is the same in every row is said once below."""

from core import text_tables
from core.text_tables import WIDTH, wrapped
from experiments.page.merged_notes import without_settings
from experiments.page.tables import Table


def as_text(table: Table, width: int = WIDTH) -> str:
    """Align a table as `core.text_tables.table` does.

    Columns with one value, and settings that stand in every name, move into a line below.
    """
    told, rest = _folded(table)
    text = text_tables.table(rest.header, rest.rows, width)
    below = wrapped(f"in all rows: {', '.join(told)}", width) if told else ""
    return f"{text}\n{below}" if below else text


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
