"""Keeps a proxy of the environment from standing between our programs and our own servers.

Clients, MLflow's for one, send everything to the proxy that HTTP_PROXY or ALL_PROXY names, and that one knows nothing of
this machine's loopback addresses. What NO_PROXY lists they ask directly.
"""

from collections.abc import Iterable, MutableMapping

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_EXCEPTIONS = ("no_proxy", "NO_PROXY")  # programs differ in which of them they read
_HERE = ("localhost", "127.0.0.1", "127.0.0.0/8", "::1")


def except_own(environ: MutableMapping[str, str], hosts: Iterable[str]) -> None:
    """Complete NO_PROXY, in both its spellings, where the environment names a proxy; all others go through that still.

    Args:
        environ: an environment, for programs that it is handed on to as well.
        hosts: names and addresses of our servers, beside those of the loopback.
    """
    if not any(value and name.lower() in _PROXIES for name, value in environ.items()):
        return
    own = [*_HERE, *hosts]
    said = {name: environ[name] for name in _EXCEPTIONS if name in environ}
    for name in _EXCEPTIONS:
        environ[name] = _completed(said.get(name, next(iter(said.values()), "")), own)


def _completed(value: str, own: Iterable[str]) -> str:
    listed = [host.strip() for host in value.split(",") if host.strip()]
    if "*" in listed:  # everything already, and only as long as it stands there alone
        return value
    return ",".join(dict.fromkeys([*listed, *own]))
