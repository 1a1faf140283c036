"""A person's own tracks on Spotify, through its Web API: those played most, and those saved."""

import json
import logging
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

import orjson
from spotipy import Spotify, SpotifyException, SpotifyOAuth, SpotifyOauthError
from spotipy.cache_handler import CacheHandler

from core.errors import DataError, UsageError
from datasets.producer import Asked, Message, Supply
from datasets.sending.cloud_events import CloudEvents

logger = logging.getLogger(__name__)

_NAMES = ("SPOTIPY_CLIENT_ID", "SPOTIPY_CLIENT_SECRET", "SPOTIPY_REDIRECT_URI")
_SCOPES = "user-top-read user-library-read"
_PAGE, _TIMEOUT_S = 50, 15
_STEPS = (
    "1. make an app on Spotify's dashboard for developers, with the redirect address http://127.0.0.1:8898/callback; "
    "2. export SPOTIPY_CLIENT_ID=... SPOTIPY_CLIENT_SECRET=... SPOTIPY_REDIRECT_URI=http://127.0.0.1:8898/callback; "
    "3. run this in a terminal once and allow the app in the browser that opens"
)

Period = Literal["short_term", "medium_term", "long_term"]


@dataclass(frozen=True)
class SpotifyUser:
    """Each track is a message of `tracks`; a saved one is an event `like` at the time it was saved, one of the most played an event `played` at the start.

    Attributes:
        period: of the most played ones: about four weeks, six months, or a year.
        api, accounts: addresses of the Web API and of the accounts service; empty for Spotify's own.
    """

    period: Period = "medium_term"
    api: str = ""
    accounts: str = ""

    about: ClassVar[str] = "your own most played and saved tracks, through Spotify's Web API"
    topics: ClassVar[tuple[str, ...]] = ("tracks", "events")
    poisson: ClassVar[bool] = False
    replays: ClassVar[bool] = False

    def supply(self, asked: Asked) -> Supply:
        missing = [name for name in _NAMES if not os.environ.get(name)]
        if missing:
            raise UsageError(
                f"{', '.join(missing)} not set, and Spotify tells nobody's tracks without: {_STEPS}"
            )
        try:
            client = self._client(asked.run / "spotify-token.json")
            user = str(client.current_user()["id"])
            played = [
                (track, None)
                for track in _paged(client, client.current_user_top_tracks(_PAGE, 0, self.period))
            ]
            saved = [
                (entry["track"], entry["added_at"])
                for entry in _paged(client, client.current_user_saved_tracks(_PAGE))
            ]
        except (SpotifyException, SpotifyOauthError, OSError) as error:
            raise DataError(
                f"Spotify does not give the tracks: {error}. Remove {asked.run / 'spotify-token.json'} to log in again, and see that the "
                "app's user may use it; after too many requests wait a while"
            ) from error
        return _supplied(user, [*played, *saved])

    def _client(self, token: Path) -> Any:
        manager = SpotifyOAuth(
            scope=_SCOPES, cache_handler=_TokenFile(token), open_browser=True, requests_timeout=_TIMEOUT_S
        )
        if self.accounts:
            manager.OAUTH_TOKEN_URL = f"{self.accounts.rstrip('/')}/api/token"
            manager.OAUTH_AUTHORIZE_URL = f"{self.accounts.rstrip('/')}/authorize"
        if not manager.validate_token(manager.cache_handler.get_cached_token()) and not sys.stdin.isatty():
            raise UsageError(f"nobody has logged in to Spotify yet, which takes a terminal: {_STEPS}")
        client = Spotify(auth_manager=manager, requests_timeout=_TIMEOUT_S, retries=3)
        if self.api:
            client.prefix = f"{self.api.rstrip('/')}/"
        return client


class _TokenFile(CacheHandler):  # type: ignore[misc]
    """Token in a file that nobody else can read at any time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get_cached_token(self) -> dict[str, Any] | None:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def save_token_to_cache(self, token_info: dict[str, Any]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        made = self._path.with_name(f"{self._path.name}.{os.getpid()}.part")
        made.unlink(missing_ok=True)
        with os.fdopen(
            os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            json.dump(token_info, file)
        made.replace(self._path)


def _paged(client: Any, page: Any) -> Iterator[dict[str, Any]]:
    """Yield what this page and all that follow hold."""
    while page:
        yield from page["items"]
        page = client.next(page) if page["next"] else None


def _supplied(user: str, entries: list[tuple[dict[str, Any] | None, str | None]]) -> Supply:
    """Return the messages of tracks, each once, and of what the person did with them."""
    known = [(track, at) for track, at in entries if track and track.get("id")]
    if len(known) < len(entries):
        logger.warning(
            "spotify-user: %d entries are files of the person's own or tracks that are gone, and are not sent",
            len(entries) - len(known),
        )
    tracks = {track["id"]: track for track, _ in known}

    def messages(start_ms: int, times: Iterator[float]) -> Iterator[Message]:
        headers = CloudEvents()
        for track, due in zip(tracks.values(), times, strict=False):
            found = _described(track) | {"timestamp": start_ms + int(due * 1000)}
            yield "tracks", track["id"].encode(), orjson.dumps(found), due, [], None
        for (track, added), due in zip(known, times, strict=False):
            kind = "played" if added is None else "like"
            at = start_ms + int(due * 1000) if added is None else _milliseconds(added)
            key = f"spotify-{user}-{kind}-{track['id']}"  # of one track and person always the same
            event = {"id": key, "user": user, "item": track["id"], "type": kind, "timestamp": at}
            yield "events", user.encode(), orjson.dumps(event), due, headers.of(key.encode(), kind, at), None

    return Supply(len(tracks) + len(known), messages)


def _described(track: dict[str, Any]) -> dict[str, Any]:
    album = track.get("album") or {}
    year = str(album.get("release_date") or "")[:4]
    found = {
        "id": track["id"],
        "name": track.get("name") or track["id"],
        "artists": [artist["name"] for artist in track.get("artists") or () if artist.get("name")],
        "album": album.get("name"),
        "year": int(year) if year.isdigit() else None,
        "duration_ms": track.get("duration_ms"),
        "popularity": track.get("popularity"),
        "explicit": track.get("explicit"),
    }
    return {name: value for name, value in found.items() if value is not None}


def _milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


PRODUCER = SpotifyUser
