"""Tells a person how far things are: one line redrawn on a terminal, plain lines where the output is piped."""

import logging
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from core.log import Terminal, terminal
from core.units import rough_time
from experiments.results.events import Event

logger = logging.getLogger(__name__)

REDRAW_S = 0.5


@dataclass
class Progress:
    """Progress in a known number of applications, and an estimate of the remaining time.

    The estimate goes by what applications of the same trial took; of a trial that has had none, by those of the trials
    whose labels share most words with its own.
    """

    total: int = 0
    done: int = 0
    _begin: float = 0.0
    _rest: dict[str, int] = field(default_factory=dict)
    _spent: dict[str, list[float]] = field(default_factory=dict)
    _label: str = ""
    _running: bool = False
    _what: str = ""
    _phase: str = ""
    _drawn: float = 0.0
    _warned: set[tuple[str, str]] = field(default_factory=set)

    def expect(self, label: str, count: int, known: Sequence[float] = ()) -> None:
        """Expect so many applications of a trial; `known` are seconds of earlier ones."""
        self._rest[label] = self._rest.get(label, 0) + count
        self.total = max(self.total, self.done + sum(self._rest.values()))
        if known:
            self._spent.setdefault(label, []).extend(known)

    def start(self, what: str, label: str = "") -> None:
        """Begin one application, of the trial `label`."""
        self._what, self._label, self._phase, self._begin = what, label, "starting", time.perf_counter()
        self._running = True
        if not _screen():
            logger.info("  %s %s: started%s", self._position(), what, self._left())

    def follow(self, event: Event) -> None:
        """Show where the application is; called for its events and in between. A trial's warning is shown once."""
        if event["event"] == "phase_start":
            self._phase = f"{event['phase']} ({event['kind']} {event['pass_'] + 1})"
        elif event["event"] == "phase_end":
            self._phase = f"after {event['phase']}"
        elif event["event"] == "window_start":
            self._phase = f"window {event['number'] + 1} of {event['of']} ({event['kind']})"
        elif event["event"] == "warning" and (self._label, event["text"]) not in self._warned:
            self._warned.add((self._label, event["text"]))
            logger.warning("  %s: warning: %s", self._what, event["text"])
        now = time.perf_counter()
        if (screen := _screen()) and now > self._drawn + REDRAW_S:
            self._drawn = now
            seconds = now - self._begin
            screen.draw(f"  {self._position()} {self._what}: {self._phase}, {seconds:.0f} s{self._left()}")

    def end(self, verdict: str, counted: bool = True) -> None:
        """End the application; what it took tells how long the rest may take."""
        seconds = time.perf_counter() - self._begin
        position = self._position()
        self._running = False
        self.done += counted
        if counted:
            self._spent.setdefault(self._label, []).append(seconds)
            self._fewer(1)
        logger.info("  %s %s: %s after %.1f s%s", position, self._what, verdict, seconds, self._left())

    def skip(self, count: int) -> None:
        """Expect so many applications of the trial that just failed fewer; what it took says nothing of others."""
        self.total -= count
        self._fewer(count)
        spent = self._spent.get(self._label, [])
        del spent[-1:]
        if not spent:
            self._spent.pop(self._label, None)

    def left_s(self) -> float | None:
        """Return how many seconds the rest may take; None where nothing tells."""
        rest = dict(self._rest)
        unnamed = self.total - self.done - sum(rest.values())
        if unnamed > 0:
            rest[""] = rest.get("", 0) + unnamed
        if not any(rest.values()) or not self._spent:
            return None
        seconds = sum(count * self._typical(label) for label, count in rest.items() if count)
        if self._running:  # what is running counts with what is left of it
            seconds -= min(time.perf_counter() - self._begin, self._typical(self._label))
        return seconds

    def _typical(self, label: str) -> float:
        if label in self._spent:
            return statistics.median(self._spent[label])
        words = set(label.split())
        shared = {known: len(words & set(known.split())) for known in self._spent}
        most = max(shared.values())
        return statistics.fmean(
            statistics.median(self._spent[known]) for known, count in shared.items() if count == most
        )

    def _fewer(self, count: int) -> None:
        if self._label in self._rest:
            self._rest[self._label] = max(0, self._rest[self._label] - count)

    def _position(self) -> str:
        return f"[{min(self.done + 1, self.total)}/{self.total}]"

    def _left(self) -> str:
        seconds = self.left_s()
        return "" if seconds is None else f", about {rough_time(seconds)} left"


def _screen() -> Terminal | None:
    """Return where a line can be drawn again and again, if progress is shown there."""
    shown = terminal()
    return shown if shown is not None and shown.redraws else None
