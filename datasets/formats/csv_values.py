"""Values of an interaction's fields: keys, ratings and times, column by column, with a reason for each bad one."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import reduce
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from datasets.formats.dialect import WHITE

AtFormat = Literal["s", "ms", "iso"]

_NUMBER = r"^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?$"
_WHOLE = r"^[+-]?\d{1,15}$"
_MICROS = {"s": 1_000_000, "ms": 1_000}
_FIRST_US = (
    -2_208_988_800_000_000
)  # 1900: Spark refuses to write what is earlier, since calendars differ there
_LAST_US = 10**17  # in the year 5138: what is later is written in another unit
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?(?: ?(?:([Zz]|UTC|GMT)|([+-])(\d\d)(?::?(\d\d))?))?)?",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES = pa.timestamp("us", tz="UTC")


class Meaning(NamedTuple):
    """Notation of fields.

    Attributes:
        at_format: notation of times: "s" or "ms" since 1970, or "iso".
        decimal: decimal mark of numbers, "." or ",".
        missing: texts that mean an empty field.
    """

    at_format: AtFormat = "s"
    decimal: str = "."
    missing: tuple[str, ...] = ()


class Column(NamedTuple):
    """Values of one column, null if a field is empty or cannot be read, and the reason if it cannot (else null)."""

    values: pa.Array
    reasons: pa.Array


def keys(texts: pa.Array, name: str, meaning: Meaning) -> Column:
    """Read keys: any text that is not empty, without white space around it."""
    found = _given(texts, meaning)
    return Column(found, _because(pc.is_null(found), f"{name} is empty"))


def ratings(texts: pa.Array, meaning: Meaning) -> Column:
    """Read ratings: finite numbers in single precision, none of which may be missing."""
    found = _given(texts, meaning)
    numbers = _numbers(found, pa.float32(), meaning)
    reasons = _because(pc.is_null(found), "rating is empty")
    return Column(numbers, pc.coalesce(reasons, _because(pc.is_null(numbers), "rating is not a number")))


def times(texts: pa.Array, meaning: Meaning) -> Column:
    """Read times to the microsecond; an empty field means an unknown time."""
    found = _given(texts, meaning)
    iso = meaning.at_format == "iso"
    micros = _iso(found) if iso else _since_1970(found, meaning)
    what = "an ISO 8601 time" if iso else f"a time in {meaning.at_format} since 1970"
    wrong = pc.and_(pc.is_valid(found), pc.is_null(micros))
    return Column(micros.cast(_TIMES), _because(wrong, f"at is not {what}"))


def first_reason(*reasons: pa.Array) -> pa.Array:
    """Return the first reason of each row that is not null."""
    return reduce(pc.coalesce, reasons)


def nothing(size: int, kind: pa.DataType) -> pa.Array:
    """Return a column of nulls, for a column that the file does not have."""
    return pa.nulls(size, kind)


def _given(texts: pa.Array, meaning: Meaning) -> pa.Array:
    trimmed = pc.utf8_trim(texts, characters=WHITE)
    absent = pc.is_in(trimmed, value_set=pa.array(["", *meaning.missing]))
    return pc.if_else(absent, None, trimmed)


def _because(wrong: pa.Array, reason: str) -> pa.Array:
    return pc.if_else(wrong, pa.scalar(reason), pa.scalar(None, pa.string()))


def _numbers(texts: pa.Array, kind: pa.DataType, meaning: Meaning) -> pa.Array:
    """Read finite numbers; null for other texts."""
    points = texts
    if meaning.decimal != ".":
        points = pc.if_else(pc.match_substring(texts, "."), None, texts)
        points = pc.replace_substring(points, meaning.decimal, ".")
    numbers = _where(pc.match_substring_regex(points, _NUMBER), points).cast(kind)
    return _where(pc.is_finite(numbers), numbers)


def _since_1970(texts: pa.Array, meaning: Meaning) -> pa.Array:
    """Read microseconds since 1970: whole numbers to the last digit, others as precisely as a double holds them."""
    unit = _MICROS[meaning.at_format]
    is_whole = pc.match_substring_regex(texts, _WHOLE)
    whole = pc.replace_substring_regex(_where(is_whole, texts), r"^\+", "").cast(pa.int64())
    exact = pc.multiply(_where(_is_within(whole, unit), whole), unit)
    scaled = pc.multiply(_numbers(_where(pc.invert(is_whole), texts), pa.float64(), meaning), float(unit))
    rounded = pc.round(_where(_is_within(scaled, 1), scaled))
    return pc.coalesce(exact, rounded.cast(pa.int64()))


def _is_within(numbers: pa.Array, unit: int) -> pa.Array:
    return pc.and_(
        pc.greater_equal(numbers, float(_FIRST_US // unit)), pc.less(numbers, float(_LAST_US // unit))
    )


def _where(mask: pa.Array, values: pa.Array) -> pa.Array:
    return pc.if_else(mask, values, pa.scalar(None, values.type))


def _iso(texts: pa.Array) -> pa.Array:
    """Read microseconds since 1970 from ISO 8601; equal texts are parsed only once."""
    coded = pc.dictionary_encode(texts)
    read = pa.array([micros(text) for text in coded.dictionary.to_pylist()], pa.int64())
    return pc.take(read, coded.indices)


def micros(text: str) -> int | None:
    """Return microseconds since 1970 of a day or time in ISO 8601 (UTC if it names no zone); None if it is none from 1900 on."""
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, _, sign, hours, minutes = match.groups()
    try:
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        zone = timezone(-offset if sign == "-" else offset)
        date = (int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0))
        moment = datetime(*date, int((fraction or "0")[:6].ljust(6, "0")), tzinfo=zone)
    except ValueError:
        return None
    found = (moment - _EPOCH) // timedelta(microseconds=1)
    return found if found >= _FIRST_US else None


def looks_like_time(text: str) -> AtFormat | None:
    """Guess the notation of a time; None if the text looks like no time."""
    if micros(text) is not None:
        return "iso"
    if re.fullmatch(r"\d{12,14}", text, re.ASCII):
        return "ms"
    return "s" if re.fullmatch(r"\d{9,11}(?:\.\d+)?", text, re.ASCII) else None


def is_number(text: str) -> bool:
    """Whether a text reads as a number with a decimal point."""
    return re.match(_NUMBER, text, re.ASCII) is not None


def read_all(columns: Sequence[pa.Array | None], size: int, meaning: Meaning) -> tuple[list[Any], pa.Array]:
    """Read the columns user, item, rating and at, of which the last two may not be there."""
    user, item, rating, at = columns
    read = [keys(user, "user", meaning), keys(item, "item", meaning)]
    none = nothing(size, pa.string())
    read.append(Column(nothing(size, pa.float32()), none) if rating is None else ratings(rating, meaning))
    read.append(Column(nothing(size, _TIMES), none) if at is None else times(at, meaning))
    return [column.values for column in read], first_reason(*(column.reasons for column in read))
