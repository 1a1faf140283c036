"""Headers by which any consumer of CloudEvents 1.0 knows an event (its binary mode for Kafka)."""

from datetime import UTC, datetime

from datasets.producer import Header


class CloudEvents:
    """Maker of headers. Times of one second have the same beginning, which is written once."""

    def __init__(self) -> None:
        self._second, self._text = -1, ""

    def of(self, key: str, kind: str, ms: int) -> list[Header]:
        """Return the headers of the event with this identifier and kind, which happened at this time."""
        second, rest = divmod(ms, 1000)
        if second != self._second:
            self._second = second
            self._text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return [
            ("ce_specversion", b"1.0"),
            ("ce_id", key.encode()),
            ("ce_source", b"/recscale/events"),
            ("ce_type", b"recscale." + kind.encode()),
            ("ce_time", f"{self._text}.{rest:03d}Z".encode()),
            ("content-type", b"application/json"),
        ]
