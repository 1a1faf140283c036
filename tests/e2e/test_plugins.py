"""A service, a store, a model and a job in a folder of their own: nothing of the project names them, and all of it knows them."""

import json

import pytest

from tests.conftest import free_ports, unset_settings
from tests.e2e.place import Place

pytestmark = [pytest.mark.timeout(600), pytest.mark.long]

SERVICE = '''
"""A web server over a folder of its own."""

from dataclasses import dataclass, replace

from cluster.service import Port, Probe, Service, ServiceKind


@dataclass(frozen=True)
class ToySettings:
    """Settings of the server: how many there are, and its port."""

    servers: int = 0
    port: int = 8765


def describe(settings, place):
    toy = settings.of(ToySettings)
    if not toy.servers:
        return ()
    web, folder = place.address("toy", "web", toy.port), place.keeps("toy", "toy")
    return (
        Service(
            name="toy",
            group="toy",
            url=str(web),
            argv=(
                str(place.path("python")), "-m", "http.server", "--bind", web.host, "--directory", str(folder), str(web.port)
            ),
            folders=(folder,),
            files={str(folder / "hello.json"): '{"toy": "is here"}'},
            ports=(Port("web", web, "toy.port", web),),
            memory_mb=32,
            ready=Probe("http", f"http://{web}/hello.json", {"toy": "is here"}),
        ),
    )


SERVICE = ServiceKind(
    describe, ToySettings, wanted=lambda section: replace(section, servers=1)
)
'''

STORE = '''
"""Files that can be opened only while the toy answers."""

import urllib.request

from jobs.stores.parquet.storage import ParquetStorage
from jobs.stores.parquet.store import ParquetStore


class ToyStore(ParquetStore):
    def __init__(self, spark, root, retention=None):
        address = spark.conf.get("spark.recscale.toy")
        with urllib.request.urlopen(f"http://{address}/hello.json?opened") as answer:
            assert answer.status == 200
        super().__init__(spark, root, retention)


class ToyStorage(ParquetStorage):
    service = "toy"

    def spark_settings(self, addresses, options, jars):
        return {"spark.recscale.toy": addresses[0]}


STORE, STORAGE = ToyStore, ToyStorage()
'''

MODEL = '''
"""A guess that Python code on the executors makes: every pair's is the same."""

from dataclasses import dataclass

from jobs.models.bias import Bias, BiasScorer


def _same(frames):
    for frame in frames:
        yield frame.assign(prediction=3.5)


class Guess(BiasScorer):
    def score(self, pairs):
        return pairs.mapInPandas(_same, "user int, item int, prediction float")


@dataclass(frozen=True)
class Toy(Bias):
    sample: int = 1

    def fit(self, tables):
        return Guess(self.baseline(tables.ratings).hold(), self.clip)


MODEL = Toy
'''

JOB = '''
"""A stream that runs on: so many rows a second from Spark's own source, into nothing."""

import time

from jobs.runtime.request import Result


class ToyStream:
    kind = "windows"

    def parameters(self):
        return frozenset({"rows"})

    def run(self, context):
        rows = int(context.request.params["rows"])
        read = context.spark.readStream.format("rate").option("rowsPerSecond", rows).load()
        place = f"{context.request.work}/checkpoint"
        write = read.writeStream.format("noop").option("checkpointLocation", place)
        query = write.trigger(processingTime="500 milliseconds").start()
        known = -1
        try:
            for window in context.windows():
                time.sleep(2)
                window.count("rows", 0)
                for told in query.recentProgress:
                    if told["batchId"] > known:
                        known = told["batchId"]
                        window.count("rows", told["numInputRows"])
                        window.lag("batch", told["durationMs"]["triggerExecution"] / 1000)
        finally:
            query.stop()
        return Result(job="toy_stream", status="ok")


JOB = ToyStream()
'''


FILES = {
    "cluster/services/toy.py": SERVICE,
    "jobs/stores/toy.py": STORE,
    "jobs/models/toy.py": MODEL,
    "jobs/apps/toy_stream.py": JOB,
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    unset_settings(monkeypatch)
    place = Place(tmp_path, [*free_ports(), f"run_dir={tmp_path / 'run'}", "spark.memory=1g"])
    for path, text in FILES.items():
        file = tmp_path / "more" / path
        file.parent.mkdir(parents=True)
        file.write_text(text)
    monkeypatch.setenv("RECSCALE_PLUGINS", str(tmp_path / "more"))
    monkeypatch.setenv("RECSCALE_TOY_PORT", free_ports()[0].partition("=")[2])
    return place


def test_what_another_folder_holds_is_started_used_reported_and_stopped(place):
    text = place.run("run", place.spec("plugged", 'model.name = ["toy"]', fixed='data.store = "toy"'))
    assert "toy is ready" in text
    assert "hello.json?opened" in (place.run_dir / "logs" / "toy.log").read_text()
    (trial,) = json.loads((place.run_dir / "reports" / "plugged.json").read_text())["trials"]
    assert (trial["status"], trial["params"]["data.store"]) == ("ok", "toy")
    assert {run.data.params["data.store"] for run in place.runs("plugged")} == {"toy"}
    assert place.processes() == []
    # It is another store, so the tables that were prepared for it are no other store's.
    assert [path.name for path in (place.run_dir / "store").iterdir() if path.name.endswith("-toy")]
    # Executors ran the model's own code: a guess that is the same for every pair.
    (kept,) = place.run_dir.glob("experiments/plugged/*/*/outcome.json")
    assert {*json.loads(kept.read_text())["applications"][0]["fingerprint"]} == {3.5}


def test_a_job_that_runs_on_is_measured_in_windows(place):
    spec = place.folder / "running_on.toml"
    spec.write_text(
        'question = "How much comes through?"\napplications = 1\nrepeats = 3\nwarmups = 1\npartitions = 2\n'
        '[job]\nname = "toy_stream"\n[shape]\nworkers = 1\ncores = 1\nmemory = "1g"\n[grid]\njob.rows = [50, 500]\n'
    )
    text = place.run("run", str(spec))
    assert "WINDOWS" in text
    slow, fast = place.runs("running_on")
    for run, rate in ((slow, 50), (fast, 500)):
        # Whole batches fall into a window, so a rate may be off by one second's rows of two.
        assert rate / 2 <= run.data.metrics["rows_per_s"] <= 1.5 * rate
        assert run.data.metrics["lag/batch_s"] > 0
    trials = json.loads((place.run_dir / "reports" / "running_on.json").read_text())["trials"]
    for trial in trials:
        kinds = [window["kind"] for window in trial["applications"][0]["windows"]]
        assert (trial["status"], kinds) == ("ok", ["cold", "repeat", "repeat", "repeat"])
    again = place.run("run", str(spec))
    assert "finished before" in again
    assert [run.info.run_id for run in place.runs("running_on")] == [slow.info.run_id, fast.info.run_id]
    assert place.processes() == []
