"""Reads single fields of publishers' files: numbers, years, and lists written as JSON or as Python literals.

Each function raises a ValueError whose message is the reason for which the record is rejected. A list that does not
parse rejects its record whole: a movie or track without it would look as if its publisher had given none.
"""

import ast
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Parse = Callable[[str], Any]
"""Turns a field's text into a value, or raises a ValueError."""

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_DATE = re.compile(r"(\d{4})(?:-\d{1,2}){0,2}", re.ASCII)
_LARGEST = 3e38  # features are single precision
SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a character: JSON may escape it, no table can hold it."""


def python_literal(text: str) -> Any:
    """Parse a Python literal; nothing in it is ever run."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, TypeError, MemoryError, RecursionError):
        raise ValueError("is no Python literal") from None


def json_value(text: str) -> Any:
    """Parse JSON."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("is no JSON") from None


def given(text: str, absent: Sequence[str] = ("",)) -> str | None:
    """The text without spaces around it, or None where it is one of `absent`."""
    stripped = text.strip()
    return None if not stripped or stripped in absent else stripped


def key(text: str, column: str, absent: Sequence[str] = ("",)) -> str:
    """A text that must be given."""
    found = given(text, absent)
    if found is None:
        raise ValueError(f"{column} is empty")
    return found


def number(text: str, column: str, absent: Sequence[str] = ("",)) -> float | None:
    """A finite number, or None where there is none."""
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
    """The columns that hold a number, as entries of a map."""
    read = ((column, number(fields[column], column, absent)) for column in columns)
    return [(column, value) for column, value in read if value is not None]


def year(text: str, column: str, absent: Sequence[str] = ("",)) -> int | None:
    """The year of a date of which month and day may be missing; None where there is none, or it is 0000."""
    found = given(text, absent)
    if found is None:
        return None
    date = _DATE.fullmatch(found)
    if date is None:
        raise ValueError(f"{column} is not a date")
    return int(date[1]) or None


def entries(text: str, column: str, parse: Parse) -> list[dict[str, Any]]:
    """A list of mappings that each have a `name`; none where the field is empty."""
    value = _listed(text, column, parse)
    if not all(isinstance(entry, dict) and isinstance(entry.get("name"), str) for entry in value):
        raise ValueError(f"{column} is not a list of entries with names")
    return value


def texts(text: str, column: str, parse: Parse) -> list[str]:
    """A list of texts, each once; none where the field is empty."""
    value = _listed(text, column, parse)
    if not all(isinstance(entry, str) for entry in value):
        raise ValueError(f"{column} is not a list of texts")
    return distinct(value, column)


def distinct(names: Iterable[str], column: str) -> list[str]:
    """The names without spaces around them, each once, in their order."""
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
