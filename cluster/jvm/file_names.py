"""UTF-8 file names for Java under an ASCII locale (LC_ALL=C, as in cron and small containers)."""

import locale
import sys
from collections.abc import MutableMapping

_UTF8 = "C.UTF-8"


def as_utf8(environ: MutableMapping[str, str]) -> None:
    """Set a UTF-8 locale in an environment whose locale is ASCII, for the programs that inherit it.

    Python reads and writes names in UTF-8 under such a locale; a JVM finds no file whose name is not ASCII.
    """
    if sys.flags.utf8_mode and locale.nl_langinfo(locale.CODESET) != "UTF-8":
        environ["LC_ALL"] = _UTF8
