"""What events and ratings mean: the table, what of a person's events counts, and in what order they come."""

import datetime as dt
import itertools

import numpy as np
import pytest

from core.errors import UsageError
from jobs.engine.events import Event
from jobs.engine.meanings import Meanings, counting

NOON = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
MEANINGS = Meanings(liked=4, disliked=2, watched=0.5, dislike=0.7)


def event(kind, item="a", *, minute=0, key="e", value=None, retracts=None):
    return Event(NOON + dt.timedelta(minutes=minute), key, kind, item, value, retracts)


def said_of(events, meanings=MEANINGS, now=NOON):
    return {item: preference for item, (preference, _) in meanings.preferences(events, now).items()}


@pytest.mark.parametrize(
    ("kind", "value", "preference"),
    [
        ("like", None, 1),
        ("dislike", None, -0.7),
        ("watched", None, 0.5),
        ("watched", 0.5, 0.25),
        ("played", 1.0, 0.5),
        ("played", 7.0, 0.5),
        ("played", -1.0, 0),
        ("rating", 5.0, 1),
        ("rating", 4.0, 1),
        ("rating", 3.5, 0.5),
        ("rating", 2.0, -0.7),
        ("rating", None, 1),
        ("hovered", None, 0),
    ],
)
def test_an_event_says_a_preference(kind, value, preference):
    assert MEANINGS.of_event(event(kind, value=value)) == pytest.approx(preference)


def test_ratings_in_a_batch_say_what_they_say_alone():
    ratings = np.array([1, 2, 3, 4, 5, np.nan], dtype=np.float32)
    alone = [
        MEANINGS.of_event(event("rating", value=None if np.isnan(one) else float(one))) for one in ratings
    ]
    np.testing.assert_array_equal(MEANINGS.of_ratings(ratings), np.array(alone, dtype=np.float32))


def test_without_a_scale_every_rating_is_a_like():
    np.testing.assert_array_equal(
        Meanings().of_ratings(np.array([0, 3, np.nan], dtype=np.float32)), [1, 1, 1]
    )


def test_the_later_of_like_and_dislike_counts_in_whatever_order_they_come():
    said = [event("like", minute=1, key="x"), event("dislike", minute=2, key="y")]
    for order in itertools.permutations(said):
        assert said_of(order) == {"a": pytest.approx(-0.7)}


def test_of_one_time_the_larger_id_counts():
    said = [event("dislike", key="a"), event("like", key="b")]
    for order in itertools.permutations(said):
        assert counting(order)["a"].type == "like"


def test_an_opinion_outlives_watching_again():
    said = [event("dislike", minute=1, key="x"), event("watched", minute=9, key="y")]
    assert said_of(said) == {"a": pytest.approx(-0.7)}


def test_a_retracted_event_counts_as_never_sent_even_if_the_retraction_comes_first():
    said = [
        event("retract", minute=3, key="r", retracts="x"),
        event("like", minute=1, key="w"),
        event("dislike", minute=2, key="x"),
    ]
    for order in itertools.permutations(said):
        assert said_of(order) == {"a": 1.0}
    assert said_of([said[0], said[2]]) == {}


def test_the_same_event_twice_counts_once():
    assert said_of([event("watched")] * 2) == {"a": 0.5}


def test_an_old_event_fades_and_one_of_the_future_counts_whole():
    fading = Meanings(half_life_days=2)
    days = dt.timedelta(days=1)
    assert said_of([event("like")], fading, NOON + 4 * days) == {"a": pytest.approx(0.25)}
    assert said_of([event("like")], fading, NOON - 4 * days) == {"a": 1.0}


@pytest.mark.parametrize("name", ["watched", "dislike", "near", "half_life_days"])
def test_a_number_below_zero_is_refused(name):
    with pytest.raises(UsageError, match=f"{name} must be 0 or more, got -1"):
        Meanings(**{name: -1})
