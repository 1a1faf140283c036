"""Popularity of items in each window of time: totals that only grow, with a watermark and a rule for late ones.

After batch N the watermark is the newest time in the batches 0 to N, less the allowed lateness. A message of batch N is late
if its window ended at or before the watermark after batch N-1. A late one is kept with batch, watermark and offsets, and not
in its window's total: so each window's total and late ones are all its messages.

The totals of the windows that may still grow are in memory, and after each batch in a file beside the query's checkpoint: a
batch that comes again is added to the totals after the batch before it, so nothing is counted twice.
"""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import orjson

from core.errors import JobError
from core.files import write_text

_WHOLE_EVERY = 50
"""Batches from one file with all totals to the next; those between hold what changed."""


class Counted(NamedTuple):
    """Messages of one batch, window and item.

    Attributes:
        start_ms: of the window.
        partition: of Kafka, with the first and last offset; given for late ones, else None.
    """

    start_ms: int
    item: str
    messages: int
    partition: int | None = None
    first_offset: int = 0
    last_offset: int = 0


class Totals:
    """Totals of the windows that may still grow, of one query.

    Attributes:
        batch: the last that they hold; -1 for none.
        newest_ms: newest time of any message, None before the first.
        written_us: write time of the rows of that batch, which rises from batch to batch whatever the clock does.
    """

    def __init__(self, folder: Path, window_ms: int, lateness_ms: int) -> None:
        self.folder, self.window_ms, self.lateness_ms = folder, window_ms, lateness_ms
        self.batch = -1
        self.newest_ms: int | None = None
        self.written_us = 0
        self._open: dict[tuple[int, str], int] = {}
        self._changed: dict[tuple[int, str], int] = {}

    @property
    def watermark_ms(self) -> int | None:
        """The watermark after the last batch; None before the first message."""
        return None if self.newest_ms is None else self.newest_ms - self.lateness_ms

    def __len__(self) -> int:
        """Return the number of totals that may still grow."""
        return len(self._open)

    def go_to(self, batch: int) -> None:
        """Have the totals as they were after a batch (-1: before the first).

        Raises:
            JobError: a file is missing or damaged that they were kept in.
        """
        if batch == self.batch:
            return
        self.batch, self.newest_ms, self.written_us, self._open = -1, None, 0, {}
        if batch < 0:
            return
        whole = batch - batch % _WHOLE_EVERY
        for number in range(whole, batch + 1):
            self._take(number)
        self.batch = batch

    def add(self, batch: int, counted: Iterable[Counted], newest_ms: int | None) -> list[Counted]:
        """Add a batch to the totals in memory, and return the totals that it changed.

        Args:
            batch: the one after `self.batch`.
            counted: its messages that are not late.
            newest_ms: newest time in the batch, None for a batch without messages.
        """
        changed: dict[tuple[int, str], int] = {}
        for one in counted:
            key = (one.start_ms, one.item)
            changed[key] = changed.get(key, self._open.get(key, 0)) + one.messages
        self._open.update(changed)
        self._changed = changed
        self.batch, self.written_us = batch, max(self.written_us + 1, time.time_ns() // 1000)
        self.newest_ms = max((one for one in (self.newest_ms, newest_ms) if one is not None), default=None)
        self._close()
        return [Counted(start, item, count) for (start, item), count in changed.items()]

    def keep(self) -> None:
        """Write the file of the last batch, and remove those that no batch to come needs."""
        self.folder.mkdir(parents=True, exist_ok=True)
        whole = self.batch % _WHOLE_EVERY == 0
        held = self._open if whole else self._changed
        write_text(
            self._file(self.batch),
            orjson.dumps(
                {
                    "newest_ms": self.newest_ms,
                    "written_us": self.written_us,
                    "totals": [[start, item, count] for (start, item), count in held.items()],
                }
            ).decode(),
        )
        if whole:
            for path in self.folder.glob("*.json"):
                if int(path.stem) < self.batch - _WHOLE_EVERY:
                    path.unlink()

    def _take(self, batch: int) -> None:
        """Add what the file of a batch holds."""
        path = self._file(batch)
        try:
            held = orjson.loads(path.read_bytes())
            totals = {(start, item): count for start, item, count in held["totals"]}
            self.newest_ms, self.written_us = held["newest_ms"], held["written_us"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise JobError(
                f"{path} does not have the totals of popularity after batch {batch}: {error}. Without them windows would be "
                "counted short. Move the query's checkpoint away: it then reads its topic anew and writes all totals again"
            ) from error
        self._open.update(totals)
        self._close()

    def _close(self) -> None:
        """Forget the windows that every later message is late for."""
        watermark = self.watermark_ms
        if watermark is None or not any(start + self.window_ms <= watermark for start, _ in self._open):
            return
        self._open = {key: count for key, count in self._open.items() if key[0] + self.window_ms > watermark}

    def _file(self, batch: int) -> Path:
        return self.folder / f"{batch}.json"
