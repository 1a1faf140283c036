"""Run Spark actions that do not need one another at the same time: while one computes, the driver plans the next."""

from collections.abc import Callable
from typing import Any

from pyspark import InheritableThread


class _Action:
    """One action in a thread that belongs to the phase of the thread which started it.

    The thread is a daemon, so that an interruption of the main thread does not wait for a job to end.
    """

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._answer: Any = None
        self._error: Exception | None = None
        self._thread: Any = InheritableThread(target=self._run, daemon=True)
        self._thread.start()

    def ended(self) -> None:
        """Wait for the end."""
        self._thread.join()

    def answer(self) -> Any:
        """Return what the action returned, or raise what it raised, at its end."""
        self.ended()
        if self._error is not None:
            raise self._error
        return self._answer

    def _run(self) -> None:
        try:
            self._answer = self._call()
        except Exception as error:  # noqa: BLE001 - raised again by answer
            self._error = error


def beside(call: Callable[[], Any]) -> Callable[[], Any]:
    """Start an action now; the function returned waits for its end and returns or raises what it did."""
    return _Action(call).answer


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Run all actions at the same time and return their answers in order.

    Raises:
        Exception: of the first in order that failed, after all have ended.
    """
    actions = [_Action(call) for call in calls]
    for action in actions:
        action.ended()
    return [action.answer() for action in actions]
