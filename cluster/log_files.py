"""Read the end of a log file, and follow it as it grows."""

import time
from collections.abc import Iterator
from pathlib import Path

_POLL_S = 0.25


def tail(log: Path, lines: int, end: int | None = None) -> str:
    """Return the last lines of a log, or of its first `end` bytes; nothing if there is none."""
    try:
        text = log.read_bytes()[:end].decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:]) if lines > 0 else ""


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
