"""Headers by which any consumer of CloudEvents 1.0 knows an event (its binary mode for Kafka)."""

from datetime import UTC, datetime

from datasets.producer import Header

_VERSION: Header = ("ce_specversion", b"1.0")
_SOURCE: Header = ("ce_source", b"/recscale/events")
_CONTENT: Header = ("content-type", b"application/json")


class CloudEvents:
    """Maker of headers. What many events share, as the time but its milliseconds, is made once."""

    def __init__(self) -> None:
        self._second, self._text = -1, ""
        self._kinds: dict[str, Header] = {}

    def of(self, key: bytes, kind: str, ms: int) -> list[Header]:
        """Return the headers of the event with this identifier and kind, which happened at this time."""
        second, rest = divmod(ms, 1000)
        if second != self._second:
            self._second = second
            self._text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        if kind not in self._kinds:
            self._kinds[kind] = ("ce_type", f"recscale.{kind}".encode())
        at = f"{self._text}.{rest:03d}Z".encode()
        return [_VERSION, ("ce_id", key), _SOURCE, self._kinds[kind], ("ce_time", at), _CONTENT]
