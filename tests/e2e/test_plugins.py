"""A service and a store in a folder of their own: nothing of the project names them, and all of it knows them."""

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
    describe, ToySettings, wanted=lambda section: replace(section, servers=1), keeps_tables=True
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


@pytest.fixture
def place(tmp_path, monkeypatch):
    unset_settings(monkeypatch)
    place = Place(tmp_path, [*free_ports(), f"run_dir={tmp_path / 'run'}", "spark.memory=1g"])
    for path, text in (("cluster/services/toy.py", SERVICE), ("jobs/stores/toy.py", STORE)):
        file = tmp_path / "more" / path
        file.parent.mkdir(parents=True)
        file.write_text(text)
    monkeypatch.setenv("RECSCALE_PLUGINS", str(tmp_path / "more"))
    monkeypatch.setenv("RECSCALE_TOY_PORT", free_ports()[0].partition("=")[2])
    return place


def test_a_service_and_a_store_from_another_folder_are_started_used_reported_and_stopped(place):
    text = place.run("run", place.spec("plugged", 'model.name = ["bias"]', fixed='data.store = "toy"'))
    assert "toy is ready" in text
    assert "hello.json?opened" in (place.run_dir / "logs" / "toy.log").read_text()
    (trial,) = json.loads((place.run_dir / "reports" / "plugged.json").read_text())["trials"]
    assert (trial["status"], trial["params"]["data.store"]) == ("ok", "toy")
    assert {run.data.params["data.store"] for run in place.runs("plugged")} == {"toy"}
    assert place.processes() == []
    # It is another store, so the tables that were prepared for it are no other store's.
    assert [path.name for path in (place.run_dir / "store").iterdir() if path.name.endswith("-toy")]
