"""A trial beside a stream: the workers that it leaves, and what is said when they are too few."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from cluster.shape import Shape
from core.errors import ServiceError
from experiments.run.neighbours import Neighbours, Worker, neighbours

FREE, BUSY = Worker(1, 2048, 0), Worker(1, 2048, 1)


@pytest.mark.parametrize(
    ("names", "workers", "shape", "kept"),
    [
        ((), (), Shape(2, 1, "2g"), 2),
        ((), (FREE, FREE, FREE), Shape(1, 4, "8g"), 1),
        (("stream",), (FREE, BUSY), Shape(1, 1, "2g"), 2),
        (("stream",), (BUSY, FREE, FREE), Shape(1, 1, "2g"), 3),
    ],
)
def test_no_application_loses_its_worker(names, workers, shape, kept):
    assert Neighbours(names, workers).kept(shape) == kept


@pytest.mark.parametrize(
    ("workers", "shape", "told"),
    [
        ((BUSY, FREE), Shape(2, 1, "2g"), "WORKERS=1"),
        ((BUSY,), Shape(1, 1, "2g"), "make setup WORKERS=2"),
        ((BUSY, FREE), Shape(1, 2, "2g"), "CORES=2"),
        ((BUSY, FREE), Shape(1, 1, "1g"), "MEMORY=1g"),
    ],
)
def test_too_few_are_told_at_once(workers, shape, told):
    with pytest.raises(ServiceError, match=told):
        Neighbours(("recscale stream lake",), workers).kept(shape)


def test_the_master_s_page_is_read():
    page = {
        "activeapps": [{"name": "recscale stream lake"}],
        "workers": [
            {"cores": 1, "memory": 2048, "coresused": 1, "state": "ALIVE"},
            {"cores": 1, "memory": 2048, "coresused": 0, "state": "DEAD"},
        ],
    }

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/json/" else 404)
            self.end_headers()
            self.wfile.write(json.dumps(page).encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        found = neighbours(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()
    assert found == Neighbours(("recscale stream lake",), (BUSY,))
    assert neighbours(f"http://127.0.0.1:{server.server_port}") == Neighbours((), ())
