"""Addresses of Kafka's brokers and what they ask of a client, for each of the clients that speak to them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import UsageError
from core.options import nearest

USER, PASSWORD = "KAFKA_USER", "KAFKA_PASSWORD"
MECHANISM, AUTHORITIES = "KAFKA_SASL_MECHANISM", "KAFKA_CA"
VARIABLES = (USER, PASSWORD, MECHANISM, AUTHORITIES)
"""Environment variables with what brokers that are not ours ask for."""

FILE_VARIABLES = (AUTHORITIES,)
"""Those of them that name files, which a driver has to be able to read."""

_MECHANISMS = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}


@dataclass(frozen=True)
class Connection:
    """Way to Kafka's brokers.

    Attributes:
        addresses: host:port of some of them; they name the others.
        user: for a login by name and password (SASL); empty for none.
        mechanism: of the login.
        authorities: file of certificates (PEM) that vouch for the brokers; with one the traffic is encrypted (TLS).
    """

    addresses: tuple[str, ...]
    user: str = ""
    password: str = field(default="", repr=False)
    mechanism: str = "SCRAM-SHA-512"
    authorities: str = ""

    @classmethod
    def of(cls, addresses: Sequence[str], environ: Mapping[str, str] = os.environ) -> "Connection":
        """Return the way to these brokers with what the environment says of it.

        Raises:
            UsageError: a user without a password or the other way round, a mechanism that is not known, a missing file.
        """
        user, password = environ.get(USER, ""), environ.get(PASSWORD, "")
        if bool(user) != bool(password):
            given, missing = (USER, PASSWORD) if user else (PASSWORD, USER)
            raise UsageError(f"{given} is set and {missing} is not: set both to log in to Kafka, or neither")
        mechanism = environ.get(MECHANISM) or cls.mechanism
        if mechanism not in _MECHANISMS:
            raise UsageError(f"{MECHANISM}={mechanism} is unknown: {nearest(mechanism, _MECHANISMS)}")
        authorities = environ.get(AUTHORITIES, "")
        if authorities and not Path(authorities).is_file():
            raise UsageError(
                f"{AUTHORITIES}={authorities} is no file: name one with the authority's certificate (PEM)"
            )
        return cls(tuple(addresses), user, password, mechanism, authorities)

    @property
    def protocol(self) -> str:
        """Kafka's name for the security of the traffic."""
        return ("SASL_" if self.user else "") + ("SSL" if self.authorities else "PLAINTEXT")

    def librdkafka(self) -> dict[str, Any]:
        """Return the options of a client of confluent-kafka."""
        options: dict[str, Any] = {
            "bootstrap.servers": ",".join(self.addresses),
            "security.protocol": self.protocol,
        }
        if self.user:
            options |= {
                "sasl.mechanism": self.mechanism,
                "sasl.username": self.user,
                "sasl.password": self.password,
            }
        return options | ({"ssl.ca.location": self.authorities} if self.authorities else {})

    def kafka_python(self) -> dict[str, Any]:
        """Return the arguments of a client of kafka-python."""
        options: dict[str, Any] = {
            "bootstrap_servers": list(self.addresses),
            "security_protocol": self.protocol,
        }
        if self.user:
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        return options | ({"ssl_cafile": self.authorities} if self.authorities else {})

    def spark(self) -> dict[str, str]:
        """Return the options of a reader or writer of Spark."""
        options = {
            "kafka.bootstrap.servers": ",".join(self.addresses),
            "kafka.security.protocol": self.protocol,
        }
        if self.user:
            login = f'username="{_quoted(self.user)}" password="{_quoted(self.password)}"'
            options |= {
                "kafka.sasl.mechanism": self.mechanism,
                "kafka.sasl.jaas.config": f"{_MECHANISMS[self.mechanism]} required {login};",
            }
        if self.authorities:
            options |= {"kafka.ssl.truststore.type": "PEM", "kafka.ssl.truststore.location": self.authorities}
        return options


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
