"""Follows the parts of a running application, one after another, and says in the end what came of each."""

import dataclasses
import json
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from experiments.results.checked import checked
from experiments.results.events import Event, Tail, last_lines, phases_of, warnings_of, windows_of
from jobs.runtime.request import LOG_MARK, Request, Result

Status = Literal["ok", "failed", "killed"]

_PASSED_ON = ("batch", "lag")  # a stream has millions of them, and they say nothing of the application's end


@dataclass(frozen=True)
class Part:
    """Request of one trial to an application.

    Attributes:
        request: its `events` file is followed live.
        folder: gets request.json, result.json and driver.log.
        timeout_s: after so many seconds of this part the application is stopped, and the part has failed.
        follow: called with every event as it comes, and with {"event": "tick"} in between.
    """

    request: Request
    folder: Path
    timeout_s: float
    follow: Callable[[Event], None] = lambda _: None


@dataclass(frozen=True)
class Launched:
    """Result of one application, or of one part of an application that trials share.

    Attributes:
        result: the job's own answer, or what its events tell where it left none.
        status: "killed" when a person interrupted it.
        ready_s: seconds from the start of the process until Spark gave it its executors; None if it came to none, or
            another part before this one did.
        start_s: seconds from its start to the start of its first phase or window (in between it reads its input).
        stop_s: seconds from the end of the last phase or window to its end.
        seconds: all of it. A part begins where the one before it ended, the first with the process; the last ends with it.
        died: names of the workers that were lost meanwhile.
    """

    result: Result
    status: Status
    ready_s: float | None
    start_s: float | None
    stop_s: float | None
    seconds: float
    died: list[str] = field(default_factory=list)


class Following:
    """The parts of one application and how far it is with them.

    Attributes:
        died: names of the workers that were lost so far.
    """

    def __init__(self, parts: Sequence[Part], begin: float) -> None:
        self.died: list[str] = []
        self._parts = parts
        self._tails = [Tail(Path(part.request.events)) for part in parts]
        self._begins = [begin]
        self._died_before = [0]

    @property
    def deadline(self) -> float:
        """Time after which the part that runs now has taken too long."""
        return self._begins[-1] + self._parts[self._current].timeout_s

    def look(self, *, quiet: bool = False) -> None:
        """Pass on the events that came, unless `quiet`; a part whose events file is there has begun."""
        while True:
            more = self._current + 1 < len(self._parts)
            next_began = (
                more and self._tails[self._current + 1].path.exists()
            )  # then this one's events are all there
            part, tail = self._parts[self._current], self._tails[self._current]
            for event in tail.new():
                if event["event"] not in _PASSED_ON:
                    tail.events.append(event)
                if not quiet:
                    part.follow(event)
            if not next_began:
                return
            self._begins.append(tail.events[-1]["at"] if tail.events else time.perf_counter())
            self._died_before.append(len(self.died))

    def tick(self) -> None:
        """Tell the part that runs now that time goes by."""
        self._parts[self._current].follow({"event": "tick"})

    def ended(self, log: Path, status: Status, reason: str | None, code: int) -> list[Launched]:
        """Return what came of the parts that began.

        Args:
            log: of the process.
            status: "killed" if a person interrupted it.
            reason: why the process was stopped, which is the last part's affair; None if it ended by itself.
            code: its exit code.
        """
        ends = time.perf_counter()
        self.look(quiet=True)
        if len(self._parts) > 1:
            _divide(log, self._parts[: len(self._begins)])
        begun = [self._launched(number, end, "ok", None, code) for number, end in enumerate(self._begins[1:])]
        return [*begun, self._launched(len(begun), ends, status, reason, code)]

    @property
    def _current(self) -> int:
        return len(self._begins) - 1

    def _launched(self, number: int, end: float, status: Status, reason: str | None, code: int) -> Launched:
        part, events, begin = self._parts[number], self._tails[number].events, self._begins[number]
        result = _result(part, events, reason, code)
        if status == "ok" and result.status == "failed":
            status = "failed"
        ready, start, last = (
            _at(events, *names)
            for names in (("session_ready",), ("phase_start", "window_start"), ("phase_end", "window_end"))
        )
        lost = [*self._died_before, len(self.died)]
        return Launched(
            result=result,
            status=status,
            ready_s=ready[0] - begin if ready else None,
            start_s=start[0] - begin if start else None,
            stop_s=end - last[-1] if last else None,
            seconds=end - begin,
            died=self.died[lost[number] : lost[number + 1]],
        )


def _divide(log: Path, parts: Sequence[Part]) -> None:
    """Give each part the lines of the driver's log that were written while it ran."""
    names = {part.request.events: part.folder / "driver.log" for part in parts}
    with log.open("rb") as lines, ExitStack() as files:
        own = {name: files.enter_context(path.open("wb")) for name, path in names.items()}
        out = own[parts[0].request.events]
        for line in lines:
            if line.startswith(LOG_MARK.encode()):
                name = line.decode("utf-8", "replace").rstrip("\n").removeprefix(LOG_MARK)
                out = own.get(name, out)
            out.write(line)


def _at(events: Sequence[Event], *names: str) -> list[float]:
    return [event["at"] for event in events if event["event"] in names]


def read_result(path: Path) -> Result:
    """Return the answer that a job wrote.

    Raises:
        OSError, json.JSONDecodeError: there is none, or not the whole of it.
        ValueError: a value that cannot be recorded.
    """
    result: Result = checked(Result, whole=False)(json.loads(path.read_text(encoding="utf-8")))
    return result


def _result(part: Part, events: list[Event], reason: str | None, code: int) -> Result:
    """Return the job's own answer, else one made of its events; a reason to stop it goes before its own error."""
    try:
        result = read_result(part.folder / "result.json")
    except (OSError, json.JSONDecodeError):
        number = -code if code < 0 else code - 128  # as a process tells, and as a shell or container does
        known = number in {member.value for member in signal.Signals}
        how = f"signal {signal.Signals(number).name}" if known else f"exit code {code}"
        error = f"the application ended without a result ({how}); the end of {part.folder / 'driver.log'}:\n"
        result = _failed(part, events, error + last_lines(part.folder / "driver.log", 8))
    except ValueError as wrong:
        error = f"the job {part.request.job} answered with what cannot be recorded: {wrong}; mend the Result that it returns"
        result = _failed(part, events, error)
    return result if reason is None else dataclasses.replace(result, status="failed", error=reason)


def _failed(part: Part, events: list[Event], error: str) -> Result:
    """Return what the events of an application without an answer tell."""
    return Result(
        job=part.request.job,
        status="failed",
        phases=phases_of(events),
        windows=windows_of(events),
        error=error,
        warnings=warnings_of(events),
    )
