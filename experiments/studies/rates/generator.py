"""Producer that makes a trial's messages: its place on the host, and its account."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NICENESS = -10
_PROCESSES = "/proc"


def put_first(pid: int) -> None:
    """Let a generator that keeps a rate go before the host's other processes, where this account may (root on Linux).

    It stands for machines elsewhere. Else what it measures takes the processor from it, and a trial on a busy host says nothing of
    the stream: with a higher priority among ordinary processes alone (niceness -10) 1% of the messages were 12 ms late.

    The thread that makes messages runs in real time. Those that it starts later, Kafka's client, do not: woken for each message at once they
    would send it alone, and 33,000 a second would leave nothing of two processors for the stream. Linux groups processes by session and
    shares the processors among the groups, so theirs gets a larger share.
    """
    with suppress(OSError):
        Path(f"{_PROCESSES}/{pid}/autogroup").write_text(str(_NICENESS), encoding="ascii")
    if hasattr(os, "sched_setscheduler"):
        with suppress(OSError):
            os.sched_setscheduler(pid, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))


@dataclass(frozen=True)
class Generated:
    """Account of a generator.

    Attributes:
        acknowledged: messages; per_s: of them a second.
        delay_p50_s, delay_p99_s: from the intended sending to the handing over to the client; None as fast as it goes.
        size: bytes a message.
        seconds: that it took.
    """

    acknowledged: int
    per_s: float
    delay_p50_s: float | None
    delay_p99_s: float | None
    size: float
    seconds: float

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Generated":
        """Read the numbers that a producer leaves."""
        delays = values["publish_delay_s"] or {}
        return cls(
            int(values["acknowledged"]),
            float(values["achieved_per_s"]),
            delays.get("p50"),
            delays.get("p99"),
            float(values["bytes_per_message"]),
            float(values["seconds"]),
        )
