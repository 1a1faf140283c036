"""A Kafka that asks for a login and encrypts, as somebody else's does: every client gets in by what the environment says."""

import subprocess
import time

import pytest
from confluent_kafka import Producer

from cluster.configuration import load
from cluster.jvm import artifacts, java
from cluster.probe import stays
from cluster.processes import free_port
from core.errors import ServiceError
from datasets.topics.admin import administered
from datasets.topics.connection import Connection
from datasets.topics.declared import topic

SECRET = "secret-of-the-tests"
PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=CLIENTS://127.0.0.1:{clients},OWN://127.0.0.1:{own},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=CLIENTS:SASL_SSL,OWN:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=OWN
controller.listener.names=CONTROLLER
sasl.enabled.mechanisms=PLAIN
listener.name.clients.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_ana="{secret}";
listener.name.clients.ssl.keystore.location={folder}/keys.p12
listener.name.clients.ssl.keystore.password={secret}
listener.name.clients.ssl.keystore.type=PKCS12
log.dirs={folder}/data
offsets.topic.replication.factor=1
"""
META = "version=1\ncluster.id=c29tZWJvZHkgZWxzZSdzIQ\nnode.id=1\ndirectory.id=c29tZWJvZHkgZWxzZSdzIg\n"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """Give the environment with which a broker of its own is reached, and its address."""
    folder = tmp_path_factory.mktemp("guarded")
    keys = ("keytool", "-storepass", SECRET, "-keystore", f"{folder}/keys.p12", "-alias", "broker")
    named = ("-dname", "CN=127.0.0.1", "-ext", "san=ip:127.0.0.1", "-keyalg", "RSA", "-validity", "2")
    subprocess.run([*keys, "-genkeypair", "-storetype", "PKCS12", *named], check=True, capture_output=True)
    pem = ("-exportcert", "-rfc", "-file", f"{folder}/ca.pem")
    subprocess.run([*keys, *pem], check=True, capture_output=True)
    ports = []
    for _ in range(3):
        ports.append(free_port("127.0.0.1", avoid=ports))
    (folder / "data").mkdir()
    (folder / "data" / "meta.properties").write_text(META)
    numbers = dict(zip(("clients", "own", "controller"), ports, strict=True))
    (folder / "server.properties").write_text(PROPERTIES.format(folder=folder, secret=SECRET, **numbers))
    settings = load([], {})
    jars = artifacts.fetch("kafka", settings).resolve()
    program = java.find(settings.spark.java_home) / "bin" / "java"
    with (folder / "log").open("wb") as log:
        broker = subprocess.Popen(
            [program, "-Xmx256m", "-cp", f"{jars}/*", "kafka.Kafka", folder / "server.properties"],
            stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    address = f"127.0.0.1:{ports[0]}"
    try:
        end = time.monotonic() + 60
        while not stays(address):
            assert broker.poll() is None, (folder / "log").read_text()[-3000:]
            assert time.monotonic() < end
            time.sleep(0.2)
        yield (
            address,
            {
                "KAFKA_USER": "ana",
                "KAFKA_PASSWORD": SECRET,
                "KAFKA_SASL_MECHANISM": "PLAIN",
                "KAFKA_CA": f"{folder}/ca.pem",
            },
        )
    finally:
        broker.terminate()
        broker.wait(30)


def test_topics_messages_and_spark_pass_a_login_and_encryption(guarded, spark):
    address, environment = guarded
    connection = Connection.of([address], environment)
    with administered(connection) as broker:
        assert broker.make([topic("ratings")]) == ["ratings"]
        producer = Producer({**connection.librdkafka(), "acks": "all", "partitioner": "murmur2_random"})
        for number in range(100):
            producer.produce("ratings", f"message {number}", f"{number % 10}")
        assert producer.flush(60) == 0
        assert sum(one.end - one.first for one in broker.held(["ratings"])) == 100
    rows = spark.read.format("kafka").options(**connection.spark()).option("subscribe", "ratings").load()
    found = {row.value for row in rows.selectExpr("cast(value as string) value").collect()}
    assert found == {f"message {number}" for number in range(100)}


def test_a_wrong_password_ends_in_an_error_that_names_what_to_look_at(guarded):
    address, environment = guarded
    wrong = Connection.of([address], {**environment, "KAFKA_PASSWORD": "guess"})
    with pytest.raises(ServiceError, match="KAFKA_PASSWORD") as caught, administered(wrong) as broker:
        broker.names()
    assert "guess" not in str(caught.value)
