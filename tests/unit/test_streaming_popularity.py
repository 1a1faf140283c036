"""Totals of popularity from batch to batch: kept, taken up again, closed by the watermark, and rising write times."""

import random
from collections import Counter

import pytest

from core.errors import JobError
from jobs.engine.events import Event, standing
from jobs.streaming.popularity import Counted, Totals

WINDOW, LATENESS = 1000, 500


def totals(folder):
    return Totals(folder, WINDOW, LATENESS)


def run(one, batch, *times, item="i"):
    """Count a batch of messages at these times, as the stream does; return (totals that changed, late)."""
    watermark = one.watermark_ms
    starts = Counter(at // WINDOW * WINDOW for at in times)
    late = {start: n for start, n in starts.items() if watermark is not None and start + WINDOW <= watermark}
    counted = [Counted(start, item, n) for start, n in starts.items() if start not in late]
    changed = one.add(batch, counted, max(times, default=None))
    one.keep()
    return {row.start_ms: row.messages for row in changed}, late


def test_a_window_stays_open_until_the_watermark_of_the_batch_before_is_past_its_end(tmp_path):
    one = totals(tmp_path)
    assert run(one, 0, 100, 200, 1400) == ({0: 2, 1000: 1}, {})
    assert run(one, 1, 999, 1500) == ({0: 3, 1000: 2}, {})  # 1400 - 500 is not past 1000
    assert run(one, 2, 0, 1501) == ({1000: 3}, {0: 1})  # 1500 - 500 is
    assert len(one) == 1
    assert one.watermark_ms == 1001


def test_a_batch_that_comes_again_gives_the_same_totals(tmp_path):
    one = totals(tmp_path)
    run(one, 0, 100)
    first = run(one, 1, 100, 1700)
    written = one.written_us
    again = totals(tmp_path)
    again.go_to(0)
    assert run(again, 1, 100, 1700) == first
    assert again.written_us > written or again.written_us == one.written_us
    one.go_to(0)  # by the object that counted it already
    assert run(one, 1, 100, 1700) == first


def test_write_times_rise_even_if_the_clock_goes_back(tmp_path, monkeypatch):
    one = totals(tmp_path)
    run(one, 0, 1)
    before = one.written_us
    monkeypatch.setattr("time.time_ns", lambda: 0)
    run(one, 1, 1)
    assert one.written_us == before + 1


def test_totals_are_taken_up_again_after_any_batch(tmp_path):
    draw = random.Random(1)
    one, expected = totals(tmp_path), []
    for batch in range(130):
        run(
            one,
            batch,
            *(batch * 100 + draw.randrange(-800, 100) + 800 for _ in range(3)),
            item=f"i{batch % 3}",
        )
        expected.append((one.newest_ms, one.written_us, dict(one._open)))
    for batch in (129, 128, 101, 100, 99, 50):
        later = totals(tmp_path)
        later.go_to(batch)
        assert (later.newest_ms, later.written_us, later._open) == expected[batch]
    assert len(list(tmp_path.iterdir())) <= 101


def test_a_missing_file_is_no_smaller_total(tmp_path):
    one = totals(tmp_path)
    run(one, 0, 100)
    run(one, 1, 100)
    (tmp_path / "1.json").unlink()
    with pytest.raises(JobError, match=r"1\.json .*after batch 1"):
        totals(tmp_path).go_to(1)


def test_what_stands_does_not_depend_on_the_order():
    events = [
        Event(at, identity, kind, "i", None)
        for at, identity, kind in [
            (1, "a", "like"),
            (2, "c", "dislike"),
            (2, "b", "like"),
            (3, "d", "retract"),
        ]
    ]
    for seed in range(5):
        random.Random(seed).shuffle(events)
        assert [one.id for one in standing(events, ())] == ["c"]
        assert [one.id for one in standing(events, {"c"})] == ["b"]
        assert [one.id for one in standing(events, {"b", "c"})] == ["a"]
    assert standing(events, {"a", "b", "c"}) == []
