"""Parsers of single fields of publishers' files: numbers, years, and lists written as JSON or as Python literals.

Each function raises a ValueError whose message is the reason for which the record is rejected. A list that cannot
be parsed rejects its whole record: a movie or track without it would look as if its publisher had given none.
"""

import ast
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Parse = Callable[[str], Any]
"""A function from a field's text to its value, which may raise a ValueError."""

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_DATE = re.compile(r"(\d{4})(?:-\d{1,2}){0,2}", re.ASCII)
_LARGEST = 3e38  # features are single precision
SURROGATE = re.compile("[\ud800-\udfff]")
"""A lone surrogate: JSON may escape it, but no table can hold it."""


def python_literal(text: str) -> Any:
    """Parse a Python literal without running anything in it."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, TypeError, MemoryError, RecursionError):
        raise ValueError("is not a Python literal") from None


def json_value(text: str) -> Any:
    """Parse JSON."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("is not JSON") from None


def given(text: str, absent: Sequence[str] = ("",)) -> str | None:
    """Return the text without spaces around it, or None where it is one of `absent`."""
    stripped = text.strip()
    return None if not stripped or stripped in absent else stripped


def key(text: str, column: str, absent: Sequence[str] = ("",)) -> str:
    """Return a required text without spaces around it."""
    found = given(text, absent)
    if found is None:
        raise ValueError(f"{column} is empty")
    return found


def number(text: str, column: str, absent: Sequence[str] = ("",)) -> float | None:
    """Return a finite number, or None where the field is empty."""
    found = given(text, absent)
    if found is None:
        return None
    value = float(found) if _NUMBER.fullmatch(found) else math.inf
    if abs(value) > _LARGEST:
        raise ValueError(f"{column} is not a number")
    return value


def numbers(
    fields: Mapping[str, str], columns: Iterable[str], absent: Sequence[str] = ("",)
) -> list[tuple[str, float]]:
    """Return the columns that hold a number, as entries of a map."""
    read = ((column, number(fields[column], column, absent)) for column in columns)
    return [(column, value) for column, value in read if value is not None]


def year(text: str, column: str, absent: Sequence[str] = ("",)) -> int | None:
    """Return the year of a date, whose month and day may be missing; None where the field is empty or the year is 0000."""
    found = given(text, absent)
    if found is None:
        return None
    date = _DATE.fullmatch(found)
    if date is None:
        raise ValueError(f"{column} is not a date")
    return int(date[1]) or None


def entries(text: str, column: str, parse: Parse) -> list[dict[str, Any]]:
    """Return a list of mappings that each have a `name`; an empty one where the field is empty."""
    value = _listed(text, column, parse)
    if not all(isinstance(entry, dict) and isinstance(entry.get("name"), str) for entry in value):
        raise ValueError(f"{column} is not a list of entries with names")
    return value


def texts(text: str, column: str, parse: Parse) -> list[str]:
    """Return a list of texts, each once; an empty one where the field is empty."""
    value = _listed(text, column, parse)
    if not all(isinstance(entry, str) for entry in value):
        raise ValueError(f"{column} is not a list of texts")
    return distinct(value, column)


def distinct(names: Iterable[str], column: str) -> list[str]:
    """Return the names without spaces around them, each once, in their order."""
    found = [name for name in dict.fromkeys(name.strip() for name in names) if name]
    if any(SURROGATE.search(name) for name in found):
        raise ValueError(f"{column} holds half a character (a lone surrogate)")
    return found


def _listed(text: str, column: str, parse: Parse) -> list[Any]:
    if not text.strip():
        return []
    try:
        value = parse(text)
    except ValueError:
        value = None
    if isinstance(value, list):
        return value
    raise ValueError(f"{column} does not parse as a list")
