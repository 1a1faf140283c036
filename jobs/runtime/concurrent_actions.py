"""Run independent Spark actions at the same time: while one computes, the driver plans the next."""

from collections.abc import Callable
from typing import Any

from pyspark import InheritableThread


class _Action:
    """One action in a thread that inherits the job group, and so the phase, of the thread that starts it.

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
        """Wait for the end, then return the action's result or raise its error."""
        self.ended()
        if self._error is not None:
            raise self._error
        return self._answer

    def _run(self) -> None:
        try:
            self._answer = self._call()
        except Exception as error:  # noqa: BLE001 - raised again by answer
            self._error = error


def in_background(call: Callable[[], Any]) -> Callable[[], Any]:
    """Start an action and return a function that waits for its end, then returns its result or raises its error."""
    return _Action(call).answer


def run_concurrently(*calls: Callable[[], Any]) -> list[Any]:
    """Run all actions at the same time and return their results in order.

    Raises:
        Exception: after all have ended, the error of the first failed action in the order of `calls`.
    """
    actions = [_Action(call) for call in calls]
    for action in actions:
        action.ended()
    return [action.answer() for action in actions]
