"""Follow a log file as it grows."""

import time
from collections.abc import Iterator
from pathlib import Path

from cluster.readiness import tail

_POLL_S = 0.25


def follow(log: Path, lines: int) -> Iterator[str]:
    """Yield the end of a log and then each addition, for ever; a new file of that name is read from its start."""
    inode, offset = _state(log)
    yield from (line + "\n" for line in tail(log, lines, offset).splitlines())
    while True:
        time.sleep(_POLL_S)
        now, length = _state(log)
        if now != inode or length < offset:
            inode, offset = now, 0
        if length > offset:
            with log.open("rb") as file:
                file.seek(offset)
                text = file.read()
            offset += len(text)
            yield text.decode("utf-8", errors="replace")


def _state(log: Path) -> tuple[int, int]:
    try:
        found = log.stat()
    except OSError:
        return 0, 0
    return found.st_ino, found.st_size
