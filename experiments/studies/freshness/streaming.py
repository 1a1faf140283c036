"""Streams that run beside a measurement, each in an application of its own: tasks of another one would be waited for."""

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager

from cluster.settings import Settings
from core.errors import JobError
from core.lock import undisturbed
from experiments.results.events import Event
from experiments.run.streams import Asked, run
from jobs.streaming.offsets import flat

_PATIENCE_S = 300.0

Place = tuple[str, int]
"""Topic and partition."""


class Follower:
    """Hears of an application's events, and ends it when it is told to.

    Attributes:
        started: whether its query has ended its first batch; lags: in seconds; read: offset after the last message that it has read, by place.
        stopped: set it to end the application; ended: whether that was done.
    """

    def __init__(self) -> None:
        self.started, self.stopped, self.ended = threading.Event(), False, False
        self.lags: list[float] = []
        self.read: Mapping[Place, int] = {}

    def __call__(self, event: Event) -> None:
        if event["event"] == "batch":
            self.read = {**self.read, **flat(event["endOffset"])}
            self.started.set()
        if event["event"] == "lag" and event["seconds"] is not None:
            self.lags.append(float(event["seconds"]))
        if self.stopped:
            self.ended = True
            raise KeyboardInterrupt


@contextmanager
def streaming(settings: Settings, asked: Mapping[str, Asked]) -> Iterator[Mapping[str, Follower]]:
    """Run applications of streams meanwhile, by name; the body begins when each has ended its first batch.

    Raises:
        JobError: one ended, or has ended no batch for minutes.
    """
    followers = {name: Follower() for name in asked}
    with ThreadPoolExecutor(len(asked)) as beside:
        running = [beside.submit(run, settings, one, followers[name]) for name, one in asked.items()]
        both = list(zip(followers.items(), running, strict=True))
        try:
            end = time.monotonic() + _PATIENCE_S
            for (name, follower), one in both:
                while not follower.started.wait(0.5):
                    if one.done():
                        one.result()
                        raise JobError(f"the stream {name} ended before it had begun")
                    if time.monotonic() > end:
                        raise JobError(f"the stream {name} has ended no batch for {_PATIENCE_S:.0f} s")
            yield followers
            for (_, follower), one in both:
                follower.stopped = True
                try:
                    one.result()
                except KeyboardInterrupt:
                    if not follower.ended:  # by a person
                        raise
        finally:
            for follower in followers.values():
                follower.stopped = True
            with undisturbed():  # a second Ctrl-C would leave the applications to themselves
                wait(running)
