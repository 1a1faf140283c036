"""How Spark's processes know one another: a shared secret, and what they send encrypted with keys made from it.

The secret comes from the environment alone and goes on through the environment alone, under the name that Spark reads
and that its workers hand to executors. It is no setting, no argument, and in no file.
"""

import os
from collections.abc import Mapping

from cluster.settings import SECRET, Settings

SPARKS_NAME = "_SPARK_AUTH_SECRET"
"""Environment variable in which Spark's processes look for the secret."""


def options(settings: Settings, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the Spark settings of every process that shares the secret; none where there is no secret.

    A side that encrypts refuses one that does not, instead of falling back to plain text without a word.
    """
    if not environ.get(SECRET):
        return {}
    found = {"spark.authenticate": "true"}
    if settings.spark.encrypt is not False:
        found |= {
            "spark.network.crypto.enabled": "true",
            "spark.network.crypto.saslFallback": "false",
            "spark.network.crypto.authEngineVersion": "2",  # the first makes weaker keys
        }
    return found


def java_options(settings: Settings) -> str:
    """Return `options` as a JVM of Spark's takes them."""
    return " ".join(f"-D{key}={value}" for key, value in options(settings).items())


def secrets(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the secret under the name that Spark reads, for a process's environment; nothing where there is none."""
    secret = environ.get(SECRET)
    return {SPARKS_NAME: secret} if secret else {}
