"""What is relevant on which scale, what is taken for counts, and what a run warns of."""

import math

import numpy as np
import pytest

from core.errors import UsageError
from jobs import params
from jobs.judge.cautions import after_fit, before_fit
from jobs.judge.evaluate import Evaluation
from jobs.modelling.implicit_confidence import strength_of
from jobs.prepare.profile import Profile
from jobs.prepare.relevance import like_counts, relevance, threshold
from jobs.runtime.failures import explain

STARS = (1.0, 5.0, 1.0)
COUNTS = (1.0, 900.0, 0.0)


def profile(low, high, mean):
    return Profile(100, 100, 0, 10, 10, (0, 9), (0, 9), (low, high), mean=mean)


@pytest.mark.parametrize(
    ("scale", "least"),
    [
        ((1.0, 5.0, 1.0), 4.0),
        ((0.5, 5.0, 0.5), 4.0),
        ((1.0, 5.0, 0.0), 4.0),
        ((1.0, 10.0, 1.0), 8.0),
        ((0.0, 1.0, 1.0), 1.0),
        ((0.0, 1.0, 0.0), 0.75),
        ((0.0, 100.0, 0.0), 75.0),
        ((1.0, 3.0, 1.0), 3.0),
        ((-10.0, 10.0, 1.0), 5.0),
        ((0.1, 0.7, 0.1), 0.6),
    ],
)
def test_the_threshold_lies_three_quarters_up_the_scale_on_a_step(scale, least):
    assert threshold(scale) == least
    found = relevance(None, scale, profile(scale[0], scale[1], (scale[0] + scale[1]) / 2))
    assert (found.least, found.short) == (least, f"{least:g}")
    assert f"{least:g}" in found.why


def test_what_is_asked_for_goes_before_the_scale():
    assert relevance(3.5, STARS, None).least == 3.5
    assert relevance(2.0, COUNTS, profile(1, 900, 6.0)).least == 2.0


@pytest.mark.parametrize(
    ("scale", "seen"),
    [(None, None), ((3.0, 3.0, 0.0), profile(3, 3, 3.0)), (COUNTS, profile(1, 900, 6.0))],
)
def test_without_a_scale_to_go_by_every_row_is_relevant_and_it_is_said(scale, seen):
    found = relevance(None, scale, seen)
    assert (found.least, found.short) == (None, "every row")
    assert found.why.startswith(found.short)


@pytest.mark.parametrize(
    ("scale", "seen", "counts"),
    [
        (COUNTS, profile(1, 900, 6.0), True),
        ((0.0, 40.0, 0.0), profile(0, 40, 2.0), True),
        ((0.0, 100.0, 0.0), profile(0, 100, 61.0), False),
        ((0.0, 1.0, 0.0), profile(0, 1, 0.02), False),
        ((-10.0, 90.0, 0.0), profile(-10, 90, -9.0), False),
        ((1.0, 100.0, 1.0), profile(1, 100, 3.0), False),  # the publisher's own scale
        ((1.0, 5.0, 1.0), profile(1, 5, 3.5), False),
    ],
)
def test_counts_are_known_by_how_they_are_spread(scale, seen, counts):
    assert like_counts(scale, seen) is counts


def test_a_model_of_ratings_is_warned_of_counts_before_the_fit():
    seen = profile(1, 900, 6.0)
    (text,) = before_fit("als", predicts_rating=True, scale=COUNTS, profile=seen)
    assert "als_implicit" in text
    assert [value for value in (" 1 ", " 900", " 6 ") if value not in text] == []
    assert not list(before_fit("als_implicit", predicts_rating=False, scale=COUNTS, profile=seen))
    assert not list(before_fit("als", predicts_rating=True, scale=STARS, profile=profile(1, 5, 3.5)))
    assert not list(before_fit("als", predicts_rating=True, scale=COUNTS, profile=None))


def test_numbers_that_mean_little_are_warned_of():
    relevant = relevance(4.0, (0.0, 1.0, 1.0), None)
    bad = Evaluation({"rmse": 9.0, "rmse_global_mean": 3.0}, {"ranked_users": 0})
    worse, unranked = after_fit("als", bad, relevant, ranked=True)
    assert [value for value in ("als ", " 9 ", " 3 ") if value not in worse] == []
    assert relevant.why in unranked
    good = Evaluation({"rmse": 0.9, "rmse_global_mean": 1.1}, {"ranked_users": 7})
    assert not list(after_fit("als", good, relevant, ranked=True))
    assert not list(after_fit("als", Evaluation({}, {}), relevant, ranked=False))


def test_the_logarithm_of_counts_is_hus():
    counts = np.array([0.5, 1.0, 900.0, 0.0, -3.0], dtype=np.float32)
    assert strength_of(counts, "linear", 2.0) is counts
    expected = [math.log(1 + r / 2) for r in (0.5, 1.0, 900.0, 0.0)] + [-math.log(1 + 3 / 2)]
    assert strength_of(counts, "log", 2.0) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("model", ["als_implicit", "implicit_single"])
@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"confidence": "exp"}, "confidence"),
        ({"eps": 0}, "eps"),
        ({"alpha": -1}, "alpha"),
        ({"eps": "inf"}, "eps"),
    ],
)
def test_a_confidence_that_makes_no_sense_is_refused(model, given, name):
    with pytest.raises(UsageError, match=name):
        params.read({}, {"name": model, **given})
    assert params.read({}, {"name": model, "confidence": "log", "eps": 3})[1].eps == 3.0


def test_the_threshold_follows_the_scale_unless_it_is_given():
    assert params.read({}, {"name": "als"})[0].relevant is None
    assert params.read({"relevant": "3.5"}, {"name": "als"})[0].relevant == 3.5


def test_an_unsolvable_als_says_what_to_do():
    error = RuntimeError(
        ": org.apache.spark.SparkException: x\nCaused by: org.apache.spark.ml.optim.SingularMatrixException: LAPACK\n"
    )
    assert "above 0" in explain(error)
