"""Ask a standalone master whether it accepts this application, so that a missing or wrong secret is noticed at once.

Spark itself would retry for a minute and then report that all masters are unresponsive.
"""

import os
import re
from collections.abc import Mapping
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark import SparkConf, SparkContext

from core.errors import JobError
from jobs.runtime.failures import root_cause

SECRET = "_SPARK_AUTH_SECRET"  # noqa: S105 - the name of the environment variable, Spark's own
_CONF = "spark.authenticate.secret"
_PATIENCE = "30s"
_SHARED = ("spark.authenticate", "spark.network.", "spark.rpc.")
_UNSURE = re.compile(r"TimeoutException|Failed to connect")
_WANTS = re.compile(r"SaslMessage|challenge", re.IGNORECASE)


def enter(settings: Mapping[str, str]) -> None:
    """Start the driver's JVM with these settings, give it the secret, and check that the standalone master accepts it.

    The JVM is started without the secret, because its command line is visible in the list of processes.

    Raises:
        JobError: the master refuses this application.
    """
    conf = SparkConf()
    for key, value in settings.items():
        conf.set(key, value)
    SparkContext._ensure_initialized(conf=conf)  # noqa: SLF001 - there is no public way to start the JVM first
    jvm: Any = SparkContext._jvm  # noqa: SLF001 - see above
    master = settings["spark.master"]
    if not master.startswith("spark://"):  # other cluster managers use a secret of their own
        return
    secret = os.environ.get(SECRET, "") if settings.get("spark.authenticate") == "true" else ""
    if secret:
        jvm.java.lang.System.setProperty(_CONF, secret)
    cause = _refusal(jvm, settings, secret)
    if cause:
        raise JobError(_advice(master, cause, with_secret=bool(secret)))


def _refusal(jvm: Any, settings: Mapping[str, str], secret: str) -> str:
    """Return why no master of the URL accepts this application; empty if one does, or if it cannot be told."""
    conf = jvm.org.apache.spark.SparkConf()
    for key, value in settings.items():
        if key.startswith(_SHARED):
            conf.set(key, value)
    conf.set("spark.rpc.lookupTimeout", _PATIENCE)
    if secret:
        conf.set(_CONF, secret)
    host = settings.get("spark.driver.bindAddress", "127.0.0.1")
    no_key = getattr(jvm.scala, "None$").__getattr__("MODULE$")
    from_file = jvm.org.apache.spark.SecurityManager.__getattr__("$lessinit$greater$default$3")()
    security = jvm.org.apache.spark.SecurityManager(conf, no_key, from_file)
    rpc = jvm.org.apache.spark.rpc.RpcEnv.create("handshake", host, host, 0, conf, security, 1, True)
    cause = ""
    try:
        for address in settings["spark.master"].removeprefix("spark://").split(","):
            url = jvm.org.apache.spark.rpc.RpcAddress.fromSparkURL(f"spark://{address}")
            try:
                rpc.setupEndpointRef(url, "Master")
            except Py4JJavaError as error:
                text = str(error)
                if _UNSURE.search(text):  # slow, or a standby master that is down
                    continue
                cause = root_cause(text)
            else:
                return ""
    finally:
        rpc.shutdown()
    return cause


def _advice(master: str, cause: str, *, with_secret: bool) -> str:
    if with_secret:
        return (
            f"the Spark master at {master} does not take this application's secret. RECSCALE_SPARK_SECRET and "
            "spark.encrypt must be the same here as where master and workers were started; for a master without a secret unset "
            f"RECSCALE_SPARK_SECRET.\nSpark says: {cause}"
        )
    if _WANTS.search(cause):
        return (
            f"the Spark master at {master} wants a secret, and this application has none: put the one that master and "
            f"workers were started with into RECSCALE_SPARK_SECRET, and run again.\nSpark says: {cause}"
        )
    return (
        f"what answers at {master} is no Spark master that understands this Spark: check what listens there (make status "
        f"on its machine) and that both have the same Spark version.\nSpark says: {cause}"
    )
