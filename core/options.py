"""Strict parser from plain mappings (command line, TOML, JSON) to frozen dataclasses, and the nearest of known names."""

import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from core.errors import UsageError

T = TypeVar("T")

_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of an error message: the known name most similar to a wrong one, and all known names."""
    names = sorted(known)
    close = closest(name, names)
    listing = f"known: {', '.join(names)}" if names else "there are none"
    return listing if close is None else f"did you mean {close!r}? ({listing})"


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to a wrong one, None if none is similar."""
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)), None)


def pairs(texts: Iterable[str], option: str, example: str) -> dict[str, str]:
    """Read key=value texts of a command line, without the blanks around keys; of equal keys the last one counts.

    Args:
        texts: as given.
        option: that takes them, for errors.
        example: of one, for the error about a text without a key.

    Raises:
        UsageError: a text without "=", or without a key.
    """
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            shown = f"{key.strip()}=value" if key.strip() else example
            raise UsageError(f"{option} must be key=value, got {text!r}; write for example {option} {shown}")
        found[key.strip()] = value  # blanks may be meant: a separator of columns
    return found


def parse(cls: type[T], values: Mapping[str, Any], what: str) -> T:
    """Build the frozen dataclass `cls` from `values`, whose texts are converted to the fields' types.

    Args:
        cls: a dataclass; fields without a default are required.
        values: field name -> value; text is accepted for every type, because command lines give only text.
        what: name of the mapping for errors, for example "parameters of model als".

    Raises:
        UsageError: an unknown key (names the nearest known one), a missing key, a value of the wrong type.
    """
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(cls)
    for key in values:
        if key not in fields:
            raise UsageError(f"unknown key {key!r} in {what}: {nearest(key, fields)}")
    missing = [
        name
        for name, field in fields.items()
        if name not in values
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise UsageError(f"{what}: {', '.join(missing)} missing; set {missing[0]}=...")
    return cls(**{key: convert(hints[key], value, f"{key} in {what}") for key, value in values.items()})


def check_least(given: object, least: Mapping[str, int]) -> None:
    """Refuse attributes that are below the least that is allowed.

    Raises:
        UsageError: with the name, the value and the allowed ones.
    """
    for name, lowest in least.items():
        value = getattr(given, name)
        if value < lowest:
            raise UsageError(
                f"{name} must be {lowest} or more, got {value}; set for example {name}={lowest + 1}"
            )


def convert(hint: Any, value: Any, what: str) -> Any:
    """Convert one value to the type that a field declares.

    Raises:
        UsageError: the value cannot be converted to that type.
    """
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _optional(hint, value, what)
    if origin in (tuple, list):
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, (list, tuple)):
            raise UsageError(f"{what} must be a list, got {value!r}")
        inner = typing.get_args(hint)[0]
        return (tuple if origin is tuple else list)(convert(inner, item, what) for item in items)
    if origin is typing.Literal:
        return _one_of(typing.get_args(hint), value, what)
    if hint is Path:
        return Path(value).expanduser().resolve()
    if hint is Any or origin is not None:
        return value
    return _scalar(hint, value, what)


def _optional(hint: Any, value: Any, what: str) -> Any:
    if value is None or (isinstance(value, str) and value.lower() in ("", "none")):
        return None
    (inner,) = (arg for arg in typing.get_args(hint) if arg is not type(None))
    return convert(inner, value, what)


def _one_of(choices: tuple[Any, ...], value: Any, what: str) -> Any:
    if value not in choices:
        raise UsageError(f"{what}: unknown value {value!r}: {nearest(str(value), map(str, choices))}")
    return value


def _scalar(hint: Any, value: Any, what: str) -> Any:
    wrong = UsageError(f"{what} must be {_KINDS.get(hint, hint.__name__)}, got {value!r}")
    if hint is bool:
        if isinstance(value, bool):
            return value
        if str(value).lower() not in _BOOLEANS:
            raise wrong
        return _BOOLEANS[str(value).lower()]
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise wrong
    if hint is str:
        return str(value)
    try:
        if hint is int and isinstance(value, float) and not value.is_integer():
            raise wrong
        return hint(value)
    except ValueError:
        raise wrong from None
