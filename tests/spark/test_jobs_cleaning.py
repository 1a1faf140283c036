"""Every row that comes in goes out or is counted with its reason; ids and digest depend on the rows alone."""

from datetime import UTC, datetime

import pytest

from core.errors import JobError
from datasets.formats.dialect import EMPTY
from datasets.source import ITEMS, RAW, RECORDS, REJECTED, Example, Raw
from jobs.prepare.build import clean, statistics
from jobs.prepare.cleaning import Limits

SCALE = Limits(1.0, 5.0, 1.0)


def at(second):
    return datetime.fromtimestamp(1_000_000 + second, UTC) if second is not None else None


def raw(spark, rows, items=None, rejected=(), partitions=2):
    ratings = spark.createDataFrame(rows, RAW).repartition(partitions)
    catalogue = None if items is None else spark.createDataFrame(items, ITEMS)
    return Raw(
        ratings, catalogue, spark.createDataFrame([(file, None, *rest) for file, *rest in rejected], REJECTED)
    )


def item(key, title=None):
    return (key, title, None, None, None, None, None, None)


GOOD = [
    (str(u), str(i), float(1 + (u * i) % 5), at(u * 10 + i), None) for u in (9, 10, 100) for i in (2, 11, 30)
]


def rows(frame, *columns):
    return sorted(tuple(row) for row in frame.select(*columns).collect())


def keyed(cleaned):
    joined = cleaned.ratings.join(cleaned.users.withColumnRenamed("key", "u"), "user").join(
        cleaned.items.select("item", "key").withColumnRenamed("key", "i"), "item"
    )
    return rows(joined, "u", "i", "rating")


def test_every_planted_bad_row_is_counted_with_its_reason(spark):
    bad = [
        (None, "2", 3.0, at(1), None),
        ("  ", "2", 3.0, at(1), None),
        ("9", "", 3.0, at(1), None),
        ("9", "77", float("nan"), at(1), None),
        ("9", "78", 0.0, at(1), None),
        ("9", "79", 6.0, at(1), None),
        ("9", "80", float("inf"), at(1), None),
        ("9", "81", 2.5, at(1), None),
    ]
    unreadable = [("ratings.dat", "1::x", "has 2 fields where 4 are expected")]
    cleaned = clean(raw(spark, GOOD + bad, rejected=unreadable), SCALE, 0, 0.9, "here")
    assert cleaned.dropped == {
        "user missing": 2,
        "item missing": 1,
        "rating is not a number": 1,
        "rating below 1": 1,
        "rating above 5": 2,
        "rating not in steps of 1": 1,
        "has 2 fields where 4 are expected": 1,
    }
    assert cleaned.rows_in == len(GOOD) + len(bad) + 1
    assert cleaned.rows_out == cleaned.rows_in - sum(cleaned.dropped.values()) == len(GOOD)
    assert cleaned.rejected.count() == 9
    assert ("here", "9|78|0.0|1970-01-12 13:46:41|", "rating below 1") in rows(
        cleaned.rejected, "file", "text", "reason"
    )
    cleaned.release()


def test_too_many_bad_rows_fail_and_name_the_first(spark):
    source = raw(spark, GOOD, rejected=[("b.dat", "zz", "no number"), ("a.dat", "1::x", "too short")])
    with pytest.raises(JobError, match=r"2 of 11 rows(?s:.*)1 x too short; the first in a\.dat: '1::x'"):
        clean(source, SCALE, 0, 0.1, "here")


def test_a_share_of_bad_rows_at_the_limit_is_let_through(spark):
    source = raw(spark, GOOD, rejected=[("a.dat", "1::x", "too short")])
    cleaned = clean(source, SCALE, 0, 0.1, "here")
    assert cleaned.rows_out == 9
    cleaned.release()


def test_no_rows_is_an_error(spark):
    with pytest.raises(JobError, match=r"^here .*no rows"):
        clean(raw(spark, []), SCALE, 0, 0.01, "here")


def records(spark, *found):
    """Records of a file from (user, item, rating, seconds, lines, text, reason)."""
    rows = [
        (
            user,
            item,
            rating,
            second and datetime.fromtimestamp(second, UTC),
            None,
            "f.csv",
            n,
            lines,
            text,
            reason,
        )
        for n, (user, item, rating, second, lines, text, reason) in enumerate(found, 2)
    ]
    frame = spark.createDataFrame(rows, RECORDS)
    good = frame.where("reason IS NULL").select(*RAW.fieldNames())
    return Raw(good, None, frame.where("reason IS NOT NULL").select(*REJECTED.fieldNames()), frame)


def test_a_record_that_is_rejected_keeps_its_line_whatever_rejected_it(spark):
    source = records(
        spark,
        ("a", "x", 0.0, 9, 1, "a, x ,0", None),
        (None, None, None, None, 1, "b", "has 1 fields where 3 are expected"),
        ("a", "y", 3.0, 9, 1, "a,y,3", None),
    )
    cleaned = clean(source, SCALE, 0, 1, "here")
    assert rows(cleaned.rejected, "file", "line", "text", "reason") == [
        ("f.csv", 2, "a, x ,0", "rating below 1"),
        ("f.csv", 3, "b", "has 1 fields where 3 are expected"),
    ]
    assert (cleaned.rows_in, cleaned.rows_out) == (3, 1)
    told = [warning for warning in cleaned.warnings if "f.csv" in warning]
    assert sorted(word for warning in told for word in ("line 2", "line 3") if word in warning) == [
        "line 2",
        "line 3",
    ]
    cleaned.release()


def test_empty_lines_are_counted_and_do_not_count_as_lost(spark):
    source = records(spark, ("a", "x", 3.0, 9, 1, "a,x,3", None), (None, None, None, None, 1, "", EMPTY))
    cleaned = clean(source, SCALE, 0, 0, "here")
    assert (cleaned.rows_in, cleaned.rows_out, cleaned.dropped) == (2, 1, {EMPTY: 1})
    cleaned.release()


def test_when_nothing_is_left_every_reason_is_told_with_a_line_and_a_guess(spark):
    source = records(
        spark,
        (None, None, None, None, 1, "b", "too short"),
        (None, None, None, None, 1, "c", "too short"),
        ("a", "x", 9.0, 9, 1, "a,x,9", None),
    )
    seen = []
    for share in (0.01, 1):
        with pytest.raises(JobError) as error:
            clean(
                source, SCALE, 0, share, "here", advise=lambda examples: seen.append(examples) or ["try this"]
            )
        lines = str(error.value).splitlines()
        assert lines[1:4] == [
            "  2 x too short; the first in f.csv, line 2: 'b'",
            "  1 x rating above 5; the first in f.csv, line 4: 'a,x,9'",
            "try this",
        ]
    assert seen[0] == [
        Example("too short", 2, "f.csv", 2, "b"),
        Example("rating above 5", 1, "f.csv", 4, "a,x,9"),
    ]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("a", "x", 3.0, 1_600_000, 1, "", None), ("a", "y", 3.0, 1_700_000, 1, "", None)], ["at_format=s"]),
        ([("a", "x", 3.0, 1_600_000, 1, "", None), ("a", "y", 3.0, 3_000_000, 1, "", None)], []),
        ([("NULL", "x", 3.0, None, 1, "", None), ("a", "\\N", 3.0, None, 1, "", None)], ["user", "item"]),
        ([("a", "x", 3.0, None, 3, "", None)], ["3 lines"]),
    ],
)
def test_what_may_be_meant_otherwise_is_said(spark, rows, words):
    cleaned = clean(records(spark, *rows), SCALE, 0, 0, "here")
    assert len(cleaned.warnings) == len(words)
    assert all(word in warning for word, warning in zip(words, cleaned.warnings, strict=True))
    cleaned.release()


def test_of_duplicates_the_latest_stays_then_the_higher(spark):
    twice = [
        ("a", "x", 2.0, at(5), None),
        ("a", "x", 4.0, at(4), None),
        ("a", "y", 3.0, at(7), None),
        ("a", "y", 5.0, at(7), None),
        ("b", "x", 1.0, None, None),
        ("b", "x", 2.0, at(1), None),
        ("b", "y", None, None, None),
        ("b", "y", None, None, None),
    ]
    for partitions in (1, 3):
        cleaned = clean(raw(spark, twice, partitions=partitions), SCALE, 0, 0.01, "here")
        assert keyed(cleaned) == [("a", "x", 2.0), ("a", "y", 5.0), ("b", "x", 2.0), ("b", "y", None)]
        assert cleaned.dropped == {"duplicate": 4}
        cleaned.release()


def test_ids_follow_the_keys_not_the_partitioning(spark):
    catalogue = [
        item("30", "c"),
        item("7", "never rated"),
        item("2", "a"),
        item("2", "b"),
        item("note", "text"),
    ]
    seen = []
    for order, partitions in ((1, 1), (-1, 5)):
        cleaned = clean(
            raw(spark, GOOD[::order], catalogue[::order], partitions=partitions), SCALE, 0, 0.01, "here"
        )
        assert rows(cleaned.users, "user", "key") == [(0, "9"), (1, "10"), (2, "100")]
        assert rows(cleaned.items, "item", "key", "title") == [
            (0, "2", "a"),
            (1, "11", None),
            (2, "30", "c"),
            (3, "7", "never rated"),
            (4, "note", "text"),
        ]
        assert (cleaned.n_items, cleaned.rated_items) == (5, 3)
        assert dict(cleaned.ratings.dtypes)["user"] == "int"
        seen.append((cleaned.digest, rows(cleaned.ratings, "user", "item", "rating")))
        cleaned.release()
    assert seen[0] == seen[1]


def test_the_digest_changes_with_any_value(spark):
    digests = set()
    for change in (
        GOOD,
        GOOD[1:],
        [(GOOD[0][0], GOOD[0][1], 5.0 if GOOD[0][2] < 5 else 4.0, *GOOD[0][3:]), *GOOD[1:]],
        [(*GOOD[0][:3], at(999), None), *GOOD[1:]],
    ):
        cleaned = clean(raw(spark, change), SCALE, 0, 0.01, "here")
        digests.add(cleaned.digest)
        cleaned.release()
    assert len(digests) == 4


def test_k_core_is_repeated_until_nothing_falls(spark):
    # Item z has two users, of which one falls with user c's single rating in the first round.
    core = [(u, i, 3.0, at(1), None) for u in "ab" for i in "xy"]
    loose = [("c", "z", 3.0, at(1), None), ("a", "z", 3.0, at(1), None)]
    cleaned = clean(raw(spark, core + loose), SCALE, 2, 0.01, "here")
    assert keyed(cleaned) == [(u, i, 3.0) for u in "ab" for i in "xy"]
    assert cleaned.dropped == {"k_core": 2}
    assert rows(cleaned.users, "user", "key") == [(0, "a"), (1, "b")]
    assert rows(cleaned.items, "item", "key") == [(0, "x"), (1, "y")]
    assert cleaned.rounds >= 2
    cleaned.release()


def test_a_k_core_that_leaves_nothing_is_an_error(spark):
    with pytest.raises(JobError, match="k_core=50"):
        clean(raw(spark, GOOD), SCALE, 50, 0.01, "here")


def test_statistics_describe_each_user(spark):
    cleaned = clean(raw(spark, GOOD), SCALE, 0, 0.01, "here")
    (first, *_) = statistics(cleaned.ratings, "user").orderBy("user").collect()
    expected = [row[2] for row in GOOD if row[0] == "9"]
    assert first["user"] == 0
    assert first["n"] == 3
    assert first["mean"] == pytest.approx(sum(expected) / 3)
    cleaned.release()
