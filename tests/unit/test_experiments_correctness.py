"""Costs of guarantees, on invented seconds of which the truth is known."""

import json
import math
import re
from dataclasses import replace

import pytest

from core.errors import UsageError
from experiments.metric_table import described
from experiments.page.wording import LONGEST
from experiments.report.correctness import answer, report_of
from experiments.studies.correctness.costs import per_s, share, steps
from experiments.studies.correctness.record import _side, of_all
from experiments.studies.correctness.session import Asked, Measured, keep, measured, orders
from jobs.apps.cost_of_correctness import _SIDES, JOB
from jobs.guarantees import backlog
from jobs.guarantees.ladders import LADDERS
from jobs.runtime.request import PhaseTime, Result

SECONDS = {"batch_read": 4.0, "lake": 8.0, "no_dead_letters": 6.4, "no_idempotence": 6.4, "parquet": 5.0}
HOST = (1.0, 1.5, 0.8, 1.2, 0.9)
"""Slowness of the host in each round, which all sides meet."""


def made(rounds=3, later=None, **changes):
    seconds = {name: [one * host for host in HOST[:rounds]] for name, one in {**SECONDS, **changes}.items()}
    asked = Asked("lake", rows=80_000, repeats=rounds, batches=1000 if later else 0)
    return Measured(asked, seconds, later or {}, ended_at=1.0)


def feedback(rounds=3):
    names = [side.name for side in LADDERS["feedback"].every]
    seconds = {name: [10.0 + number] * rounds for number, name in enumerate(names[::-1])}
    return Measured(Asked("feedback", repeats=rounds), seconds, ended_at=1.0)


def sides():
    return {side.name: side for side in LADDERS["lake"].every}


@pytest.mark.parametrize("stream", sorted(LADDERS))
def test_the_job_has_the_sides_that_are_told_of(stream):
    assert set(_SIDES[stream]) == {side.name for side in LADDERS[stream].every}
    assert all(side.lacks for side in LADDERS[stream].sides[1:])
    assert not LADDERS[stream].sides[0].lacks


def test_what_the_host_does_to_a_whole_round_is_in_no_ratio():
    found = made()
    assert share(found, sides()["lake"]).ratio == pytest.approx(0.5)
    assert {step.guarantee: round(step.cost, 4) for step in steps(found)} == {
        "dead letters": 0.25, "idempotence": 0.0, "Delta over Parquet": 0.28,
    }  # fmt: skip
    rate = per_s(found, sides()["lake"])
    assert (rate.median, rate.least, rate.most) == pytest.approx((10_000, 10_000 / 1.5, 12_500))


def test_intervals_come_with_five_rounds():
    assert share(made(), sides()["lake"]).interval is None
    low, high = share(made(5), sides()["lake"]).interval
    assert (low, high) == pytest.approx((0.5, 0.5))


def test_each_side_has_its_turn_in_each_round_and_as_often_before_another_as_after_it():
    found = orders(Asked("feedback", repeats=4))
    names = [side.name for side in LADDERS["feedback"].every]
    assert [sorted(order) for order in found] == [sorted(names)] * 4
    first = [order.index("feedback") < order.index("batch_write") for order in found]
    assert sum(first) == 2
    assert found == orders(Asked("feedback", repeats=4))
    assert found != orders(Asked("feedback", repeats=4, seed=2))


def test_rounds_that_warm_up_do_not_count():
    phases = [
        PhaseTime(name, number, "repeat" if number else "cold", float(number + 1), 1)
        for number in range(3)
        for name in SECONDS
    ]
    found = measured(
        Asked("lake"), Result("cost_of_correctness", "ok", phases, metrics={"late_of_early": 1.1})
    )
    assert found.seconds == {name: [2.0, 3.0] for name in SECONDS}
    assert found.later == {"late_of_early": 1.1}


def test_the_answer_says_what_is_taken_in_and_what_each_guarantee_adds():
    text = answer(made())
    assert "takes in 0.50 of the messages a second" in text
    assert "dead letters add 25% to the time, idempotence nothing, Delta over Parquet 28%" in text
    assert "a look, not a claim" in text
    assert "intervals" in answer(made(5))
    assert len(text) <= LONGEST
    assert len(answer(feedback())) <= LONGEST
    faster = made(no_dead_letters=8.4)
    assert "dead letters add nothing" in answer(faster)


def test_the_page_has_every_side_and_every_guarantee(tmp_path):
    later = {"early_p95_s": 0.2, "late_p95_s": 0.24, "late_of_early": 1.2}
    report = report_of(made(5, later))
    assert [finding.title for finding in report.findings] == [
        "Messages a second", "Cost of each guarantee", "Small batches",
    ]  # fmt: skip
    (rates,), (costs,), (batches,) = (finding.tables for finding in report.findings)
    assert [row[0] for row in rates.rows] == [side.title for side in LADDERS["lake"].every]
    assert [row[2] for row in rates.rows] == [
        "\u2013",
        *(
            f"{4 / SECONDS[side.name]:.2f} [{4 / SECONDS[side.name]:.2f}, {4 / SECONDS[side.name]:.2f}]"
            for side in LADDERS["lake"].sides
        ),
    ]
    assert "batches 901 to 1,000 is 1.20 times that of batches 101 to 200" in report.findings[2].answer
    assert [(row[0], row[4]) for row in costs.rows] == [
        ("dead letters", "+25%"), ("idempotence", "+0%"), ("Delta over Parquet", "+28%"),
    ]  # fmt: skip
    assert [row[1] for row in batches.rows] == ["0.200", "0.240"]
    page, numbers, raw, *pictures = report.write(tmp_path)
    assert report.answer in page.read_text()
    assert json.loads(numbers.read_text())["costs"]["no_dead_letters"]["ratio"] == pytest.approx(1.25)
    assert len(raw.read_text().splitlines()) == 1 + 5 * len(SECONDS)
    assert {picture.suffix for picture in pictures} == {".png", ".svg"}


def test_a_stream_s_further_batch_is_shown_beside_its_yardstick():
    (rates,) = report_of(feedback()).findings[0].tables
    assert [row[0] for row in rates.rows][:2] == ["batch write", "write alone"]
    assert rates.rows[0][2] == "\u2013"


def test_every_recorded_metric_is_in_the_table():
    found = made(later={"late_of_early": 1.2})
    known = {name for name, *_ in described()}
    numbers = [*of_all(found), *_side(found, sides()["parquet"]).metrics]
    names = {re.sub("(?<=/cost_).*", "NAME", number.name) for number in numbers}
    assert names <= known
    values = {number.name: number.value for number in of_all(found)}
    assert values["correctness/cost_no_dead_letters"] == pytest.approx(0.25)
    assert values["correctness/of_batch"] == pytest.approx(0.5)


def test_a_measurement_is_a_file_that_says_its_format(tmp_path):
    found = json.loads(keep(made(), tmp_path / "lake").read_text())
    assert (found["format"], found["asked"]["stream"]) == (1, "lake")
    assert found["seconds"]["parquet"] == pytest.approx([5.0, 7.5, 4.0])


@pytest.mark.parametrize(
    ("rows", "share", "bad"), [(9, 0.0, 0), (25_000, 0.001, 30), (10_005, 0.001, 15), (100, 0.5, 100)]
)
def test_bad_messages_are_spread(rows, share, bad):
    assert backlog._bad(rows, share) == bad
    assert bad == sum(number % 10_000 < round(share * 10_000) for number in range(rows))


@pytest.mark.parametrize(("rows", "share"), [(0, 0.0), (10, 1.0), (10, -0.1), (10**12, 0.0)])
def test_numbers_that_are_not_allowed(rows, share):
    with pytest.raises(UsageError):
        backlog._bad(rows, share)


def test_no_two_messages_are_of_one_user_and_item():
    assert math.gcd(backlog._STRIDE, backlog._ITEMS) == 1


def test_parameters_are_those_of_the_measurement():
    assert JOB.parameters() >= {"stream", "orders", "rows", "bad", "most", "batches"}
    assert replace(Asked("lake"), repeats=5).ladder is LADDERS["lake"]
