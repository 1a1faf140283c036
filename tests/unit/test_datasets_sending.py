"""Parts of sending that need no broker: times, delays, ledgers, bad messages, and the command's refusals."""

import itertools
import json
import statistics
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.errors import DataError, UsageError
from datasets.__main__ import main
from datasets.sending import ledger as ledgers
from datasets.sending.bad import KINDS, spoiled
from datasets.sending.clock import evenly, poisson, started
from datasets.sending.delays import Delays
from datasets.sending.ledger import Ledger
from tests.spotify_api import CLIENT


def test_times_are_even_or_random_at_the_rate():
    assert list(itertools.islice(evenly(250.0), 4)) == [0.0, 0.004, 0.008, 0.012]
    assert next(itertools.islice(evenly(250.0), 5000, None)) == 20.0
    drawn = list(itertools.islice(poisson(100.0, 3), 20_001))
    assert drawn == list(itertools.islice(poisson(100.0, 3), 20_001))
    assert drawn != list(itertools.islice(poisson(100.0, 4), 20_001))
    gaps = [after - before for before, after in itertools.pairwise(drawn)]
    assert statistics.mean(gaps) == pytest.approx(0.01, rel=0.03)
    assert statistics.stdev(gaps) == pytest.approx(0.01, rel=0.05)  # as of exponential gaps


def test_a_start_is_read_as_utc_unless_it_names_a_zone():
    assert started("1700000000123") == 1_700_000_000_123
    assert started("2023-11-14T22:13:20") == started("2023-11-14T23:13:20+01:00") == 1_700_000_000_000
    with pytest.raises(UsageError, match="'soon'"):
        started("soon")


def test_quantiles_of_delays_are_at_most_a_step_too_large():
    delays = Delays()
    assert delays.quantile(0.99) == 0
    for number in range(1, 1001):
        delays.add([10.0 - number / 1000], 10.0)
    for share in (0.5, 0.99, 1.0):
        assert share <= delays.quantile(share) * (1 + 1e-9) <= share * 1.02
    assert delays.longest_s == pytest.approx(1.0)
    delays.add([0.0, 9.0], 10.0)
    assert delays.longest_s == 10.0


def test_delays_are_counted_whatever_handfuls_they_come_in():
    delays = Delays()
    for number in range(6000):
        delays.add([10.0 - (number % 3 + 1)] * (number % 4), 10.0)
    assert int(delays._counts.sum()) < 9000  # the last ones are counted when they are asked for
    assert delays.quantile(0.3) == pytest.approx(1.0, rel=0.02)
    assert delays.quantile(0.6) == pytest.approx(2.0, rel=0.02)
    assert int(delays._counts.sum()) == 9000


def test_a_ledger_adds_runs_up_and_refuses_other_files(tmp_path):
    file = tmp_path / "acknowledged.jsonl"
    for first in (0, 7):
        run = Ledger()
        for offset in (first, first + 1, first + 3, first + 2):
            run.add("events", 1, offset, "late" if offset == first else None)
        run.add("events", 0, first)
        run.append(ledgers.writable(file))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert lines[1] == {
        "topic": "events", "partition": 1, "acknowledged": 4, "ranges": [[0, 3]], "bad": {"late": [[0, 0]]},
    }  # fmt: skip
    assert ledgers.read(file) == {("events", 0): [[0, 0], [7, 7]], ("events", 1): [[0, 3], [7, 10]]}
    other = tmp_path / "notes.txt"
    other.write_text("milk\n")
    with pytest.raises(UsageError, match=r"notes\.txt"):
        ledgers.writable(other)
    with pytest.raises(UsageError, match="nowhere"):
        ledgers.writable(tmp_path / "nowhere" / "x")
    with pytest.raises(DataError, match="line 1"):
        ledgers.read(other)


def good(count):
    for number in range(count):
        value = {"id": f"e{number}", "user": "u", "item": "i", "type": "like", "timestamp": 10**12}
        yield "events", b"u", json.dumps(value).encode(), number / 10, [], None


def parsed(value):
    try:
        return json.loads(value)
    except ValueError:
        return None


def test_runs_that_end_at_the_same_time_all_stand_in_a_ledger(tmp_path):
    def run(partition):
        ledger = Ledger()
        ledger.add("ratings", partition, 7)
        ledger.append(tmp_path / "it.jsonl")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(40)))
    assert ledgers.read(tmp_path / "it.jsonl") == {
        ("ratings", partition): [[7, 7]] for partition in range(40)
    }


def test_bad_messages_are_wrong_in_the_way_of_their_kind():
    found = list(spoiled(good(4000), 0.5, KINDS, seed=5))
    assert found == list(spoiled(good(4000), 0.5, KINDS, seed=5))
    assert [message[3] for message in found] == [number / 10 for number in range(4000)]
    by_kind = {kind: [message for message in found if message[5] == kind] for kind in (None, *KINDS)}
    assert len(by_kind[None]) == pytest.approx(2000, rel=0.1)
    assert min(map(len, by_kind.values())) > 100
    values = {kind: [parsed(message[2]) for message in messages] for kind, messages in by_kind.items()}
    assert {*map(type, values["malformed"])} == {type(None)}
    assert all(len(value) == 4 for value in values["missing-field"])
    assert all({"wrong": True} in value.values() for value in values["wrong-type"])
    assert {message[1] for message in by_kind["null-key"]} == {None}
    assert {value["timestamp"] for value in values["future"]} == {4_070_908_800_000}
    assert {value["timestamp"] for value in values["epoch"]} == {0}
    assert {value["timestamp"] for value in values["late"]} == {10**12 - 7_200_000}
    assert all(len(message[2]) > 2**21 for message in by_kind["large"])
    sent = {value["id"] for value in values[None]}
    assert {value["id"] for value in values["duplicate"]} <= sent
    assert list(spoiled(good(3), 0.0, KINDS, seed=5)) == list(good(3))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["user"], ["'user'", "'users'", "spotify-user"]),
        (["users"], ["--total"]),
        (["users", "--rate", "-5"], ["--rate", "greater than 0", "-5"]),
        (["users", "--rate", "fast"], ["--rate", "'fast'"]),
        (["users", "--total", "0"], ["--total", "'0'"]),
        (["users", "--total", "5", "--start", "soon"], ["--start", "'soon'"]),
        (["users", "--total", "5", "--speed", "2"], ["--speed", "ratings"]),
        (["ratings", "--rate", "5", "--speed", "2"], ["--speed", "--rate"]),
        (["users", "--total", "5", "--bad", "2"], ["--bad", "'2'"]),
        (["users", "--total", "5", "--bad-kinds", "lat"], ["'lat'", "'late'"]),
        (["users", "--total", "5", "--patience", "5"], ["--patience", "30m"]),
        (["users", "--total", "5", "--set", "colour=red"], ["'colour'", "users"]),
        (["events", "--total", "5", "--set", "retrac=0.1"], ["'retrac'", "'retract'"]),
        (["users", "--total", "5", "--brokers", " , "], ["--brokers", "host:port"]),
    ],
)
def test_usage_errors_come_before_anything_is_sent(capsys, words, named):
    assert main(["produce", *words]) == 2
    told = capsys.readouterr().err
    assert [name for name in named if name not in told] == []


def test_a_broker_that_is_down_is_told_within_the_patience(capsys):
    assert main(["produce", "users", "--total", "5", "--brokers", "127.0.0.1:9", "--patience", "1s"]) == 3
    told = capsys.readouterr().err
    assert [name for name in ("127.0.0.1:9", "make setup KAFKA=1", "--brokers") if name not in told] == []


def test_spotify_without_credentials_says_the_steps(capsys, monkeypatch):
    for name in CLIENT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPOTIPY_CLIENT_ID", "app")
    assert main(["produce", "spotify-user", "--brokers", "127.0.0.1:9"]) == 2
    told = capsys.readouterr().err
    assert "SPOTIPY_CLIENT_SECRET, SPOTIPY_REDIRECT_URI" in told
    assert "SPOTIPY_CLIENT_ID, " not in told
    assert "1. " in told
