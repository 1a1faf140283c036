"""Progress of a download: a bar on a terminal, plain lines when piped."""

import sys
import time
from typing import TextIO

from core.units import mb

_WIDTH = 30


class Progress:
    """One transfer of `total` bytes (None if unknown), of which `done` were there before."""

    def __init__(self, name: str, total: int | None, done: int = 0, out: TextIO | None = None) -> None:
        self.name, self.total, self.done = name, total, done
        self._out = out if out is not None else sys.stderr
        self._terminal = self._out.isatty()
        self._before, self._start = done, time.perf_counter()
        self._shown = 0.0 if self._terminal else self._start

    def add(self, count: int) -> None:
        """Count transferred bytes, and show the progress now and then."""
        self.done += count
        now = time.perf_counter()
        if now - self._shown >= (0.2 if self._terminal else 10):
            self._shown = now
            self._show(now)

    def finish(self) -> None:
        """Show the final state."""
        self._show(time.perf_counter())
        if self._terminal:
            self._out.write("\n")
            self._out.flush()

    def _show(self, now: float) -> None:
        line = self.line(now - self._start)
        self._out.write(f"\r{line}\x1b[K" if self._terminal else f"{line}\n")
        self._out.flush()

    def line(self, seconds: float) -> str:
        """Return the line that is shown after so many seconds."""
        rate = (self.done - self._before) / max(seconds, 1e-9)
        speed = f"{mb(rate, 1)} MB/s"
        if not self.total:
            return f"{self.name}: {mb(self.done, 1)} MB, {speed}"
        share = min(self.done / self.total, 1.0)
        left = (self.total - self.done) / rate if rate > 0 else 0.0
        filled = int(share * _WIDTH)
        bar = f" [{'#' * filled}{'.' * (_WIDTH - filled)}]" if self._terminal else ""
        sizes = f"{mb(self.done, 1)} of {mb(self.total, 1)} MB"
        return f"{self.name}:{bar} {share:.0%}, {sizes}, {speed}, {left:.0f} s left"
