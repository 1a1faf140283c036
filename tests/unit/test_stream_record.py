"""Streams in a real MLflow database: step by step while they go on, caught up with after MLflow was away, and anew from disk."""

import itertools
import shutil
from contextlib import ExitStack
from dataclasses import replace

import pytest
from invented_streams import BEGAN, QUERY, course, failed, query_start, start, write
from recording import client_of

from cluster import configuration
from experiments.record import streams
from experiments.results.parts import Launched
from experiments.results.stream_series import StreamSeries, doubling
from experiments.results.stream_start import held, starts
from experiments.run import stream_recording
from experiments.run.stream_recording import Recording, record_missing
from jobs.runtime.request import Result

NAMES = (f"20270115-080000-{number:06x}" for number in itertools.count())
MOVIES = "lake.movies"


@pytest.fixture
def known(place, tmp_path):
    """A run folder with a copy of the record, MLflow's client of it, and the folder of starts."""
    folder, recorder = place
    shutil.copy(folder / "mlflow.db", tmp_path / "mlflow.db")
    settings = configuration.load([f"run_dir={tmp_path}"], {})
    copied = type(recorder)(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "mlartifacts")
    return settings, copied.tracking, client_of(copied), tmp_path / "streaming"


def runs_of(client, attempt):
    """The runs of a start: the start's own, and those of its queries by name."""
    where = [client.get_experiment_by_name(streams.NAME).experiment_id]
    found = client.search_runs(where, f"tags.`recscale.attempt` = '{attempt}'")
    parents = [run for run in found if run.data.tags["recscale.kind"] == streams.KIND]
    assert len(parents) == 1
    queries = [run for run in found if run not in parents]
    assert {run.data.tags["mlflow.parentRunId"] for run in queries} <= {parents[0].info.run_id}
    by_name = {run.info.run_name: run for run in queries}
    assert len(by_name) == len(queries)
    return parents[0], by_name


def history(client, run, metric):
    """Steps and values of a metric of a run."""
    return [(item.step, round(item.value, 3)) for item in client.get_metric_history(run.info.run_id, metric)]


def test_a_start_is_recorded_step_by_step_and_in_the_end_whole(known):
    _, tracking, client, place = known
    begun = start(next(NAMES), status="running", ended_at=None)
    live, series = streams.Live(begun), StreamSeries(BEGAN, doubling)
    live.add(tracking, series)
    parent, queries = runs_of(client, begun.attempt)
    assert (parent.info.status, queries) == ("RUNNING", {})
    assert (
        parent.data.params["lake.topics"],
        parent.data.params["trigger_s"],
        parent.data.tags["hash.code"],
    ) == ("ratings", "10", "c0de")
    for event in course(12):
        series.add(event)
    live.add(tracking, series)
    _, queries = runs_of(client, begun.attempt)
    lags = history(client, queries[QUERY], "stream/lag")
    assert lags == [(6, 20), (11, 20)]
    assert queries[QUERY].data.tags["recscale.start_offset"] == "ratings-0 0, ratings-1 0"
    assert (
        len(history(client, queries[QUERY], "batch parts/addBatch_s")) == 10
    )  # the eleventh second is not over
    ended = replace(
        begun, status="failed", error="it broke\n  lake.ratings: batch 9 is done", ended_at=BEGAN + 20
    )
    live.end(tracking, series, ended, write(place, ended, course(12)))
    parent, queries = runs_of(client, begun.attempt)
    assert (parent.info.status, parent.data.tags["recscale.status"], parent.info.end_time) == (
        "FAILED",
        "failed",
        (BEGAN + 20) * 1000,
    )
    assert "batch 9 is done" in parent.data.tags["recscale.error"]
    assert (
        parent.data.tags["recscale.topics"],
        parent.data.metrics["totals/messages"],
        parent.data.metrics["totals/seconds"],
    ) == ("ratings", 1100, 20)
    found = queries[QUERY].data
    assert len(history(client, queries[QUERY], "stream/batch_s")) == 11
    assert (found.metrics["totals/batches"], found.tags["recscale.end_offset"]) == (
        11,
        "ratings-0 550, ratings-1 550",
    )
    assert found.metrics["totals/batch_p99_s"] == pytest.approx(0.5, rel=0.01)
    assert {item.path for item in client.list_artifacts(parent.info.run_id)} == {"start.json"}


def test_metrics_come_in_batches_of_a_thousand_at_most(known, monkeypatch):
    _, tracking, _, _ = known
    series = StreamSeries(BEGAN, doubling)
    for event in (*course(200), *course(200, MOVIES)):
        series.add(event)
    calls = []
    log = tracking._client.log_batch
    monkeypatch.setattr(
        tracking._client,
        "log_batch",
        lambda run, **given: (calls.append(len(given.get("metrics", ()))), log(run, **given)),
    )
    streams.Live(start(next(NAMES))).add(tracking, series)
    assert max(calls) == 1000
    assert len([count for count in calls if count]) == 2 * -(-sum(calls) // 2 // 1000)


class Slow:
    """A recording whose thread does not run: the test looks when it wants to."""

    def __init__(self, settings, place, attempt):
        self.begun = start(attempt, status="running", ended_at=None)
        self.folder = write(place, self.begun, [])
        self.recording = Recording(settings, self.folder, self.begun)
        self.running = ExitStack()
        self.running.enter_context(held(self.folder))

    def look(self, events):
        """Look when the application has written so many events."""
        write(self.folder.parent, self.begun, itertools.islice(course(100), events))
        self.recording._look()


def test_a_record_that_was_away_is_caught_up_with_and_said_once(known, monkeypatch, caplog):
    caplog.set_level("INFO")
    settings, _, client, place = known
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    slow = Slow(settings, place, next(NAMES))
    slow.look(5)
    known_before = history(client, runs_of(client, slow.begun.attempt)[1][QUERY], "stream/batch_s")
    away = configuration.load([f"run_dir={settings.run_dir}", "mlflow.uri=http://127.0.0.1:9"], {})
    slow.recording.settings = away
    for events in (20, 40, 60):
        slow.look(events)
    assert caplog.text.count("MLflow does not take its record") == 1
    slow.recording.settings = settings
    slow.look(80)
    assert caplog.text.count("MLflow answers again") == 1
    _, queries = runs_of(client, slow.begun.attempt)
    found = history(client, queries[QUERY], "stream/batch_s")
    assert found[: len(known_before)] == known_before
    assert [step for step, _ in found] == list(range(2, len(found) + 2))
    assert len(found) > 60


def test_what_was_not_recorded_to_its_end_is_recorded_from_disk_once(known, caplog):
    settings, tracking, client, place = known
    cut, whole = next(NAMES), next(NAMES)
    slow = Slow(settings, place, cut)
    slow.look(20)  # a part stands in MLflow, and the command is killed
    slow.running.close()
    write(place, start(whole, restart=1, command=cut), [*course(30), failed(30), query_start(33)])
    running = next(NAMES)
    with held(write(place, start(running, status="running"), course(10))):
        assert [one.attempt for one in record_missing(tracking, settings)] == [cut, whole]
        assert record_missing(tracking, settings) == []
    parent, queries = runs_of(client, cut)
    assert (parent.info.status, parent.data.tags["recscale.status"]) == ("KILLED", "lost")
    assert len(history(client, queries[QUERY], "stream/batch_s")) == len(
        set(history(client, queries[QUERY], "stream/batch_s"))
    )
    parent, queries = runs_of(client, whole)
    assert (
        parent.info.status,
        parent.data.tags["recscale.restart"],
        parent.data.metrics["totals/restarts"],
    ) == ("FINISHED", "1", 1)
    times = client.get_metric_history(queries[QUERY].info.run_id, "stream/lag")
    assert [item.timestamp for item in times] == [
        round((BEGAN + second) * 1000) for second in (5, 10, 15, 20, 25)
    ]
    client.delete_run(parent.info.run_id)  # by a person, who does not want it again
    assert [one.attempt for one in record_missing(tracking, settings)] == [running]


def test_the_thread_records_and_the_command_waits_for_it(known, monkeypatch):
    settings, _, client, place = known
    monkeypatch.setattr(stream_recording, "FLUSH_S", 0.05)
    begun = start(next(NAMES), status="running", ended_at=None)
    folder = write(place, begun, course(10))
    with Recording(settings, folder, begun) as recording:
        assert [one.status for _, one in starts(place)] == ["running"]
        answer = Result(job="stream", status="failed", error="it broke")
        recording.ended(Launched(answer, "failed", None, None, None, 1.0), "batch 3")
    recording.wait(60)
    assert recording.whole
    ((_, ended),) = starts(place)
    assert (ended.status, ended.error) == ("failed", "it broke\nbatch 3")
    parent, queries = runs_of(client, begun.attempt)
    assert (parent.info.status, queries[QUERY].data.metrics["totals/messages"]) == ("FAILED", 900)


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), "stopped"), (ValueError("no"), "failed")]
)
def test_what_ends_the_block_ends_the_start(known, monkeypatch, error, status):
    settings, _, _, place = known
    monkeypatch.setattr(stream_recording, "FLUSH_S", 0.05)
    begun = start(next(NAMES), status="running", ended_at=None)
    with pytest.raises(type(error)), Recording(settings, write(place, begun, []), begun) as recording:
        raise error
    recording.wait(60)
    ((_, ended),) = starts(place)
    assert (ended.status, ended.error) == (status, str(error))


def test_the_view_shows_the_queries(known):
    _, tracking, client, _ = known
    address = streams.show(tracking)
    place = client.get_experiment_by_name(streams.NAME)
    assert f"experiments/{place.experiment_id}/" in address
    assert streams.QUERY in place.tags["mlflow.sharedViewState.queries"]
