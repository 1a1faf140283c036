"""Columns of a file of interactions, found by its first line; ambiguous names are refused."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from core.errors import UsageError
from core.options import nearest
from datasets.formats.csv_table import Places
from datasets.formats.csv_values import is_number, looks_like_time
from datasets.formats.dialect import WHITE, Dialect

_OTHERS = (",", ";", "\t", "|", "::", " ")
_SAID = {"\t": "tab", " ": "space"}


def find_columns(
    wanted: Mapping[str, str | None], names: Sequence[str], header: bool
) -> tuple[Places, list[str]]:
    """Find the columns' positions.

    A column is given by its name, by its position from 0, or by "#" and its position, which is never a name.

    Args:
        wanted: column by role (user, item, rating, at), None for a role that the file does not have.
        names: fields of the file's first record.
        header: whether they are names.

    Returns:
        The places, and warnings about them.

    Raises:
        UsageError: there is no such column, the name is ambiguous, or two roles name the same column.
    """
    found = {
        role: _place(role, column, names, header) for role, column in wanted.items() if column is not None
    }
    roles: dict[int, str] = {}
    for role, place in found.items():
        if place in roles:
            raise UsageError(
                f"{roles[place]}={wanted[roles[place]]} and {role}={wanted[role]} are the same column "
                f"({_called(names, place, header)}): name another one; leave rating or at out if the file has none"
            )
        roles[place] = role
    places = Places(**found)
    if not header or any(wanted[role] == names[place] for role, place in found.items()):
        return places, []
    if not any(str(wanted[role]).startswith("#") for role in found):
        _refuse_a_row(places, names)
    return places, [
        f"the first line is read as the columns' names, not as a row: {_shown(names)} (header=false reads it as a row)"
    ]


def _place(role: str, wanted: str, names: Sequence[str], header: bool) -> int:
    digits = wanted.removeprefix("#")
    by_position = {int(digits)} if digits.isdecimal() and int(digits) < len(names) else set()
    by_name = [place for place, name in enumerate(names) if header and name == wanted]
    if len(by_name) > 1:
        listed = " and ".join(f"#{place}" for place in by_name)
        raise UsageError(
            f"{role}={wanted}: {len(by_name)} columns have this name, {listed}; name one by its position, for example "
            f"{role}=#{by_name[0]}"
        )
    every = {*by_name, *by_position}
    if len(every) == 1:
        return every.pop()
    if every:
        raise UsageError(
            f"{role}={wanted} is the name of column #{by_name[0]} and the position of another, called "
            f"{names[int(digits)]!r}: write {role}=#{by_name[0]} or {role}=#{digits}"
        )
    if not header:
        raise UsageError(
            f"no column {wanted!r} for {role}: without a header give a position from 0 to {len(names) - 1}"
        )
    raise UsageError(f"no column {wanted!r} for {role}: {nearest(wanted, names)}")


def _called(names: Sequence[str], place: int, header: bool) -> str:
    return f"#{place}, {names[place]!r}" if header else f"#{place}"


def _refuse_a_row(places: Places, names: Sequence[str]) -> None:
    """Refuse a header that looks like a row, if all columns are given by position."""
    given = [names[place] for place in (places.rating, places.at) if place is not None]
    told_by = given or [names[places.user], names[places.item]]
    if all(is_number(text) or looks_like_time(text) for text in told_by):
        raise UsageError(
            f"the first line looks like a row, not like the columns' names: {_shown(names)}. Set header=false if it is a row; if "
            f"these are names, write positions with #, for example user=#{places.user}"
        )


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names)[:200]


def other_separator(text: str, dialect: Dialect, wanted: Sequence[str]) -> str:
    """Guess the separator with which a first line has the wanted columns, as the end of a message; "" if none does."""
    first = text.partition(dialect.line_end)[0].strip("\r")
    if first.startswith("sep="):
        return f"; the first line, {first!r}, is a hint for Excel: remove it, and set separator={said(first[4:])}"
    others = {
        mark: _names(first, replace(dialect, separator=mark))
        for mark in _OTHERS
        if mark not in (dialect.separator, dialect.quote, dialect.escape)
    }
    fit = [mark for mark, names in others.items() if len(names) > 1 and _has(names, wanted)]
    if not fit and len(_names(first, dialect)) == 1:
        fit = sorted((mark for mark in others if len(others[mark]) > 1), key=lambda mark: -len(others[mark]))
    if not fit:
        return ""
    return f"; with separator={said(fit[0])} it has the columns {_shown(others[fit[0]])}"


def _names(line: str, dialect: Dialect) -> list[str]:
    found = dialect.split(line)
    return [] if found is None else [dialect.value(field).strip(WHITE) for field in found[0]]


def _has(names: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether there are all wanted columns, by name or position."""
    return {column.removeprefix("#") for column in wanted} <= {*names, *map(str, range(len(names)))}


def said(separator: str) -> str:
    """Return a separator in the notation of the option."""
    return _SAID.get(separator, separator)
