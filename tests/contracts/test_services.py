"""What every kind of service keeps to, whatever the folder holds."""

import dataclasses
import json
from pathlib import Path

import pytest

from cluster.configuration import load
from cluster.dependencies import layers
from cluster.service import Address, Service
from cluster.services import SERVICES, described

DATA_CLASSES = (str, int, float, bool, type(None))


class Elsewhere:
    """A place like a container's: other hosts, other paths, ports of their own."""

    def address(self, service, port, wanted):
        return Address(service, wanted or {"rpc": 7078, "ui": 8081}.get(port, 9000))

    def published(self, service, port, wanted, number=1):
        return Address("here", wanted + number) if wanted else self.address(service, port, wanted)

    def member(self, service, number):
        return service

    def keeps(self, service, group):
        return Path("/kept")

    def others(self, service):
        return {}

    def jars(self, name):
        return Path("/jars") / name

    def path(self, kind):
        return Path("/there") / kind


SETTINGS = {
    "as shipped": load([], {}),
    "four workers": load(["spark.workers=4", "spark.cores=2"], {}),
    "no workers": load(["spark.workers=0"], {}),
    "three nodes": load(["cassandra.nodes=3", "cassandra.rf=3"], {}),
    "a broker": load(["kafka.brokers=1"], {}),
    "three brokers": load(["kafka.brokers=3"], {}),
    "with history": load(["history.servers=1"], {}),
}
EXTERNAL = load(["spark.master=spark://there:7077", "mlflow.uri=http://there:5000"], {})


@pytest.fixture(params=SERVICES)
def describe(request):
    return SERVICES[request.param].describe


def everything(settings):
    return described(settings, Elsewhere())


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_it_can_be_started_and_seen_to_be_ready(describe, settings):
    for service in describe(settings, Elsewhere()):
        assert isinstance(service, Service)
        assert all(isinstance(word, str) for word in service.argv)
        assert service.argv
        assert all(isinstance(value, str) for value in service.env.values())
        assert service.ready is not None
        assert service.ready.deadline_s > 0
        assert service.memory_mb > 0
        assert not service.external


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_it_listens_and_is_reached_where_the_place_says(describe, settings):
    for service in describe(settings, Elsewhere()):
        assert service.ports
        assert {port.address.host for port in service.ports} == {service.name}
        addresses = {port.address for port in service.ports} | {port.published for port in service.ports}
        assert any(str(address) in service.url for address in addresses)
        assert all(
            port.published is None or port.published.host in ("here", service.name) for port in service.ports
        )
        assert str(Path.home()) not in json.dumps([service.argv, dict(service.env)])


def test_it_is_a_value_that_any_backend_can_read(describe):
    for service in describe(load([], {}), Elsewhere()):
        json.dumps(dataclasses.asdict(service), default=str)
        assert dataclasses.replace(service) == service
        with pytest.raises(dataclasses.FrozenInstanceError):
            service.name = "other"


def test_describing_twice_gives_the_same_and_other_numbers_another_digest(describe):
    shipped, again, other = (
        describe(load(sets, {}), Elsewhere()) for sets in ([], [], ["host=::1", "run_dir=/x"])
    )
    assert [service.digest for service in shipped] == [service.digest for service in again]
    assert len({service.digest for service in shipped}) == len(shipped)
    assert len(other) == len(shipped)


def test_where_its_address_is_given_it_is_external_or_not_described(describe):
    for service in describe(EXTERNAL, Elsewhere()):
        assert service.external
        assert service.argv == ()
        assert "there" in service.url
        assert "RECSCALE_" in service.hint


@pytest.mark.parametrize("settings", [*SETTINGS.values(), EXTERNAL])
def test_names_are_unique_and_what_is_required_is_there(settings):
    services = everything(settings)
    names = [service.name for service in services]
    assert len(set(names)) == len(names)
    assert all(set(service.requires) <= set(names) for service in services)
    assert sum(map(len, layers(services))) == len(services)


def test_workers_are_described_one_by_one_with_their_shape():
    workers = SERVICES["spark_worker"].describe(
        load(["spark.workers=3", "spark.cores=2", "spark.memory=3g"], {}), Elsewhere()
    )
    assert [worker.name for worker in workers] == ["spark-worker-1", "spark-worker-2", "spark-worker-3"]
    expected = workers[0].ready.expect
    assert workers[0].ready.once == {"aliveworkers": 3}
    assert expected["workers"][0]["cores"] == 2
    assert expected["workers"][0]["memory"] == 3072
