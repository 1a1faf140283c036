"""A server that answers as Spotify's Web API and its accounts service do, for one invented person."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlparse

CLIENT = {
    "SPOTIPY_CLIENT_ID": "app",
    "SPOTIPY_CLIENT_SECRET": "hush",
    "SPOTIPY_REDIRECT_URI": "http://127.0.0.1:8898/callback",
}
OLD_TOKEN = {
    "access_token": "stale",
    "token_type": "Bearer",
    "expires_in": 3600,
    "refresh_token": "again",
    "scope": "user-library-read user-top-read",
    "expires_at": 1_700_000_000,
}
FRESH = "fresh"


def track(number: int) -> dict[str, object]:
    return {
        "id": f"track{number:03d}",
        "name": f"Song {number}",
        "artists": [{"id": "a1", "name": "The Lanterns"}, {"id": "a2", "name": "Ivy Holt"}],
        "album": {
            "id": "b1",
            "name": "Paper Clocks",
            "release_date": "2019-05",
            "release_date_precision": "month",
        },
        "duration_ms": 180_000 + number,
        "popularity": number % 101,
        "explicit": number % 2 == 0,
        "is_local": False,
        "type": "track",
    }


TOP = [track(number) for number in range(60)]
LOCAL = {"added_at": "2024-01-01T00:00:00Z", "track": {**track(999), "id": None, "is_local": True}}
SAVED = [
    LOCAL,
    *({"added_at": f"2024-02-{1 + n % 28:02d}T10:00:00Z", "track": track(n)} for n in range(40, 160)),
]
PAGES = {"/v1/me/top/tracks": TOP, "/v1/me/tracks": SAVED}


class _Answers(BaseHTTPRequestHandler):
    asked: list[str]

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        given = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        login = "Basic " + base64.b64encode(b"app:hush").decode()
        if self.path != "/api/token" or self.headers["Authorization"] != login:
            self._answer(400, {"error": "invalid_client", "error_description": "Invalid client"})
        elif given.get("grant_type") != ["refresh_token"] or given["refresh_token"] != ["again"]:
            self._answer(400, {"error": "invalid_grant", "error_description": "Refresh token revoked"})
        else:
            scope = OLD_TOKEN["scope"]
            self._answer(
                200, {"access_token": FRESH, "token_type": "Bearer", "scope": scope, "expires_in": 3600}
            )

    def do_GET(self) -> None:
        place = urlparse(self.path)
        self.asked.append(self.path)
        if self.headers["Authorization"] != f"Bearer {FRESH}":
            self._answer(401, {"error": {"status": 401, "message": "The access token expired"}})
        elif place.path.rstrip("/") == "/v1/me":
            self._answer(200, {"id": "wren", "display_name": "Wren", "type": "user"})
        elif place.path in PAGES:
            self._page(place.path, parse_qs(place.query))
        else:
            self._answer(404, {"error": {"status": 404, "message": "Service not found"}})

    def _page(self, path: str, query: dict[str, list[str]]) -> None:
        limit, offset = int(query.get("limit", ["20"])[0]), int(query.get("offset", ["0"])[0])
        if not 1 <= limit <= 50:
            self._answer(400, {"error": {"status": 400, "message": "Invalid limit"}})
            return
        items = PAGES[path]
        here = f"http://{self.headers['Host']}{path}?limit={limit}&offset="
        self._answer(
            200,
            {
                "href": f"{here}{offset}",
                "limit": limit,
                "next": f"{here}{offset + limit}" if offset + limit < len(items) else None,
                "offset": offset,
                "previous": f"{here}{max(0, offset - limit)}" if offset else None,
                "total": len(items),
                "items": items[offset : offset + limit],
            },
        )

    def _answer(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@contextmanager
def served() -> Iterator[tuple[str, list[str]]]:
    """Give the server's address, and the paths that it was asked for."""
    answers = type("Answers", (_Answers,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), answers)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", answers.asked
    finally:
        server.shutdown()
        server.server_close()
