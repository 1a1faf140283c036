"""Lists of a window against sums made plainly; windows that move; tracks by how they sound."""

import datetime as dt
import math

import numpy as np
import pytest

from core.errors import UsageError
from jobs.engine.events import Event
from jobs.engine.meanings import Meanings
from jobs.engine.sounds import FEATURES, Catalogue, Track
from jobs.engine.tastes import CLUSTER, NEIGHBOURS, POPULAR, SOUND, Settings, Tastes
from jobs.stores.cassandra.feedback import Through
from jobs.stores.cassandra.lists import Said
from jobs.streaming.recent import Recent, Sent

NOW = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
F = len(FEATURES)


def catalogue(tracks):
    found = Catalogue()
    found.add(Track(key, 1, features) for key, features in tracks.items())
    return found


def directions(random, count):
    """Tracks t0, t1, ... of two kinds: even ones are loud, odd ones are quiet."""
    loud = np.linspace(1, 2, F)
    return {
        f"t{n}": (loud * (1 if n % 2 == 0 else -1) + random.normal(0, 0.2, F)).tolist() for n in range(count)
    }


def items(recommended):
    return [entry.item for entry in recommended.entries]


def plainly(user, own, preferences, vectors, settings, clusters):
    """Scores of all items by sums over dicts."""
    everything = {item for row in preferences.values() for item in row} | vectors.keys()

    def cosine(one, two):
        both = sum(one[key] * two[key] for key in one.keys() & two.keys())
        lengths = math.sqrt(sum(v * v for v in one.values()) * sum(v * v for v in two.values()))
        return both / lengths if lengths else 0.0

    near = sorted(
        ((cosine(own, row), other) for other, row in preferences.items() if other != user),
        key=lambda found: (-found[0], found[1]),
    )[: settings.near]
    mates = [other for other in preferences if other != user and clusters[other] == clusters[user]]
    taste = sum(value * vectors[key] for key, value in own.items() if value > 0 and key in vectors)
    taste = taste / np.linalg.norm(taste)
    parts = {
        "neighbours": lambda i: sum(c * preferences[o].get(i, 0) for c, o in near if c > 0),
        "cluster": lambda i: sum(max(preferences[o].get(i, 0), 0) for o in mates),
        "popular": lambda i: sum(max(row.get(i, 0), 0) for row in preferences.values()),
    }
    scores = dict.fromkeys(everything, 0.0)
    for name, of_item in parts.items():
        part = {item: max(of_item(item), 0.0) for item in everything}
        most = max(part.values()) or 1.0
        for item in everything:
            scores[item] += getattr(settings, name) * part[item] / most
    for item, vector in vectors.items():
        scores[item] += settings.sound * max(float(vector @ taste), 0.0)
    return {item: score for item, score in scores.items() if item not in own}


def test_a_list_has_the_best_of_sums_over_neighbours_cluster_sound_and_popularity():
    random = np.random.default_rng(3)
    tracks = catalogue(directions(random, 40))
    preferences = {
        f"u{n}": {
            f"t{item}": float(random.choice([1, 0.5, -1]))
            for item in random.choice(40, 9, replace=False)
            if random.random() < (0.9 if item % 2 == n % 2 else 0.3)
        }
        for n in range(30)
    }
    preferences["u3"] |= {"nowhere": 1.0}
    sounds, settings = tracks.sounds(), Settings(near=5, clusters=2)
    tastes = Tastes(preferences, sounds, settings)
    of = dict(zip(sorted(preferences), tastes.clusters.of_item.tolist(), strict=True))
    assert sorted(tastes.clusters.sizes) == [15, 15]
    vectors = {key: sounds.vectors[place].astype(float) for key, place in sounds.places.items()}
    for user, own in preferences.items():
        wanted = plainly(user, own, preferences, vectors, settings, of)
        found = tastes.recommend(user, own, 10)
        assert len(found.entries) == 10
        assert not own.keys() & set(items(found))
        scores = [entry.score for entry in found.entries]
        assert scores == pytest.approx([wanted[item] for item in items(found)], abs=2e-6)
        assert scores == pytest.approx(sorted(wanted.values(), reverse=True)[:10], abs=2e-6)
        assert (found.known, found.unknown) == (len(own), 0)
        for entry in found.entries:
            shares = [share for _, _, share in entry.reasons]
            assert shares == sorted(shares, reverse=True)
            assert 0 < sum(shares) <= 1.0002


def test_each_part_says_so():
    tracks = catalogue({"loud": [2.0] * F, "louder": [2.1] * F, "quiet": [-2.0] * F, "odd": [0.1] * F})
    preferences = {
        "ana": {"loud": 1.0, "x": 1.0},
        "ben": {"x": 1.0, "y": 1.0},
        "eva": {"quiet": 1.0},
    }
    tastes = Tastes(preferences, tracks.sounds(), Settings())
    found = {entry.item: entry for entry in tastes.recommend("ana", preferences["ana"], 9).entries}
    assert found["y"].reasons[0][:2] == (NEIGHBOURS, None)
    assert found["louder"].reasons == ((SOUND, "loud", 1.0),)
    assert "quiet" in found
    assert found["quiet"].reasons == ((POPULAR, None, 1.0),)
    alone = {"z": 1.0, "louder": 1.0}
    mates = Tastes(preferences | {"dan": alone}, tracks.sounds(), Settings(clusters=2, sound=0.0))
    codes = {entry.item: entry.reasons[0][0] for entry in mates.recommend("dan", alone, 9).entries}
    assert codes["loud"] == CLUSTER
    nobody = Tastes(preferences, tracks.sounds(), Settings()).recommend(
        "new", {"quiet": -1.0, "gone": 1.0}, 9
    )
    assert items(nobody)[0] == "x"
    assert {code for entry in nobody.entries for code, _, _ in entry.reasons} == {POPULAR}
    assert (nobody.known, nobody.unknown) == (1, 1)


def test_what_neighbours_dislike_does_not_rise():
    preferences = {
        "ana": {"a": 1.0, "b": 1.0},
        "ben": {"a": 1.0, "b": 1.0, "bad": -1.0, "good": 0.5},
        "eva": {"c": 1.0, "bad": 1.0},
    }
    weights = {"neighbours": 1.0, "cluster": 0.0, "sound": 0.0, "popular": 0.0}
    found = Tastes(preferences, Catalogue().sounds(), Settings(**weights)).recommend(
        "ana", preferences["ana"], 5
    )
    assert items(found) == ["good"]


def test_lists_do_not_depend_on_the_order_in_which_anything_came():
    random = np.random.default_rng(8)
    features = directions(random, 25)
    preferences = {f"u{n}": {f"t{i}": 1.0 for i in random.choice(25, 5, replace=False)} for n in range(12)}
    backwards = dict(reversed(features.items()))
    one = Tastes(preferences, catalogue(features).sounds(), Settings(clusters=3))
    two = Tastes(dict(reversed(preferences.items())), catalogue(backwards).sounds(), Settings(clusters=3))
    for user, own in preferences.items():
        assert one.recommend(user, own, 7) == two.recommend(user, dict(reversed(own.items())), 7)


def test_nothing_is_recommended_from_nothing():
    empty = Tastes({}, Catalogue().sounds(), Settings())
    assert empty.recommend("ana", {}, 5).entries == ()
    assert empty.recommend("ana", {"x": 1.0}, 5) == ((), 0, 1)


@pytest.mark.parametrize("wrong", [{"near": 0}, {"clusters": 0}, {"sound": -1.0}, {"sound": math.nan},
                                   {"neighbours": 0.0, "cluster": 0.0, "sound": 0.0, "popular": 0.0}])  # fmt: skip
def test_settings_that_make_no_list_are_refused(wrong):
    with pytest.raises(UsageError, match="or more"):
        Settings(**wrong)


def test_the_later_message_of_a_track_counts_and_what_is_not_told_is_the_mean():
    tracks = catalogue({"a": [1.0] * F, "b": [3.0] * F, "c": [None] * F})
    before = tracks.sounds()
    assert before.size == 3
    assert before.vectors[before.place("c")].tolist() == [0.0] * F
    assert before.vectors[before.place("a")] == pytest.approx(-before.vectors[before.place("b")])
    assert np.linalg.norm(before.vectors[before.place("a")]) == pytest.approx(1)
    tracks.add([Track("a", 0, [9.0] * F), Track("d", 2, [2.0] * F)])
    assert before.place("d") is None
    after = tracks.sounds()
    assert after.vectors[after.place("a")] == pytest.approx(before.vectors[before.place("a")])
    tracks.add([Track("a", 5, [9.0] * F)])
    assert tracks.sounds().vectors[after.place("a")] == pytest.approx(-before.vectors[before.place("a")])
    tracks.add(Track(f"more{n}", 1, [float(n)] * F) for n in range(3000))
    assert tracks.sounds().size == 3004
    assert tracks.sounds().keys[3003] == "more2999"


def sent(at_ms, user, item, kind="like", identity=None, retracts=None):
    at = NOW + dt.timedelta(milliseconds=at_ms)
    event = Event(at, identity or f"{user}{item}{at_ms}", kind, item, None, retracts)
    return Sent(Said(user, event, Through(0, at_ms)), at_ms)


def test_a_window_forgets_what_was_sent_before_it_and_the_first_of_too_many():
    recent = Recent(4, Meanings())
    recent.add([sent(3, "ana", "b", "dislike"), sent(1, "ana", "a"), sent(2, "ben", "a")], 0)
    assert recent.preferences(NOW) == {"ana": {"a": 1.0, "b": -1.0}, "ben": {"a": 1.0}}
    recent.add([sent(5, "eva", "c")], 2)
    assert recent.preferences(NOW) == {"ana": {"b": -1.0}, "ben": {"a": 1.0}, "eva": {"c": 1.0}}
    recent.add([sent(6, "eva", "d", identity="d1"), sent(7, "eva", "d", "retract", "d2", "d1")], 2)
    assert len(recent) == 4
    assert recent.preferences(NOW) == {"ana": {"b": -1.0}, "eva": {"c": 1.0}}
    assert list(recent.events("ben")) == []
    recent.add([], 100)
    assert recent.preferences(NOW) == {}
