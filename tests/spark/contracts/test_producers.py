"""Every producer: equal seed and start give equal messages, which satisfy their topic's schema."""

import itertools
import json

import jsonschema
import pytest

from core.errors import DataError, UsageError
from core.options import parse
from datasets.dataset import find
from datasets.producer import Asked
from datasets.producers import PRODUCERS
from datasets.sending.clock import evenly, poisson
from datasets.sources import SOURCES
from datasets.topics.declared import schema, topics
from tests.spotify_api import CLIENT, FRESH, LOCAL, OLD_TOKEN, SAVED, TOP, served

START = 1_767_225_600_000
MOST = 3000


@pytest.fixture(scope="module")
def asked(spark, tmp_path_factory):
    """Wishes by seed, data set and language; replays are read once for all tests of this file."""
    cache = tmp_path_factory.mktemp("data")
    small = find("synthetic/ml-latest-small", {"rows": "2000", "items": "150"})

    def ask(seed=1, dataset=small, language="es", speed=None, data=None):
        return Asked(seed, language, dataset, data, cache, speed, cache)

    return ask


@pytest.fixture
def spotify(asked, monkeypatch):
    """Options of a producer that asks a server of our own, to which a person has logged in long ago."""
    for name, value in CLIENT.items():
        monkeypatch.setenv(name, value)
    token = asked().run / "spotify-token.json"
    token.write_text(json.dumps(OLD_TOKEN))
    with served() as (address, paths):
        yield {"api": f"{address}/v1", "accounts": address}, paths, token
    token.unlink(missing_ok=True)


def made(name, asked, options=None, start=START):
    producer = parse(PRODUCERS[name], options or {}, name)
    supply = producer.supply(asked)
    times = poisson(100.0, asked.seed) if producer.poisson else evenly(100.0)
    return list(itertools.islice(supply.messages(start, times), MOST)), supply


@pytest.mark.parametrize("name", PRODUCERS)
def test_messages_follow_from_seed_and_start_and_satisfy_their_schema(name, asked, request):
    options = request.getfixturevalue("spotify")[0] if name == "spotify_user" else {}
    found, supply = made(name, asked(), options)
    again, _ = made(name, asked(), options)
    assert found == again
    assert len(found) == min(supply.rows or MOST, MOST)
    assert {message[0] for message in found} == {*PRODUCERS[name].topics} <= {*topics()}
    checks = {topic: jsonschema.Draft202012Validator(schema(topic)) for topic in PRODUCERS[name].topics}
    for topic, key, value, due, _, _ in found:
        message = json.loads(value)
        assert [error.message for error in checks[topic].iter_errors(message)] == []
        assert {*message} <= {*schema(topic)["properties"]}
        assert key == message[topics()[topic].key].encode()
        if message.get("type") != "like" or name != "spotify_user":
            assert message["timestamp"] == START + int(due * 1000)
    assert len({(message[0], json.loads(message[2])["id"]) for message in found}) == len(found)


@pytest.mark.parametrize("name", sorted({*PRODUCERS} - {"ratings", "spotify_user"}))
def test_another_seed_gives_other_messages(name, asked):
    dataset = asked().dataset if name == "events" else None
    one, other = (made(name, asked(seed, dataset))[0] for seed in (1, 2))
    assert {message[2] for message in one}.isdisjoint(message[2] for message in other)


@pytest.mark.parametrize("name", ["users", "movies", "series"])
def test_values_are_english_where_that_is_asked_for(name, asked):
    spanish, english = (
        {
            genre
            for message in made(name, asked(language=one))[0]
            for genre in json.loads(message[2])["generos"]
        }
        for one in ("es", "en")
    )
    assert "comedia" in spanish - english
    assert "comedy" in english - spanish


def test_ratings_are_the_data_sets_own_in_order_of_time(asked, spark):
    found, supply = made("ratings", asked())
    sent = [json.loads(message[2]) for message in found]
    dataset = asked().dataset
    rows = dataset.read(spark, dataset.fetch(None, asked().cache)).ratings.collect()
    expected = sorted(
        (round(row["at"].timestamp() * 1000), row["user"], row["item"], row["rating"]) for row in rows
    )
    assert [(one["rated_at"], one["user"], one["item"], one["rating"]) for one in sent] == expected
    assert len(sent) == supply.rows == 2000
    fast = PRODUCERS["ratings"]().supply(asked(speed=1000.0))
    dues = list(fast.times())
    assert dues[0] == 0
    assert dues == [pytest.approx((one["rated_at"] - sent[0]["rated_at"]) / 1e6) for one in sent]


def test_events_are_mixed_as_documented_and_retract_earlier_ones_of_the_same_user(asked):
    found = [json.loads(message[2]) for message in made("events", asked())[0]]
    shares = {
        kind: sum(one["type"] == kind for one in found) / len(found)
        for kind in ("watched", "played", "retract")
    }
    assert shares == pytest.approx({"watched": 0.4, "played": 0.25, "retract": 0.05}, abs=0.03)
    assert {one["type"] for one in found} == {"watched", "played", "retract", "like", "dislike"}
    seen, taken_back = {}, set()
    for one in found:
        if one["type"] == "retract":
            earlier = seen[one["retracts"]]
            assert (one["user"], one["item"]) == (earlier["user"], earlier["item"])
            assert earlier["type"] != "retract"
            assert one["retracts"] not in taken_back
            taken_back.add(one["retracts"])
        seen[one["id"]] = one
    headers = dict(made("events", asked())[0][0][4])
    assert headers["ce_id"].decode() == found[0]["id"]
    assert headers["ce_time"] == b"2026-01-01T00:00:00.000Z"
    with pytest.raises(UsageError, match="shares"):
        made("events", asked(), {"watched": "0.9", "played": "0.3"})


def test_tracks_come_from_a_data_set_that_has_them(asked, tmp_path):
    SOURCES["spotify"].sample("playlists", tmp_path)
    found, supply = made("tracks", asked(dataset=find("spotify/playlists"), data=tmp_path))
    tracks = [json.loads(message[2]) for message in found]
    assert len(tracks) == supply.rows > 0
    assert any({"artists", "genres", "danceability", "duration_ms"} <= {*one} for one in tracks)
    checks = jsonschema.Draft202012Validator(schema("tracks"))
    assert [error.message for one in tracks for error in checks.iter_errors(one)] == []
    with pytest.raises(UsageError, match="items only"):
        made("ratings", asked(dataset=find("spotify/tracks"), data=tmp_path))


def test_a_persons_tracks_are_read_to_the_last_page_with_a_token_made_new(asked, spotify, caplog):
    options, paths, token = spotify
    found, _ = made("spotify_user", asked(), options)
    tracks = {json.loads(value)["id"] for topic, _, value, *_ in found if topic == "tracks"}
    events = [json.loads(value) for topic, _, value, *_ in found if topic == "events"]
    assert tracks == {f"track{number:03d}" for number in range(160)}
    assert [event["type"] for event in events] == ["played"] * len(TOP) + ["like"] * (len(SAVED) - 1)
    assert {event["user"] for event in events} == {"wren"}
    assert events[-1]["timestamp"] == 1_708_423_200_000
    assert len([path for path in paths if "offset=" in path]) >= 5
    assert "1 entries" in caplog.text
    assert LOCAL["track"]["id"] is None
    kept = json.loads(token.read_text())
    assert (kept["access_token"], kept["refresh_token"]) == (FRESH, "again")
    assert token.stat().st_mode & 0o777 == 0o600


def test_a_revoked_login_is_told(asked, spotify):
    options, _, token = spotify
    token.write_text(json.dumps({**OLD_TOKEN, "refresh_token": "revoked"}))
    with pytest.raises(DataError, match="revoked"):
        made("spotify_user", asked(), options)
    token.unlink()
    with pytest.raises(UsageError, match="logged in"):
        made("spotify_user", asked(), options)
