"""Tells a person how far things are: one line redrawn on a terminal, plain lines where the output is piped."""

import sys
import time
from dataclasses import dataclass, field
from typing import TextIO

from experiments.events import Event

REDRAW_S = 0.5


@dataclass
class Progress:
    """What is done of a known number of applications, and how long the rest may take."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    total: int = 0
    done: int = 0
    _begin: float = 0.0
    _spent: list[float] = field(default_factory=list)
    _what: str = ""
    _phase: str = ""
    _drawn: float = 0.0
    _width: int = 0

    def say(self, line: str) -> None:
        """Print one line that stays."""
        self._erase()
        print(line, file=self.out, flush=True)

    def start(self, what: str) -> None:
        """Begin one application."""
        self._what, self._phase, self._begin = what, "starting", time.perf_counter()
        if not self.out.isatty():
            self.say(f"  {self._position()} {what}: started{self._left()}")

    def follow(self, event: Event) -> None:
        """Show where the application is; called for its events and in between."""
        if event["event"] == "phase_start":
            self._phase = f"{event['phase']} ({event['kind']} {event['pass_'] + 1})"
        elif event["event"] == "phase_end":
            self._phase = f"after {event['phase']}"
        now = time.perf_counter()
        if self.out.isatty() and now > self._drawn + REDRAW_S:
            self._drawn = now
            seconds = now - self._begin
            self._draw(f"  {self._position()} {self._what}: {self._phase}, {seconds:.0f} s{self._left()}")

    def end(self, verdict: str, counted: bool = True) -> None:
        """End the application; what it took tells how long the rest may take."""
        seconds = time.perf_counter() - self._begin
        position = self._position()
        self.done += counted
        if counted:
            self._spent.append(seconds)
        self.say(f"  {position} {self._what}: {verdict} after {seconds:.1f} s{self._left()}")

    def skip(self, count: int) -> None:
        """Expect so many applications fewer."""
        self.total -= count

    def _position(self) -> str:
        return f"[{min(self.done + 1, self.total)}/{self.total}]"

    def _left(self) -> str:
        rest = self.total - self.done
        if not self._spent or rest <= 0:
            return ""
        return f", about {sum(self._spent) / len(self._spent) * rest:.0f} s left"

    def _draw(self, line: str) -> None:
        self.out.write("\r" + line.ljust(self._width))
        self.out.flush()
        self._width = len(line)

    def _erase(self) -> None:
        if self._width:
            self.out.write("\r" + " " * self._width + "\r")
            self._width = 0
