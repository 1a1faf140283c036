"""A producer that runs in a process of its own, as a user starts it: what it is asked for, its ledger, its log, its end."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cluster.settings import ROOT
from core.errors import JobError
from experiments.run.launcher import stop_group

LEDGER, LOG = "ledger.jsonl", "producer.log"
"""Files that a producer leaves in its folder."""

_RESULT = "producer.json"
_SHOWN = 2000


@dataclass(frozen=True)
class Sending:
    """Messages to be sent.

    Attributes:
        producer: its name.
        total: how many.
        rate: a second; None for as fast as it goes.
        seed: of what is invented or drawn.
        dataset: that is replayed or drawn from; empty for the producer's own.
        more: further arguments, as ("--bad", "0.01").
    """

    producer: str
    total: int
    rate: float | None = None
    seed: int = 1
    dataset: str = ""
    more: tuple[str, ...] = ()

    def arguments(self, brokers: Sequence[str], folder: Path) -> list[str]:
        """Return the arguments of `python -m datasets`; files go to `folder`."""
        found = ["produce", self.producer, "--brokers", ",".join(brokers)]
        found += ["--total", str(self.total), "--seed", str(self.seed)]
        found += ["--ledger", str(folder / LEDGER), "--result", str(folder / _RESULT), *self.more]
        found += ["--rate", f"{self.rate:.3f}"] if self.rate is not None else []
        return found + (["--dataset", self.dataset] if self.dataset else [])


class Producing:
    """A producer that runs; a context manager, which ends it.

    Attributes:
        ledger: file with what was acknowledged; log: with what it printed.
    """

    def __init__(self, sending: Sending, brokers: Sequence[str], folder: Path) -> None:
        self.ledger, self.log, self._result = folder / LEDGER, folder / LOG, folder / _RESULT
        command = [sys.executable, "-m", "datasets", *sending.arguments(brokers, folder)]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """Number of its process."""
        return self._process.pid

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End it if it runs."""
        if not self.over:
            stop_group(self._process)

    def wait(self) -> Mapping[str, Any]:
        """Wait until it ends; return its numbers, as `--result` has them.

        Raises:
            JobError: it left none.
        """
        self._process.wait()
        return dict(json.loads(self._left(self._result)))

    def acknowledged(self) -> tuple[int, int]:
        """Return how many messages were acknowledged, and how many of them were made wrong on purpose.

        Raises:
            JobError: it left no ledger.
        """
        lines = [json.loads(line) for line in self._left(self.ledger).splitlines()]
        bad = sum(
            last - first + 1 for line in lines for ranges in line["bad"].values() for first, last in ranges
        )
        return sum(line["acknowledged"] for line in lines), bad

    def _left(self, file: Path) -> str:
        if not file.is_file():
            tail = self.log.read_text(encoding="utf-8", errors="replace")[-_SHOWN:]
            raise JobError(
                f"the producer left no {file.name} (status {self._process.poll()}); the end of its log:\n{tail}"
            )
        return file.read_text(encoding="utf-8")
