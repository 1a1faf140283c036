"""Strikes once, in the middle of a phase of an application that is followed live."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import JobError
from experiments.results.events import Event

MIDDLE = 0.5


@dataclass
class Fault:
    """Follows an application's events and strikes when half of the phase's usual time has passed.

    Attributes:
        phase, pass_: where it strikes; usual_s: what that phase takes undisturbed.
        hit: kills; returns what it killed, for a person.
        mend: starts again what was killed, while the application goes on; None leaves it.
        follow: is told every event as well.
        at: when it struck (perf_counter), moment: the same as time of day; None before.
        after_s: seconds into the phase.
        mended_s: seconds from the fault to the end of `mend`.
    """

    phase: str
    pass_: int
    usual_s: float
    hit: Callable[[], str]
    mend: Callable[[], None] | None = None
    follow: Callable[[Event], None] = lambda _: None
    at: float | None = None
    moment: float = 0.0
    after_s: float = 0.0
    victim: str = ""
    mended_s: float | None = None
    _begin: float | None = None
    _over: bool = False

    def __call__(self, event: Event) -> None:
        """Take note of an event, or of a tick between two."""
        self.follow(event)
        if event["event"] in ("phase_start", "phase_end") and self._meant(event):
            self._over = event["event"] == "phase_end"
            self._begin = None if self._over else float(event["at"])
        if self.at is not None:
            self._mend()
        elif self._begin is not None and time.perf_counter() >= self._begin + MIDDLE * self.usual_s:
            self._strike(self._begin)

    def struck(self) -> float:
        """Return when it struck.

        Raises:
            JobError: it never did.
        """
        if self.at is None:
            raise JobError(
                f"nothing was killed: the phase {self.phase} "
                f"{'was over before the fault' if self._over else 'was never reached'}. "
                "A drill needs a phase of some seconds: raise the trial's iterations or rows"
            )
        return self.at

    def _strike(self, begin: float) -> None:
        self.moment, self.at = time.time(), time.perf_counter()
        self.after_s = self.at - begin
        self.victim = self.hit()

    def _mend(self) -> None:
        if self.mend is None or self.mended_s is not None or self.at is None:
            return
        self.mend()
        self.mended_s = time.perf_counter() - self.at

    def _meant(self, event: Event) -> bool:
        return bool(event["phase"] == self.phase and event["pass_"] == self.pass_)
