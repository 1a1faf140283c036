"""Names of files under a locale that knows ASCII alone: the environment that our programs get lets Java read them, too."""

import os
import subprocess
import sys

import pytest

SAY = "import os, cluster.configuration as s; s.load([], os.environ); print(os.environ.get('LC_ALL'))"


@pytest.mark.parametrize(
    ("locale", "given"),
    [
        ({"LC_ALL": "C"}, "C.UTF-8"),
        ({"LC_ALL": "POSIX"}, "C.UTF-8"),
        ({"LC_ALL": "no_SUCH.locale"}, "C.UTF-8"),
        ({"LC_ALL": "C.UTF-8"}, "C.UTF-8"),
        ({"LANG": "C.UTF-8"}, "None"),
        ({"LANG": "C"}, "None"),  # Python itself names a locale of UTF-8 then, as LC_CTYPE
    ],
)
def test_a_locale_of_utf_8_is_named_where_there_is_none(locale, given):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    done = subprocess.run(
        [sys.executable, "-c", SAY], env=environment | locale, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == given
