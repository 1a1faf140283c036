"""Streams as a person runs them: drained, killed in the middle, stopped and gone on with, beside a trial; then the lake's upkeep."""

import json
import os
import signal
import subprocess
import time

import psutil
import pyarrow.parquet as pq
import pytest

from cluster.lifecycle import Cluster
from datasets.topics.admin import make_declared
from datasets.topics.connection import Connection
from tests.conftest import free_ports, kafka_sets
from tests.e2e.place import Place
from tests.spark.streaming import rating, send

pytestmark = [pytest.mark.timeout(1800), pytest.mark.long]
TOPICS = "lake.topics=ratings"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("streams")
    sets = [
        *kafka_sets(folder / "run"),
        *free_ports(),
        "spark.workers=2",
        "spark.cores=1",
        "spark.memory=1g",
        "spark.driver_memory=1g",
    ]
    found = Place(folder, sets)
    yield found
    Cluster(found.settings).down()
    assert found.processes() == []


def broker(place):
    (address,) = Cluster(place.settings).endpoint("kafka")
    return address


def exported(place):
    """(partition, offset) of every row of the ratings, as another program reads them."""
    to = place.folder / "exported"
    place.run("lake", "export", "--to", str(to), "--topics", "ratings")
    rows = pq.read_table(to / "ratings").to_pylist()
    return sorted((row["partition"], row["offset"]) for row in rows)


def wait_for(place, count, process):
    """Wait until so many messages were done by applications that ran since the test began."""
    end = time.monotonic() + 300
    while time.monotonic() < end:
        assert process.poll() is None, place.output() + logs(place)
        if sum(event["numInputRows"] for event in events(place) if event["event"] == "batch") >= count:
            return
        time.sleep(0.2)
    pytest.fail(place.output() + logs(place))


def events(place):
    return [
        json.loads(line)
        for path in sorted(place.run_dir.glob("streaming/*/events.jsonl"))
        for line in path.read_text().splitlines()
        if line.endswith("}")
    ]


def logs(place):
    return "".join(
        path.read_text()[-3000:] for path in sorted(place.run_dir.glob("streaming/*/driver.log"))[-2:]
    )


def partitions(messages):
    return sorted((number % 2, number // 2) for number in range(messages))


def test_a_stream_loses_nothing_and_a_trial_runs_beside_it(place):
    cluster = Cluster(place.settings)
    cluster.up({"kafka", "mlflow"})
    make_declared(Connection.of(cluster.endpoint("kafka")))
    send(broker(place), "ratings", [rating(number) for number in range(20)])
    with place.started("stream", "lake", "--trigger", "1s", "--set", TOPICS) as process:
        wait_for(place, 20, process)
        place.kill("mlflow")  # the stream must not notice
        _kill_driver(place)
        send(
            broker(place),
            "ratings",
            [rating(number, more=1) if number == 5 else rating(number) for number in range(20)],
        )
        wait_for(place, 40, process)
        Cluster(place.settings).up({"mlflow"})
        refused = subprocess.run(
            place.command("train", "--model", "bias", "--dataset", "synthetic/ml-latest-small", "--set", "shape.workers=2", "--set", "data.rows=3000"),
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert refused.returncode != 0
        assert "WORKERS=1" in refused.stdout + refused.stderr
        place.run(
            "train",
            "--model",
            "bias",
            "--dataset",
            "synthetic/ml-latest-small",
            "--set",
            "shape.workers=1",
            "--set",
            "data.rows=3000",
        )
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0, place.output()
    send(broker(place), "ratings", [(b"u1", b"{oops"), *(rating(number) for number in range(1, 10))])
    place.run("stream", "lake", "--drain", "--set", TOPICS)


def test_every_start_is_on_record_with_what_it_read(place):
    found = [
        (
            run.data.tags["recscale.status"],
            run.data.tags["recscale.restart"],
            run.data.metrics["totals/messages"],
        )
        for run in place.runs("stream", "stream")
    ]
    assert found == [("failed", "0", 20), ("stopped", "1", 20), ("drained", "0", 10)]
    last = place.runs("stream", "stream-query")[-1].data
    assert (last.tags["recscale.query"], last.params["topic"]) == ("lake.ratings", "ratings")
    assert {
        "stream/lag",
        "stream/batch_s",
        "batch parts/addBatch_s",
        "totals/batch_p95_s",
    } <= last.metrics.keys()
    place.run(
        "stream-report",
        "--start",
        min(path.parent.name for path in place.run_dir.glob("streaming/*/start.json")),
    )
    pages = {path.name for path in (place.run_dir / "reports").glob("stream-lake*.json")}
    assert len(pages) == 2
    values = json.loads((place.run_dir / "reports" / "stream-lake.json").read_text())
    assert values["queries"]["lake.ratings"]["dead_letters"] == 1


def _kill_driver(place):
    mark = str(place.run_dir / "streaming")
    (driver,) = [
        one
        for one in psutil.process_iter(["cmdline"])
        if "jobs" in (one.info["cmdline"] or []) and mark in " ".join(one.info["cmdline"])
    ]
    os.kill(driver.pid, signal.SIGKILL)


def test_a_dead_letter_is_mended_and_the_lake_compacted(place):
    letters = place.folder / "letters.jsonl"
    place.run("lake", "take", "--file", str(letters))
    (letter,) = map(json.loads, letters.read_text().splitlines())
    assert (letter["reason"], letter["value"]) == ("not JSON", "{oops")
    # Messages go to the partition of their place among those that are sent together: 20, 20 and 10.
    assert (letter["topic"], letter["partition"], letter["offset"]) == ("ratings", 0, 20)
    key, value = rating(1000, user="u1")
    letters.write_text(json.dumps({**letter, "key": key.decode(), "value": value.decode()}) + "\n")
    place.run("lake", "send", "--file", str(letters))
    place.run("stream", "lake", "--drain", "--set", TOPICS)
    before = len(list((place.run_dir / "lake" / "ratings").rglob("part-*.parquet")))
    place.run("lake", "compact", "--keep-hours", "0")
    assert len(list((place.run_dir / "lake" / "ratings").rglob("part-*.parquet"))) < before
    rows = exported(place)
    assert len(rows) == len(set(rows)) == 50  # every message but the dead letter, and that one mended
    assert set(rows) > set(partitions(50)) - {(0, 20)}


def test_latency_is_measured_to_the_visible_row_of_every_message(place):
    typed = ["--rate", "100", "--trigger", "1s", "--warmup", "2s", "--measured", "6s", "--repeats", "1"]
    done = subprocess.run(
        place.command("stream-latency", "lake", *typed, "--dataset", "synthetic/ml-100k"),
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    kept = place.run_dir / "experiments" / "stream_latency" / "lake.ratings" / "latency.json"
    assert kept.exists(), done.stdout + done.stderr
    (trial,) = json.loads(kept.read_text())["trials"]
    found = trial["tried"]
    counts = not trial["late"] and found["seen"]["warm"]  # a busy host may hold up generator and stream
    assert done.returncode == (0 if counts else 1)
    assert found["differences"] == []
    assert 595 <= found["seen"]["messages"] <= 601
    p50, p95, p99, slowest = (found["seen"]["latencies"][share] for share in ("0.5", "0.95", "0.99", "1"))
    assert 0 < p50 <= p95 <= p99 <= slowest
    assert found["seen"]["after_s"] > 0
    (run,) = place.runs("stream_latency", "latency-trial")
    assert run.data.metrics["rate/latency_max_s"] == slowest


def test_freshness_is_measured_for_lists_of_the_stream_and_made_at_read(place):
    sizes = {
        "rate": "5",
        "lake-rate": "300",
        "warmup": "3s",
        "measured": "6s",
        "people": "30",
        "history": "5",
        "items": "500",
        "rank": "8",
    }
    text = place.run("freshness", *(word for name, value in sizes.items() for word in (f"--{name}", value)))
    assert "At read it takes" in text
    kept = json.loads((place.run_dir / "experiments" / "freshness" / "freshness.json").read_text())
    assert {one["way"] for one in kept["trials"]} == {"stream refresh", "made at read"}
    for trial in kept["trials"]:
        assert len(trial["seconds"]) > 10
        for sent, acked, row, listed in trial["seconds"]:
            assert 0 <= sent <= acked <= row <= listed
    assert len(place.runs("freshness", "freshness-trial")) == 2
    assert not (place.run_dir / "experiments" / "freshness" / "work" / "streams-of-a-trial").exists()
