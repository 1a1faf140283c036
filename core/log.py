"""Messages of the command lines, made with the standard library's `logging`: one formatter, one handler.

A module says what it has to say to `logging.getLogger(__name__)`: progress as INFO, what a person should know as WARNING,
what went wrong as ERROR. Who uses these packages as a library sees what Python shows of any library; only `shown`, which
the command lines enter, puts messages on the terminal. Tables and reports are results, which commands print.
"""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

PACKAGES = ("core", "cluster", "datasets", "jobs", "experiments")
"""Packages whose messages are shown; those of other libraries stay as these libraries have them."""


class Terminal(logging.Handler):
    """Shows messages as they are, errors on one stream and all others on another, and a line that is drawn again and again.

    A message is written in one piece, whichever thread it comes from, and takes the place of a drawn line. What goes wrong
    in writing is raised as `print` raises it, so that a reader that ended (a closed pipe) ends the command.
    """

    def __init__(self, out: TextIO, err: TextIO) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("%(message)s"))
        self._out, self._err = out, err
        self._width = 0

    @property
    def redraws(self) -> bool:
        """Whether a line can be drawn over the last one."""
        return self._out.isatty()

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if self._width:
            self._out.write("\r" + " " * self._width + "\r")
            self._out.flush()
            self._width = 0
        stream = self._err if record.levelno >= logging.ERROR else self._out
        stream.write(f"{text}\n")
        stream.flush()

    def draw(self, line: str) -> None:
        """Draw a line in place of the last one that was drawn; the next message takes its place."""
        self.acquire()
        try:
            self._out.write("\r" + line.ljust(self._width))
            self._out.flush()
            self._width = len(line)
        finally:
            self.release()


@contextmanager
def shown(out: TextIO | None = None, err: TextIO | None = None) -> Iterator[None]:
    """Show the messages of our packages, from INFO on, until the block has ended; then all is as it was.

    Args:
        out: gets progress and warnings; None for stdout. Commands whose results alone may go to stdout give stderr.
        err: gets errors; None for stderr.
    """
    terminal = Terminal(out or sys.stdout, err or sys.stderr)
    loggers = [logging.getLogger(name) for name in PACKAGES]
    before = [(one.handlers, one.level, one.propagate) for one in loggers]
    for one in loggers:
        # A library that sets up the root logger would show our messages a second time.
        one.handlers, one.propagate = [terminal], False
        one.setLevel(logging.INFO)
    try:
        yield
    finally:
        for one, (handlers, level, propagate) in zip(loggers, before, strict=True):
            one.handlers, one.propagate = handlers, propagate
            one.setLevel(level)
        terminal.close()


def terminal() -> Terminal | None:
    """Return where messages are shown now, None outside of `shown`."""
    handlers = logging.getLogger(PACKAGES[0]).handlers
    return next((one for one in handlers if isinstance(one, Terminal)), None)
