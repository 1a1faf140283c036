"""Amounts that are read and written: what is written can be read again, and what cannot be read is named."""

import pytest

from core.errors import UsageError
from core.units import (
    GIB,
    KIB,
    MIB,
    count,
    count_text,
    duration,
    gib,
    mb,
    mebibytes,
    memory_text,
    mib,
    positive,
    rough_time,
    short_count,
    size_text,
    time_in_words,
    time_text,
    whole_gib,
)


@pytest.mark.parametrize(("text", "amount"), [("2g", 2048), ("512m", 512), ("1G", 1024), (" 3gb ", 3072)])
def test_memory_is_read_as_spark_writes_it(text, amount):
    assert mebibytes(text) == amount


@pytest.mark.parametrize("text", ["", "2", "0g", "-1g", "2t", "1.5g", "2 g"])
def test_other_ways_to_write_memory_are_refused(text):
    with pytest.raises(UsageError, match=rf"2g or 512m, got {text!r}"):
        mebibytes(text)


@pytest.mark.parametrize("amount", [1, 512, 1023, 1024, 5 * 1024, 1500])
def test_memory_that_is_written_for_spark_comes_back(amount):
    assert mebibytes(f"{amount}m") == amount
    assert mebibytes(f"{whole_gib(amount * MIB)}g") > amount
    assert mib(mebibytes(f"{amount}m") * MIB) == f"{amount:,} MiB"


@pytest.mark.parametrize(
    ("size", "file", "memory"),
    [
        (0, "0 B", "0 MiB"),
        (1023, "1023 B", "0 MiB"),
        (3 * KIB, "3 KiB", "0 MiB"),
        (20 * MIB, "20 MiB", "20 MiB"),
        (1.5 * GIB, "1.5 GiB", "1.5 GiB"),
        (2000 * GIB, "2,000.0 GiB", "2,000.0 GiB"),
    ],
)
def test_sizes_have_a_readable_unit(size, file, memory):
    assert (size_text(size), memory_text(size)) == (file, memory)


def test_amounts_that_stand_side_by_side_keep_one_unit():
    assert [mib(size) for size in (0.4 * MIB, 3 * GIB)] == ["0 MiB", "3,072 MiB"]
    assert [mb(1_250_400_000), mb(1_250_400, 1)] == ["1,250", "1.3"]
    assert [gib(amount) for amount in (512, 8 * 1024)] == ["0.5", "8.0"]
    assert [whole_gib(size) for size in (0.1 * GIB, 2.5 * GIB)] == [1, 3]


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("1h30m", 5400), ("0.5h", 1800)]
)
def test_durations_are_read_with_their_units(text, seconds):
    assert duration(text, "the deadline") == seconds


@pytest.mark.parametrize("text", ["30", "soon", "0m", "-5s", "1 h", "1d", ""])
def test_other_durations_are_refused_by_name(text):
    with pytest.raises(UsageError, match=rf"^the deadline must be .*got {text!r}"):
        duration(text, "the deadline")


@pytest.mark.parametrize("seconds", [1, 59.9, 100, 250, 3599, 5399, 5400, 7500, 100 * 3600])
def test_a_time_that_is_written_can_be_read_to_its_last_digit(seconds):
    short = time_text(seconds).replace(" min", "m").replace(" s", "s").replace(" h", "h")
    unit = 60 if seconds >= 5400 else 1 if seconds >= 100 else 0.1
    assert duration(short.replace(" ", "").replace(",", ""), "time") == pytest.approx(seconds, abs=unit / 2)


def test_times_are_written_for_people():
    texts = [time_text(value) for value in (0.5, 59.94, 250, 3599.7, 7500)]
    assert texts == ["0.50 s", "59.9 s", "4 min 10 s", "60 min 00 s", "2 h 05 min"]


def test_estimates_are_rough():
    assert [rough_time(seconds) for seconds in (5.4, 119, 600, 7500)] == [
        "5 s",
        "119 s",
        "10 min",
        "2 h 05 min",
    ]


def test_times_in_sentences():
    assert [time_in_words(value) for value in (0.0123, 0.5, 6.25, 99.9, 250.0, 600.0, 9000.0)] == [
        "0.012 s", "0.5 s", "6.2 s", "99.9 s", "250 s", "10 minutes", "2.5 hours",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["33e6", "33000000", "33_000_000"])
def test_counts_are_read_as_people_write_them(text):
    assert count(text, "rows") == 33_000_000


@pytest.mark.parametrize("value", [1, 950, 33_000_000])
def test_a_count_that_is_written_can_be_read(value):
    assert count(count_text(value).replace(",", "_"), "rows") == value


@pytest.mark.parametrize("text", ["0", "-5", "1.5", "nan", "inf", "many", ""])
def test_what_is_no_count_is_named(text):
    with pytest.raises(UsageError, match=rf"^rows must be .*got {text!r}"):
        count(text, "rows")


@pytest.mark.parametrize("text", ["0", "-1", "inf", "much"])
def test_what_is_no_positive_number_is_named(text):
    assert positive("0.4", "--price") == 0.4
    with pytest.raises(UsageError, match=rf"^--price must be .*got {text!r}"):
        positive(text, "--price")


def test_counts_are_written_whole_or_short():
    assert [count_text(value) for value in (4, 0.5, 12345)] == ["4", "0.50", "12,345"]
    assert [short_count(value) for value in (0, 950, 1234, 2_500_000, 2e9)] == [
        "0",
        "950",
        "1.23k",
        "2.5M",
        "2G",
    ]
