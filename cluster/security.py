"""Authentication and encryption between Spark's processes, from one shared secret.

The secret is passed only in the environment, under the name that Spark reads and that workers hand to executors. It is
not a setting, not an argument, and in no file. Records hold only a hash of it, so that a changed secret is noticed. The
hash uses a random key of the run folder: guesses cannot be tried on the record alone.
"""

import hashlib
import hmac
import json
import os
import secrets as random_bytes
from collections.abc import Mapping
from pathlib import Path

from cluster.service import Service
from cluster.settings import SECRET, Settings
from core.errors import ServiceError

SPARKS_NAME = "_SPARK_AUTH_SECRET"
"""Environment variable in which Spark's processes look for the secret."""
KEY_FILE = "secrets.key"
"""File of the run folder with the key for hashes of secrets; only this account may read it."""


def options(settings: Settings, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the Spark settings of every process that shares the secret; empty without a secret.

    A side that encrypts refuses one that does not, instead of silently falling back to plain text.
    """
    if not environ.get(SECRET):
        return {}
    found = {"spark.authenticate": "true"}
    if settings.spark.encrypt is not False:
        found |= {
            "spark.network.crypto.enabled": "true",
            "spark.network.crypto.saslFallback": "false",
            "spark.network.crypto.authEngineVersion": "2",  # version 1 derives weaker keys
        }
    return found


def java_options(settings: Settings) -> str:
    """Return `options` as arguments of a JVM."""
    return " ".join(f"-D{key}={value}" for key, value in options(settings).items())


def secrets(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the secret as an environment variable for Spark; empty without a secret."""
    secret = environ.get(SECRET)
    return {SPARKS_NAME: secret} if secret else {}


def digest(service: Service, run_dir: Path) -> str:
    """Return a digest of a service and its secrets; a changed digest means that it must be restarted.

    Args:
        service: as the settings describe it now.
        run_dir: folder of the key, which is made if missing; nothing is written for a service without secrets.

    Raises:
        ServiceError: the key cannot be read or written.
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
            f"{path} cannot be read or written: {error.strerror}; stop the cluster (make down), remove the file, and "
            "start it again with this account, or name another folder: RECSCALE_RUN_DIR=/folder"
        ) from error


def _make_key(path: Path) -> None:
    """Write the key atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    temporary.unlink(missing_ok=True)  # left by a process that was killed
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(file, "wb") as out:  # noqa: PTH123 - a descriptor has no path to open
        out.write(random_bytes.token_bytes(32))
    temporary.replace(path)
