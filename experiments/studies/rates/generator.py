"""The generator of a trial's messages: a producer in a process of its own, whatever the stream does."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.settings import ROOT
from core.errors import JobError

_GRACE_S = 10.0


@dataclass(frozen=True)
class Sending:
    """Messages to be sent.

    Attributes:
        producer: its name.
        total: how many.
        rate: a second; None for as fast as it goes.
        seed: of what is invented.
        dataset: that is drawn from; empty for the producer's own.
        more: further arguments, as ("--set", "users=1000").
    """

    producer: str
    total: int
    rate: float | None = None
    seed: int = 1
    dataset: str = ""
    more: tuple[str, ...] = ()


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


class Generator:
    """A producer that runs beside a stream."""

    def __init__(self, sending: Sending, brokers: Sequence[str], folder: Path) -> None:
        self.result, self.ledger = folder / "generator.json", folder / "ledger.jsonl"
        self.log = folder / "generator.log"
        argv = [sys.executable, "-m", "datasets", "produce", sending.producer, "--brokers", ",".join(brokers)]
        argv += ["--total", str(sending.total), "--seed", str(sending.seed)]
        argv += ["--result", str(self.result), "--ledger", str(self.ledger), *sending.more]
        argv += ["--rate", f"{sending.rate:.3f}"] if sending.rate is not None else []
        argv += ["--dataset", sending.dataset] if sending.dataset else []
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip

    def wait(self) -> Generated:
        """Wait until everything is sent.

        Raises:
            JobError: it failed, or was not able to send at its rate; with what it said.
        """
        self.process.wait()
        if not self.result.exists():
            said = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
            raise JobError(f"the generator ended with status {self.process.returncode}: {' '.join(said)}")
        return _generated(json.loads(self.result.read_text(encoding="utf-8")))

    def stop(self) -> None:
        """End it if it still runs."""
        with suppress(subprocess.TimeoutExpired):
            if self.process.poll() is None:
                self.process.terminate()
                self.process.wait(_GRACE_S)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def _generated(values: Mapping[str, Any]) -> Generated:
    delays = values["publish_delay_s"] or {}
    return Generated(
        int(values["acknowledged"]),
        float(values["achieved_per_s"]),
        delays.get("p50"),
        delays.get("p99"),
        float(values["bytes_per_message"]),
        float(values["seconds"]),
    )
