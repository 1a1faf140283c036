"""Parsers of typed rows, durations, prices and memory, and texts of times and sizes."""

import math
import re

from core.errors import UsageError

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[hms])+")


def rows(text: str) -> int:
    """Read a number of rows: 33e6, 33000000, 33_000_000.

    Raises:
        UsageError: it is not a whole number of 1 or more.
    """
    value = _number(text, "rows")
    if value < 1 or not value.is_integer():
        raise UsageError(
            f"rows must be a whole number of 1 or more, got {text!r}; write it as in 33e6 or 33_000_000"
        )
    return int(value)


def duration(text: str, what: str) -> float:
    """Read seconds: 90s, 30m, 2h, 1h30m.

    Raises:
        UsageError: it has no unit, or is not greater than 0.
    """
    if not _DURATION.fullmatch(text):
        raise UsageError(f"{what} must be a number with its unit, as in 90s, 30m, 2h or 1h30m, got {text!r}")
    seconds = sum(float(part[:-1]) * _UNITS[part[-1]] for part in re.findall(r"[\d.]+[hms]", text))
    if seconds <= 0:
        raise UsageError(f"{what} must be greater than 0, got {text!r}")
    return seconds


def price(text: str) -> float:
    """Read a price, in any currency.

    Raises:
        UsageError: it is not a number greater than 0.
    """
    value = _number(text, "--price-per-worker-hour")
    if value <= 0:
        raise UsageError(f"--price-per-worker-hour must be greater than 0, got {text!r}")
    return value


def memory(text: str) -> float:
    """Read bytes: 2g, 1500m.

    Raises:
        UsageError: it is written in another way.
    """
    if not re.fullmatch(r"[1-9]\d*[mg]", text):
        raise UsageError(f"memory must be written as in 2g or 1500m, got {text!r}")
    return int(text[:-1]) * {"m": 2.0**20, "g": 2.0**30}[text[-1]]


def time_text(seconds: float) -> str:
    """Write a duration with its leading digits: 0.84 s, 12.3 s, 4 min 10 s, 2 h 05 min."""
    if seconds < 100:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    if seconds < 5400:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest:02d} s"
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {rest:02d} min"


def memory_text(size: float) -> str:
    """Write bytes as MiB or GiB."""
    return f"{size / 2**20:,.0f} MiB" if size < 2**30 else f"{size / 2**30:,.1f} GiB"


def count_text(value: float) -> str:
    """Write a number of cores, workers or rows; two decimals if it is not whole."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def _number(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise UsageError(f"{what} must be a number, got {text!r}") from None
    if not math.isfinite(value):
        raise UsageError(f"{what} must be a number, got {text!r}")
    return value
