"""Environment that every program of ours inherits: UTF-8 file names for Java, and no proxy before our own servers.

Under an ASCII locale (LC_ALL=C, as in cron and small containers) Python reads and writes names in UTF-8; a JVM finds no
file whose name is not ASCII. Clients such as MLflow's send every request to the proxy that HTTP_PROXY or ALL_PROXY names,
which cannot reach this machine's loopback addresses. They contact the hosts in NO_PROXY directly.
"""

import locale
import sys
from collections.abc import Iterable, MutableMapping

SHORT_LIVES = (
    "-XX:TieredStopAtLevel=1 -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote "
    "-Dspark.sql.codegen.wholeStage=false -Dspark.sql.codegen.factoryMode=NO_CODEGEN"
)
"""JAVA_TOOL_OPTIONS of JVMs that plan hundreds of queries for a few thousand rows each, as in tests and the streams' demo: the second
compiler, the verifying of each class of Spark's released jars, and the compiling of a plan's own Java take longer than they could save.
Measured on an experiment of four applications: the first two are a fifth of all CPU time, the third is another fifth. Whoever
measures leaves them out."""

_UTF8 = "C.UTF-8"
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_EXCEPTIONS = ("no_proxy", "NO_PROXY")  # programs differ in the spelling that they read
_HERE = ("localhost", "127.0.0.1", "127.0.0.0/8", "::1")


def as_utf8(environ: MutableMapping[str, str]) -> None:
    """Set a UTF-8 locale in an environment whose locale is ASCII, for the programs that inherit it."""
    if sys.flags.utf8_mode and locale.nl_langinfo(locale.CODESET) != "UTF-8":
        environ["LC_ALL"] = _UTF8


def except_own(environ: MutableMapping[str, str], hosts: Iterable[str]) -> None:
    """Add our servers to NO_PROXY, in both spellings, if the environment names a proxy.

    Args:
        environ: the environment to change, which child processes inherit.
        hosts: names and addresses of our servers, in addition to loopback addresses.
    """
    if not any(value and name.lower() in _PROXIES for name, value in environ.items()):
        return
    own = [*_HERE, *hosts]
    said = {name: environ[name] for name in _EXCEPTIONS if name in environ}
    for name in _EXCEPTIONS:
        environ[name] = _completed(said.get(name, next(iter(said.values()), "")), own)


def _completed(value: str, own: Iterable[str]) -> str:
    listed = [host.strip() for host in value.split(",") if host.strip()]
    if "*" in listed:  # "*" excepts all hosts, but only if it is the sole entry
        return value
    return ",".join(dict.fromkeys([*listed, *own]))
