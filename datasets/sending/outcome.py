"""Outcome of a run of sending: a table for people, a mapping for programs, and the errors that it ends with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import DataError, JobError, ServiceError
from core.text_tables import table
from core.units import time_text
from datasets.sending.sender import Sent

_MISSED = 0.005
_SLACK_S = 0.02


@dataclass(frozen=True)
class Outcome:
    """Results of a run.

    Attributes:
        name: of the producer.
        paced: whether messages were sent at times of their own; else as fast as it went.
        sent: the account.
        patience_s: seconds after which a message counts as failed.
    """

    name: str
    paced: bool
    sent: Sent
    patience_s: float

    @property
    def asked(self) -> float | None:
        """Messages a second that were due, None where none were."""
        span = self.sent.last_due_s - self.sent.first_due_s
        return (self.sent.handed - 1) / span if self.paced and span > 0 else None

    @property
    def achieved(self) -> float:
        """Messages a second: those handed over at their times, or those acknowledged as fast as it went."""
        if self.paced:
            span = self.sent.last_handed_s - self.sent.first_due_s
            return (self.sent.handed - 1) / span if span > 0 else 0.0
        return self.sent.acknowledged / self.sent.ended_s if self.sent.ended_s else 0.0

    def values(self) -> Mapping[str, Any]:
        """Return what programs ask for; delays in seconds, None where messages had no times of their own."""
        delays = self.sent.delays
        known = {
            "p50": delays.quantile(0.5),
            "p99": delays.quantile(0.99),
            "max": delays.longest_s,
        }
        return {
            "producer": self.name,
            "acknowledged": self.sent.acknowledged,
            "failed": self.sent.failed,
            "refused": self.sent.refused,
            "bad": dict(sorted(self.sent.bad.items())),
            "asked_per_s": self.asked,
            "achieved_per_s": self.achieved,
            "publish_delay_s": known if self.paced else None,
            "bytes_per_message": self.sent.size / self.sent.handed if self.sent.handed else 0.0,
            "seconds": self.sent.ended_s,
        }

    def text(self) -> str:
        """Return a table of one run, and a line on deliberately bad messages if there are any."""
        found = self.values()
        delays = found["publish_delay_s"] or {}
        row = {
            "producer": self.name,
            "acknowledged": f"{self.sent.acknowledged:,}",
            "failed": f"{self.sent.failed:,}",
            "refused": f"{self.sent.refused:,}",
            "asked/s": "-" if self.asked is None else f"{self.asked:,.0f}",
            "achieved/s": f"{self.achieved:,.0f}",
            **{f"delay {name}": _milliseconds(delays.get(name)) for name in ("p50", "p99", "max")},
            "bytes each": f"{found['bytes_per_message']:,.0f}",
        }
        bad = ", ".join(f"{kind} {count:,}" for kind, count in found["bad"].items())
        return table(list(row), [list(row.values())]) + (f"\nbad on purpose: {bad}" if bad else "")

    def check(self) -> None:
        """Raise the error that the run ends with, if there is one.

        Raises:
            ServiceError: Kafka has not acknowledged all messages.
            DataError: messages were too large.
            JobError: messages could not be made and handed over as fast as they were due.
        """
        sent = self.sent
        if sent.failed:
            reasons = ", ".join(f"{text} ({count:,})" for text, count in sent.errors.most_common(3))
            raise ServiceError(
                f"Kafka acknowledged {sent.acknowledged:,} messages and not {sent.failed:,} others within {time_text(self.patience_s)}: "
                f"{reasons}. These may have been written or not. See that the brokers run (make status, make logs S=kafka-1), then send "
                "again; --patience gives them more time"
            )
        if sent.refused:
            raise DataError(
                f"{sent.refused:,} messages are larger than their topic takes and were not sent: {'; '.join(sent.named)}. "
                "Make them smaller, or let brokers take larger ones (kafka.max_message)"
            )
        missed = sent.last_handed_s - sent.last_due_s
        if self.paced and missed > _MISSED * (sent.last_due_s - sent.first_due_s) + _SLACK_S:
            raise JobError(
                f"the rate was not reached: {self.asked or 0:,.0f} messages a second were due and {self.achieved:,.0f} were handed over, "
                f"the last one {time_text(missed)} late (publish delay p50 {_milliseconds(sent.delays.quantile(0.5))}, "
                f"p99 {_milliseconds(sent.delays.quantile(0.99))}). All were sent. Ask for a lower --rate or --speed, run several producers, "
                "or find out by leaving out --rate how many this machine makes"
            )


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:,.1f} ms"
