"""Scaling of a stream: points, ratios of the same round, resuming, the page and the runs, from plain values."""

import dataclasses

import pytest

from cluster import configuration
from core.errors import JobError, UsageError
from experiments.__main__ import main
from experiments.report.stream_scaling import report_of
from experiments.studies.rates.subjects import SUBJECTS
from experiments.studies.stream_scaling import session as sessions
from experiments.studies.stream_scaling.measured import Measured, keep, kept
from experiments.studies.stream_scaling.points import Plan, Point, plan
from experiments.studies.stream_scaling.record import node
from experiments.studies.stream_scaling.session import Session, sets
from experiments.studies.stream_scaling.summary import OVERSUBSCRIBED, Scaled, answer, notes

BASE = Point(4)


def measured(point, number, per_s, tag="clean", **changes):
    one = Measured(
        stream="lake.ratings", point=point, round=number, backlog=5000, messages=5000, per_s=per_s, differences=(), seconds=60.0, tag=tag,
        identity="a b", attempt="first", environment={}, ended_at=1_700_000_000.0,
    )  # fmt: skip
    return dataclasses.replace(one, **changes)


def scaled(axes, *found, rounds=3, base=BASE):
    return Scaled("lake.ratings", Plan(base, axes), rounds, 5000, found)


def rounds_of(point, *rates, **more):
    return [measured(point, number, rate, **more) for number, rate in enumerate(rates, start=1)]


WORKERS = scaled(
    {"workers": (1, 2, 4)},
    *rounds_of(BASE, 100, 200, 300),
    *rounds_of(BASE.at("workers", 2), 150, 320, 450, tag="shared-host"),
    *rounds_of(BASE.at("workers", 4), 900, 900, 900, tag=OVERSUBSCRIBED),
)


def test_points_lie_on_one_axis_at_a_time_about_the_base():
    found = plan({"partitions": "1,2,4", "workers": "2,1", "brokers": "1, 3"}, "ratings")
    assert found.base == Point(4, 1, 1)
    assert [point.slug for point in found.points] == [
        "p4-w1-b1",
        "p1-w1-b1",
        "p2-w1-b1",
        "p4-w2-b1",
        "p4-w1-b3",
    ]
    assert str(found) == "partitions=1,2,4 workers=1,2 brokers=1,3"
    assert str(found.base) == "4 partitions, 1 worker, 1 broker"


def test_the_base_of_an_axis_without_the_usual_number_is_its_first():
    assert plan({"partitions": "1,2"}, "ratings").base == Point(1)
    assert plan({"workers": "4,2"}, "ratings").base == Point(4, workers=4)
    assert plan({"workers": "4,2"}, "ratings").axes == {"workers": (2, 4)}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "no axis"),
        ({"worker": "1,2"}, "workers"),
        ({"workers": "1,x"}, "whole numbers"),
        ({"workers": "0,1"}, "whole numbers"),
        ({"workers": "2,2"}, "two numbers"),
        ({"brokers": "1,2"}, "odd"),
    ],
)
def test_axes_that_cannot_be_are_refused(given, said):
    with pytest.raises(UsageError, match=said):
        plan(given, "ratings")


def test_ratios_are_of_the_same_round():
    one, two, four = WORKERS.along("workers")
    assert one.ratio is None
    assert two.ratio.middle == pytest.approx((1.5 * 1.6 * 1.5) ** (1 / 3))
    assert (two.ratio.least, two.ratio.most, two.ratio.low, two.ratio.rounds) == (1.5, 1.6, None, 3)
    assert (two.rates.median, two.ideal) == (320, 2.0)
    assert (four.ratio, four.claimed) == (None, False)
    only_second = scaled(
        {"workers": (1, 2)}, measured(BASE, 2, 100.0), *rounds_of(BASE.at("workers", 2), 900, 150)
    )
    ratio = only_second.along("workers")[1].ratio
    assert (ratio.middle, ratio.rounds, ratio.told) == (pytest.approx(1.5), 1, 0)


def test_a_difference_is_told_if_all_rounds_or_the_interval_show_it():
    def told(*rates):
        count = len(rates)
        found = scaled(
            {"workers": (1, 2)},
            *rounds_of(BASE, *[100] * count),
            *rounds_of(BASE.at("workers", 2), *rates),
            rounds=count,
        )
        return found.along("workers")[1].ratio.told

    assert [told(110, 120, 130), told(90, 80, 95), told(110, 99, 120)] == [1, -1, 0]
    assert told(130, 131, 129, 130, 132) == 1
    assert told(90, 150, 101, 102, 103) == 0  # five rounds have an interval
    assert told(99, 200, 210, 190, 205, 195, 200, 198) == 1


def test_the_answer_is_one_sentence():
    text = answer(WORKERS)
    assert text == (
        "lake.ratings drains 200 messages a second with 4 partitions, 1 worker and 1 broker: with 2 workers 1.53 times as fast."
    )
    alike = scaled(
        {"partitions": (2, 4)}, *rounds_of(BASE, 100, 100), *rounds_of(Point(2), 90, 110), rounds=2
    )
    assert "no other number of partitions is faster by a difference that can be told (2: 0.99" in answer(
        alike
    )
    slower = scaled(
        {"partitions": (2, 4)}, *rounds_of(BASE, 100, 100), *rounds_of(Point(2), 80, 90), rounds=2
    )
    assert "no other number of partitions is as fast (2: 0.85" in answer(slower)
    assert "nothing can be said" in answer(scaled({"partitions": (2, 4)}, measured(BASE, 1, 100)))
    assert answer(scaled({"partitions": (2, 4)})).startswith("Nothing is known")


def test_what_the_host_cannot_show_is_said():
    text = "\n".join(notes(WORKERS, 2))
    assert "2 workers of one core take all of the host's 2 cores" in text
    assert "4 workers of one core are more than the host's 2 cores: they cannot help" in text
    assert "fewer than 5 rounds are a look" in text
    both = scaled({"brokers": (1, 3), "partitions": (1, 4)})
    assert "three copies" in "\n".join(notes(both, 2))
    assert "6 measurement(s) failed" in "\n".join(notes(scaled({"brokers": (1, 3)}), 2))


def test_a_round_in_two_goes_and_what_differs_are_said():
    later = measured(BASE.at("workers", 2), 1, 150.0, attempt="second", ended_at=1_700_007_200.0)
    made = scaled({"workers": (1, 2)}, measured(BASE, 1, 100.0), later, rounds=1)
    assert "round 1 was broken off and gone on with, over 2.0 h" in "\n".join(notes(made, 8))
    assert made.complete
    bad = dataclasses.replace(later, differences=("lost: 3",))
    worse = scaled({"workers": (1, 2)}, measured(BASE, 1, 100.0), bad, rounds=1)
    assert worse.along("workers")[1].rates is None
    assert "2 workers, 1 broker, round 1, left out: lost: 3" in "\n".join(notes(worse, 8))
    assert not worse.complete


def test_page_and_runs_have_all_numbers(tmp_path):
    report = report_of(WORKERS, 2)
    page, numbers, raw, *pictures = report.write(tmp_path)
    text = page.read_text()
    for words in ("320 (150\u2013450)", "1.53 (1.50\u20131.60)", "oversubscribed", "Hollow"):
        assert words in text
    assert {path.suffix for path in pictures} == {".png", ".svg"}
    assert len(raw.read_text().splitlines()) == 10
    root = node(WORKERS, ("answer", ["note"]), [numbers])
    assert [child.name for child in root.children] == ["p4-w1-b1", "p4-w2-b1", "p4-w4-b1"]
    assert [(one.name, one.step) for one in root.metrics] == [
        ("rate/drained_per_s", 0), ("drained by workers", 1), ("drained by workers", 2),
    ]  # fmt: skip
    second = {one.name: one.value for one in root.children[1].metrics}
    assert second == {"rate/drained_per_s": 320, "rate/of_base": pytest.approx(1.5326, abs=1e-3)}
    assert [one.name for one in root.children[1].children] == [
        f"p4-w2-b1, round {number}" for number in (1, 2, 3)
    ]


@pytest.fixture
def session(tmp_path, monkeypatch):
    """A session whose points are counted instead of measured."""
    done = []

    def measure(self, point, number, attempt):
        done.append((point.slug, number))
        if len(done) == 2:
            raise JobError("the stream stopped")
        return measured(point, number, 100.0, attempt=attempt, identity=self.identity)

    monkeypatch.setattr(sessions.Session, "_measure", measure)
    settings = configuration.load([f"run_dir={tmp_path}"], {})
    wanted = plan({"partitions": "1,2", "brokers": "1,3"}, "ratings")
    return Session(settings, SUBJECTS["lake"], wanted, 2, 5000), done


def test_each_point_is_measured_once_a_round_and_only_what_is_missing_again(session):
    session, done = session
    first = session.run()
    assert len(first) == 5  # one failed
    points = {point.slug for point in session.plan.points}
    assert [{slug for slug, number in done if number == one} for one in (1, 2)] == [points, points]
    assert [number for _, number in done] == [1, 1, 1, 2, 2, 2]
    failed = done[1]
    done.clear()
    again = session.run()
    assert done == [failed]
    assert len(again) == 6
    assert {one.attempt for one in first} & {one.attempt for one in again}
    keep(dataclasses.replace(again[0], identity="older"), session.place)
    keep(dataclasses.replace(again[3], differences=("lost: 1",)), session.place)
    done[:] = [("", 0)] * 2
    session.run()
    assert done[2:] == [(again[place].point.slug, again[place].round) for place in (0, 3)]


def test_a_measurement_is_kept_whole(tmp_path):
    one = measured(BASE, 1, 12.5)
    keep(one, tmp_path)
    assert kept(tmp_path / one.name) == one
    (tmp_path / one.name / "stream-scaling.json").write_text("{")
    assert kept(tmp_path / one.name) is None


def test_a_point_is_a_cluster(tmp_path):
    settings = configuration.load([*sets(Point(2, 3, 5)), f"run_dir={tmp_path}"], {})
    assert (settings.spark.workers, settings.spark.cores) == (3, 1)


@pytest.mark.parametrize(
    "typed",
    [
        ["typo"],
        ["lake", "--over", "workers"],
        ["lake", "--over", "works=1,2"],
        ["lake", "--backlog", "10"],
        ["lake", "--repeats", "0"],
    ],
)
def test_wrong_words_are_refused(typed, tmp_path):
    assert main(["stream-scaling", *typed, "--cluster-set", f"run_dir={tmp_path}"]) == UsageError.exit_status
    assert list(tmp_path.iterdir()) == []
