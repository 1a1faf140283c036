"""How Spark's processes know one another: a shared secret, and what they send encrypted with keys made from it.

The secret comes from the environment alone and goes on through the environment alone, under the name that Spark reads
and that its workers hand to executors. It is no setting, no argument, and in no file. What records say of it, so that
another secret is noticed, is hashed with a random key of the run folder: guesses cannot be tried on the record alone.
"""

import hashlib
import hmac
import json
import os
import secrets as random_bytes
from collections.abc import Mapping
from pathlib import Path

from cluster.errors import ServiceError
from cluster.service import Service
from cluster.settings import SECRET, Settings

SPARKS_NAME = "_SPARK_AUTH_SECRET"
"""Environment variable in which Spark's processes look for the secret."""
KEY_FILE = "secrets.key"
"""File of the run folder with the key of what records say of secrets; it is for this account alone."""


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


def digest(service: Service, run_dir: Path) -> str:
    """Return what changes when a running service would have to be started anew, its secrets included.

    Args:
        service: the one described now.
        run_dir: whose key is used, and made if there is none; nothing is written for a service without secrets.

    Raises:
        ServiceError: the key can be neither read nor written.
    """
    if not service.secrets:
        return service.digest
    text = json.dumps(sorted(service.secrets.items()))
    return f"{service.digest}-{hmac.new(_key(run_dir), text.encode(), hashlib.sha256).hexdigest()}"


def _key(run_dir: Path) -> bytes:
    path = run_dir / KEY_FILE
    try:
        if not path.exists():
            _make_key(path)
        return path.read_bytes()
    except OSError as error:
        raise ServiceError(
            f"{path} can be neither read nor made: {error.strerror}; stop the cluster (make down), remove the file, and "
            "start it again with this account, or name another folder: RECSCALE_RUN_DIR=/folder"
        ) from error


def _make_key(path: Path) -> None:
    """Make it whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    temporary.unlink(missing_ok=True)  # of a process that was killed
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(file, "wb") as out:  # noqa: PTH123 - a descriptor has no path to open
        out.write(random_bytes.token_bytes(32))
    temporary.replace(path)
