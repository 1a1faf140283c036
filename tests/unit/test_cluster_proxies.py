"""A proxy in the environment: not asked for our own servers, and asked for those of others. Both are real servers."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests
from requests.utils import get_environ_proxies

from cluster.__main__ import main
from cluster.configuration import load
from cluster.jvm import environment
from cluster.probe import answers
from cluster.processes import free_port
from cluster.service import Probe
from cluster.services import SERVICES

NOWHERE = "http://127.0.0.1:9"
EXCEPTIONS = ("no_proxy", "NO_PROXY")
NAMES = [kind + "_proxy" for kind in ("http", "https", "all")]


@pytest.fixture
def bare(monkeypatch):
    """An environment without proxies, and as it was when the test is over."""
    for name in [*NAMES, *EXCEPTIONS]:
        for spelt in (name.lower(), name.upper()):
            monkeypatch.setenv(spelt, "")
            monkeypatch.delenv(spelt)
    return monkeypatch


@contextmanager
def served(status, asked):
    """A server, or a proxy, that gives every request the same answer and keeps what it was asked for."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("name", [*NAMES, *(name.upper() for name in NAMES)])
def test_our_own_servers_are_asked_directly_and_all_others_through_the_proxy(bare, name):
    bare.setenv(name, NOWHERE)
    load(["host=192.168.1.5", "advertised=here.example"])
    scheme = "https" if "https" in name.lower() else "http"
    ours = (
        "127.0.0.1:5000",
        "localhost:5000",
        "127.0.0.2:8080",
        "[::1]:5000",
        "192.168.1.5:5000",
        "here.example:8080",
    )
    for address in ours:
        assert get_environ_proxies(f"{scheme}://{address}/") == {}, address
    for address in ("192.168.1.6:5000", "mlflow.example", "128.0.0.1"):
        assert get_environ_proxies(f"{scheme}://{address}/") != {}, address


def test_a_command_reaches_a_server_of_this_host_though_a_proxy_is_named(bare, cluster_sets):
    bare.setenv("HTTP_PROXY", NOWHERE)
    bare.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    asked = []
    with served(200, asked) as url:
        with pytest.raises(requests.exceptions.RequestException):
            requests.get(f"{url}/before", timeout=10)
        assert main(["status", *(word for pair in cluster_sets for word in ("--set", pair))]) == 0
        assert requests.get(f"{url}/after", timeout=10).status_code == 200
    assert asked == ["/after"]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, {}),
        ({"no_proxy": "a"}, {"no_proxy": "a"}),
        ({"HTTP_PROXY": ""}, {"HTTP_PROXY": ""}),
        ({"HTTP_PROXY": "p"}, {"HTTP_PROXY": "p", "no_proxy": "OWN", "NO_PROXY": "OWN"}),
        ({"https_proxy": "p", "NO_PROXY": "a, ::1"}, {"https_proxy": "p", "no_proxy": "a,::1,OWN", "NO_PROXY": "a,::1,OWN"}),
        ({"all_proxy": "p", "NO_PROXY": "a", "no_proxy": "b"}, {"all_proxy": "p", "no_proxy": "b,OWN", "NO_PROXY": "a,OWN"}),
        ({"http_proxy": "p", "no_proxy": "*"}, {"http_proxy": "p", "no_proxy": "*", "NO_PROXY": "*"}),
    ],
)  # fmt: skip
def test_what_is_excepted_already_stays(environ, expected):
    environment.except_own(environ, ["ours"])
    own = ["localhost", "127.0.0.1", "127.0.0.0/8", "::1", "ours"]
    assert set(environ) == set(expected)
    for name, value in expected.items():
        listed = [host for host in value.split(",") if host != "OWN"]
        wanted = [*listed, *(host for host in own if host not in listed)] if "OWN" in value else listed
        assert environ[name].split(",") == wanted
    before = dict(environ)
    environment.except_own(environ, ["ours"])
    assert environ == before


def external(uri):
    (service,) = SERVICES["mlflow"].describe(load([f"mlflow.uri={uri}"], {}), None)
    return service.ready


def test_a_server_of_others_is_asked_through_the_proxy(bare):
    asked = []
    with served(404, asked) as proxy:
        bare.setenv("http_proxy", proxy)
        assert answers(external("http://user:password@mlflow.invalid:5000/team/"))
        bare.delenv("http_proxy")
        bare.setenv("ALL_PROXY", proxy)
        assert answers(external("http://mlflow.invalid"))
    assert asked == ["http://mlflow.invalid:5000/team/health", "http://mlflow.invalid/health"]
    assert not answers(external("http://mlflow.invalid"))  # now that the proxy is gone
    with served(502, asked) as proxy:
        bare.setenv("ALL_PROXY", proxy)
        assert not answers(external("http://mlflow.invalid"))


def test_a_server_of_others_that_says_anything_answers(bare):
    assert not answers(external(f"http://127.0.0.1:{free_port('127.0.0.1')}"))
    assert external("sqlite:////folder/mlflow.db") is None
    with served(401, []) as url:
        assert answers(external(url))
        assert not answers(Probe("http", f"{url}/health"))
