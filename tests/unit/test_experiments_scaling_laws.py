"""Laws of scaling that are fitted to curves of invented times, and those that are not."""

import re

import pytest
from invented import application, outcome
from invented_sweeps import NOISE, SPEC, amdahl, only, saying, sweep, trial

from experiments.report.sections.scaling import FIND
from experiments.stats.fits import karp_flatt


def test_amdahl_is_fitted_from_three_sizes_and_says_where_more_is_worth_little():
    found = FIND(SPEC, sweep(amdahl(0.2, 1, 2, 4)))
    (fit,) = found.data["scaling"][0]["fits"]
    (serial,) = fit["parameters"]
    assert serial["value"] == pytest.approx(0.2, abs=1e-6)
    assert serial["low"] < 0.2 < serial["high"]
    # S(n) = n / (1 + 0.2 (n - 1)): from 8 to 9 workers it grows by 3.8%, from 7 to 8 by 4.8%, from 6 to 7 by 6.1%.
    assert re.search(r"seven workers.*not measured.*Amdahl.*\b5%", found.notes[0])
    assert saying(r"Amdahl.*serial 0\.200 \[", found.notes)


def test_law_that_does_not_describe_the_times_is_called_poor_and_concludes_nothing():
    found = FIND(SPEC, sweep({1: 60.0, 2: 20.0, 3: 45.0, 4: 15.0}))
    assert found.data["scaling"][0]["fits"][0]["poor"]
    assert saying(r"Amdahl.*poor fit", found.notes)
    assert "no law" in found.notes[0]
    assert not saying(r"\b5%", found.notes)


def test_times_that_vary_too_much_let_nobody_tell_whether_a_law_holds():
    far = (0.6, 1.5, 0.9, 1.3, 0.8)
    loud = [
        outcome(
            [application(k, [9.0, seconds * far[(k + workers) % 5]]) for k in range(5)],
            workers, shape={"workers": workers, "cores": 1, "memory": "1g"}, values={"shape.workers": workers},
        )
        for workers, seconds in amdahl(0.2, 1, 2, 4).items()
    ]  # fmt: skip
    found = FIND(SPEC, loud)
    (fit,) = found.data["scaling"][0]["fits"]
    assert (fit["described"], fit["poor"]) == ("cannot tell", False)
    assert fit["possible"] > 0.1
    assert "cannot be told" in found.notes[0]
    assert not saying(r"\b5%", found.notes)
    assert [row[-1] for row in found.tables[1].rows] == ["fit cannot be told"]
    assert "Lines: fitted laws" not in found.plots[0].caption


def test_shapes_that_took_turns_are_paired_round_by_round():
    level = (1.0, 1.4, 2.0, 2.9, 4.0)
    paired = [
        outcome(
            [application(k, [9.0, seconds * level[k] * NOISE[k + workers % 2]], round_id=f"one.{k}") for k in range(5)],
            workers, shape={"workers": workers, "cores": 1, "memory": "1g"}, values={"shape.workers": workers},
        )
        for workers, seconds in amdahl(0.2, 1, 2, 4).items()
    ]  # fmt: skip
    found = FIND(SPEC, paired)
    data = found.data["scaling"][0]
    assert all(point["speedup"]["unpaired"] is None for point in data["points"])
    low, high = (data["points"][2]["speedup"][end] for end in ("low", "high"))
    assert 2.4 < low < 2.5 < high < 2.6
    assert data["fits"][0]["paired"]
    assert data["fits"][0]["described"] == "yes"
    assert not any("not paired" in note for note in found.notes)


def test_karp_flatt_counts_cores_and_shows_negative_values():
    assert karp_flatt(2.0, 4) == pytest.approx((0.5 - 0.25) / 0.75)
    found = FIND(SPEC, sweep({1: 10.0, 2: 4.0}))
    assert found.data["scaling"][0]["points"][1]["karp_flatt"][0] == pytest.approx(-0.2)
    assert any("negative serial fraction" in note for note in found.notes)


def test_karp_flatt_is_left_out_where_the_smallest_shape_is_not_one_core():
    two_cores = [trial(n, 60 / n, shape={"cores": 2}) for n in (1, 2)]
    fractions = [trial(n, 60 / n, shape={"cpus": 0.5}) for n in (2, 4)]
    assert [point.serial for point in only(two_cores).points] == [None, None]
    assert [point.serial for point in only(fractions).points] == [None, None]  # two halves are not one core
