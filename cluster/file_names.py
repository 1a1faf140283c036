"""Lets Java take names of files as Python does, where the locale knows ASCII alone (LC_ALL=C: cron, small containers)."""

import locale
import sys
from collections.abc import MutableMapping

_UTF8 = "C.UTF-8"


def as_utf8(environ: MutableMapping[str, str]) -> None:
    """Name a locale of UTF-8 in an environment, for the programs that it is handed on to, if Python does without one.

    Python reads and writes names in UTF-8 under such a locale; a JVM finds no file whose name is not ASCII.
    """
    if sys.flags.utf8_mode and locale.nl_langinfo(locale.CODESET) != "UTF-8":
        environ["LC_ALL"] = _UTF8
