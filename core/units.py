"""Amounts as people write them: memory, durations and counts, read from text and written as text."""

import math
import re

from core.errors import UsageError

KIB, MIB, GIB = 2**10, 2**20, 2**30

_MEMORY = {"m": 1, "g": 1024}
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[hms])+")


def mebibytes(memory: str) -> int:
    """Return an amount of memory as Spark writes it ("2g", "512m") in MiB.

    Raises:
        UsageError: the text has another form.
    """
    match = re.fullmatch(r"([1-9]\d*)([mg])b?", memory.strip().lower())
    if match is None:
        raise UsageError(f"memory must be a whole number with g or m, for example 2g or 512m, got {memory!r}")
    return int(match[1]) * _MEMORY[match[2]]


def duration(text: str, what: str) -> float:
    """Read seconds: 90s, 30m, 2h, 1h30m.

    Raises:
        UsageError: it has no unit, or is not greater than 0.
    """
    if not _DURATION.fullmatch(text):
        raise UsageError(f"{what} must be a number with its unit, as in 90s, 30m, 2h or 1h30m, got {text!r}")
    seconds = sum(float(part[:-1]) * _SECONDS[part[-1]] for part in re.findall(r"[\d.]+[hms]", text))
    if seconds <= 0:
        raise UsageError(f"{what} must be greater than 0, got {text!r}")
    return seconds


def count(text: str, what: str) -> int:
    """Read a number of things: 33e6, 33000000, 33_000_000.

    Raises:
        UsageError: it is not a whole number of 1 or more.
    """
    value = _number(text, what)
    if value < 1 or not value.is_integer():
        raise UsageError(
            f"{what} must be a whole number of 1 or more, got {text!r}; write it as in 33e6 or 33_000_000"
        )
    return int(value)


def positive(text: str, what: str) -> float:
    """Read a number, as of money.

    Raises:
        UsageError: it is not a number greater than 0.
    """
    value = _number(text, what)
    if value <= 0:
        raise UsageError(f"{what} must be greater than 0, got {text!r}")
    return value


def size_text(size: float) -> str:
    """Write the bytes of a file or folder: 512 B, 3 KiB, 20 MiB, 1.5 GiB."""
    if size < MIB:
        return f"{size:.0f} B" if size < KIB else f"{size / KIB:,.0f} KiB"
    return memory_text(size)


def memory_text(size: float) -> str:
    """Write bytes as MiB or GiB: 512 MiB, 1.5 GiB."""
    return mib(size) if size < GIB else f"{size / GIB:,.1f} GiB"


def mib(size: float) -> str:
    """Write bytes as MiB, however many, so that amounts stand side by side: 3,072 MiB."""
    return f"{size / MIB:,.0f} MiB"


def gib(amount: float) -> str:
    """Write an amount of MiB as a number of GiB, without its unit: 1.5."""
    return f"{amount / 1024:.1f}"


def mb(size: float, digits: int = 0) -> str:
    """Write bytes as a number of MB (a million bytes), without its unit: 1,250."""
    return f"{size / 1e6:,.{digits}f}"


def whole_gib(size: float) -> int:
    """Return bytes as whole GiB that hold them, for a setting."""
    return int(size / GIB) + 1


def time_text(seconds: float) -> str:
    """Write a duration with its leading digits: 0.84 s, 12.3 s, 4 min 10 s, 2 h 05 min."""
    if seconds < 100:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    if seconds < 5400:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest:02d} s"
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {rest:02d} min"


def rough_time(seconds: float) -> str:
    """Write an estimate of a duration: 95 s, 12 min, 2 h 05 min."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def time_in_words(seconds: float) -> str:
    """Write a duration for a sentence, with two or three digits: 0.12 s, 12.3 s, 5.5 minutes, 1.75 hours."""
    if seconds >= 5400:
        return f"{seconds / 3600:.3g} hours"
    if seconds >= 300:
        return f"{seconds / 60:.3g} minutes"
    return (
        f"{seconds:.0f} s" if seconds >= 99.95 else f"{seconds:.1f} s" if seconds >= 1 else f"{seconds:.2g} s"
    )


def count_text(value: float) -> str:
    """Write a number of cores, workers or rows; two decimals if it is not whole."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def short_count(value: float) -> str:
    """Write a count in few letters: 950, 1.2k, 3.4M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _number(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise UsageError(f"{what} must be a number, got {text!r}") from None
    if not math.isfinite(value):
        raise UsageError(f"{what} must be a number, got {text!r}")
    return value
