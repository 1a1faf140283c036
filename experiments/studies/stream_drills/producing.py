"""Producer of a drill's messages: a process of its own, as a user starts it."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.settings import ROOT
from core.errors import JobError
from experiments.run.launcher import stop_group
from experiments.studies.stream_drills.drill import Ground

_DATASET = "synthetic/ml-100k"
_PATIENCE = "180s"


@dataclass(frozen=True)
class Producing:
    """A producer that runs.

    Attributes:
        ledger: file with what was acknowledged; log: with what it printed.
    """

    process: subprocess.Popen[bytes]
    ledger: Path
    log: Path

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None

    def stop(self) -> None:
        """End it if it runs."""
        if not self.over:
            stop_group(self.process)

    def acknowledged(self) -> tuple[int, int]:
        """Return how many messages were acknowledged, and how many of them were made wrong on purpose.

        Raises:
            JobError: it left no ledger.
        """
        if not self.ledger.is_file():
            tail = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise JobError(f"the producer left no ledger ({self.ledger}); the end of its log:\n{tail}")
        lines = [json.loads(line) for line in self.ledger.read_text(encoding="utf-8").splitlines()]
        bad = sum(
            last - first + 1 for line in lines for ranges in line["bad"].values() for first, last in ranges
        )
        return sum(line["acknowledged"] for line in lines), bad


def start(ground: Ground, brokers: Sequence[str]) -> Producing:
    """Start sending the messages of a drill."""
    setting, folder = ground.setting, ground.run_dir
    ledger, log = folder / "ledger.jsonl", folder / "producer.log"
    command = [
        *(sys.executable, "-m", "datasets", "produce", setting.topic, "--brokers", ",".join(brokers)),
        *("--total", str(ground.total), "--seed", str(ground.seed), "--ledger", str(ledger)),
        *("--patience", _PATIENCE, "--bad", str(setting.bad)),
        *(("--bad-kinds", setting.kinds) if setting.kinds else ()),
        *(("--rate", str(max(1, round(ground.total / setting.rate_s)))) if setting.rate_s else ()),
        *(("--dataset", _DATASET) if setting.topic in ("events", "ratings") else ()),
    ]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    return Producing(process, ledger, log)
