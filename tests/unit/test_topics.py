"""Topics as they are declared, what a client must be told to reach brokers, and how far streams have read."""

import json

import pytest

from core.errors import UsageError
from datasets.topics import declared
from datasets.topics.admin import Held
from datasets.topics.connection import Connection
from experiments.cli.commands.topics import listing, read_so_far


def test_every_topic_has_a_schema_with_its_key_except_that_of_dead_letters():
    for name, topic in declared.topics().items():
        assert topic.retention_ms >= 3_600_000
        if name != declared.DEAD_LETTERS:
            assert {topic.key, "id", "timestamp"} <= {*declared.schema(name)["required"]}
    with pytest.raises(UsageError, match="did you mean 'ratings'"):
        declared.topic("rating")


def test_without_secrets_brokers_are_reached_as_they_are():
    plain = Connection.of(["here:9092", "there:9092"], {})
    assert plain.librdkafka() == {
        "bootstrap.servers": "here:9092,there:9092",
        "security.protocol": "PLAINTEXT",
    }
    assert plain.spark()["kafka.security.protocol"] == "PLAINTEXT"


def test_secrets_of_the_environment_reach_every_client_and_no_text(tmp_path):
    authority = tmp_path / "ca.pem"
    authority.write_text("a certificate")
    environment = {"KAFKA_USER": "ana", "KAFKA_PASSWORD": 'qu"o\\te', "KAFKA_CA": str(authority)}
    connection = Connection.of(["there:9093"], environment)
    assert "password" not in repr(connection)
    assert connection.protocol == "SASL_SSL"
    assert (
        connection.librdkafka()["sasl.password"]
        == connection.kafka_python()["sasl_plain_password"]
        == 'qu"o\\te'
    )
    options = connection.spark()
    assert options["kafka.sasl.jaas.config"].endswith(
        'ScramLoginModule required username="ana" password="qu\\"o\\\\te";'
    )
    assert options["kafka.ssl.truststore.location"] == str(authority)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"KAFKA_USER": "ana"}, "KAFKA_USER is set and KAFKA_PASSWORD is not"),
        ({"KAFKA_PASSWORD": "x"}, "KAFKA_PASSWORD is set and KAFKA_USER is not"),
        ({"KAFKA_SASL_MECHANISM": "SCRAM-SHA-521"}, "did you mean 'SCRAM-SHA-512'"),
        ({"KAFKA_CA": "/nowhere/ca.pem"}, "is no file"),
    ],
)
def test_half_a_login_is_refused(environment, said):
    with pytest.raises(UsageError, match=said):
        Connection.of(["there:9093"], environment)


def test_lag_is_what_the_brokers_hold_beyond_what_a_query_has_done(tmp_path):
    checkpoint = tmp_path / "lake" / "ratings" / "checkpoint"
    for name, text in {
        "offsets/0": 'v1\n{}\n{"ratings":{"0":10,"1":4}}',
        "offsets/1": 'v1\n{}\n{"ratings":{"0":90,"1":80}}',  # begun, not done
        "commits/0": "v1\n{}",
        "sources/0/0": 'v1\n{"ratings":{"0":0,"1":0}}',
    }.items():
        (checkpoint / name).parent.mkdir(parents=True, exist_ok=True)
        (checkpoint / name).write_text(text)
    read = read_so_far(tmp_path)
    assert read == {"lake/ratings": {("ratings", 0): 10, ("ratings", 1): 4}}
    held = [Held("ratings", 0, 2, 100), Held("ratings", 1, 7, 10), Held("other", 0, 0, 3)]
    (_, other, ratings) = listing(held, read, partitions=False)
    assert other.split() == ["other", "1", "3", "not", "declared", "-"]
    # Of partition 1 the messages before offset 7 are gone, so they are not read any more.
    assert ratings.split() == ["ratings", "2", "101", "168h", "lake/ratings", "93"]
    assert [line.split()[-1] for line in listing(held, read, partitions=True)] == ["lag", "-", "90", "3"]
    assert json.dumps([line.split()[:4] for line in listing(held, read, partitions=True)][2]) == (
        '["ratings", "0", "2", "100"]'
    )
